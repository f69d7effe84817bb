"""The waits between attempts: the rule's, in words and numbers, and those of a history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helpers.backoff import Backoff, waits


@pytest.mark.parametrize(
    ("retrier", "seconds"),
    [
        ({}, [1, 2, 4]),
        ({"MaxAttempts": 0}, []),
        ({"IntervalSeconds": 3, "BackoffRate": 1.5, "MaxAttempts": 2}, [3, 4.5]),
        ({"IntervalSeconds": 3, "MaxDelaySeconds": 10, "MaxAttempts": 4}, [3, 6, 10, 10]),
        ({"BackoffRate": 1, "MaxAttempts": 2}, [1, 1]),
    ],
)
def test_the_waits_are_those_of_the_rule(retrier: dict[str, Any], seconds: list[float]) -> None:
    assert waits(retrier) == seconds


def test_a_limit_and_jitter_are_said() -> None:
    retrier = {"MaxAttempts": 2, "MaxDelaySeconds": 1, "JitterStrategy": "FULL"}
    lines = repr(Backoff(retrier)).splitlines()
    assert "anything from 0 to 1" in lines[1]
    assert "anything from 0 to 1 × 2, but at most 1" in lines[2]


def _event(number: int, kind: str, second: float, previous: int) -> dict[str, Any]:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return {"id": number, "type": kind, "timestamp": moment, "previousEventId": previous}


HISTORY = [
    _event(1, "TaskScheduled", 0, 0),
    _event(2, "TaskFailed", 0.5, 1),
    _event(3, "TaskScheduled", 1.5, 2),
    _event(4, "TaskTimedOut", 2, 3),
    _event(5, "TaskScheduled", 4, 4),
    _event(6, "TaskSucceeded", 4.5, 5),
]


def test_what_was_seen_stands_beside_the_rule() -> None:
    backoff = Backoff({}, HISTORY)
    assert backoff.seen == [1000, 2000]
    lines = [line.split() for line in repr(backoff).splitlines()]
    assert lines[0][-1] == "ms"
    assert [line[-1] for line in lines[1:]] == ["1,000", "2,000", "4"]


def test_the_table_has_a_row_a_retry_and_a_column_more_with_a_history() -> None:
    plain, seen = Backoff({})._repr_html_(), Backoff({}, HISTORY)._repr_html_()
    assert (plain.count("<tr>"), plain.count("<td ")) == (4, 9)
    assert (seen.count("<tr>"), seen.count("<td ")) == (4, 12)
    assert ">2,000</td>" in seen


def test_an_attempt_that_this_rule_does_not_allow_is_another_retriers() -> None:
    lines = repr(Backoff({"MaxAttempts": 1}, HISTORY)).splitlines()
    assert lines[2].split() == ["2", "another", "retrier's", "2,000"]
