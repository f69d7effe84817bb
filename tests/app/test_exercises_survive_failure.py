"""The exercises of 05_survive_failure: other right answers, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import laboratory
from helpers.exercise import OPEN
from helpers.exercises import survive_failure as check
from helpers.session import Session

TWICE = {"ErrorEquals": ["ThrottledError"], "MaxAttempts": 2}
ALL = {"ErrorEquals": ["States.ALL"]}


def retrier(**fields: Any) -> dict[str, Any]:
    return {**TWICE, **fields}


def catcher(error: str, state: str, **fields: Any) -> dict[str, Any]:
    return {"ErrorEquals": [error], "ResultPath": "$.problem", "Next": state, **fields}


LATER = catcher("ThrottledError", "TryTomorrow")
CALL = catcher("States.ALL", "CallSomebody")


def test_dots_are_no_answer_yet(aws: Session) -> None:
    for judge in (check.retry, check.catch, check.heartbeat):
        assert (judge(aws, ...).done, judge(aws, ...).words) == (None, OPEN)


@pytest.mark.parametrize(
    "answer",
    [
        [TWICE],
        [retrier(IntervalSeconds=3, BackoffRate=1.5, JitterStrategy="FULL")],
        [retrier(ErrorEquals=["ThrottledError", "Lambda.TooManyRequestsException"])],
        [TWICE, {**ALL, "MaxAttempts": 0}],
        [
            {"ErrorEquals": ["KeyError", "ZeroDivisionError"], "MaxAttempts": 0},
            {**ALL, "MaxAttempts": 2},
        ],
    ],
)
def test_right_retries(aws: Session, answer: list[dict[str, Any]]) -> None:
    assert check.retry(aws, answer).done, check.retry(aws, answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "not tried again at all"),
        ([retrier(ErrorEquals=["Throttled"])], "not tried again at all"),
        ([retrier(MaxAttempts=0), retrier()], "not tried again at all"),
        ([retrier(MaxAttempts=1)], "the second throttle ends"),
        ([retrier(MaxAttempts=1), {**ALL, "MaxAttempts": 9}], "the second throttle ends"),
        ([retrier(MaxAttempts=3)], "a third throttle"),
        ([{"ErrorEquals": ["ThrottledError"]}], "a third throttle"),
        ([{**ALL, "MaxAttempts": 2}], "KeyError is tried again, too"),
        ([retrier(ErrorEquals=["States.TaskFailed"])], "KeyError is tried again, too"),
        ([TWICE, {"ErrorEquals": ["ZeroDivisionError"]}], "ZeroDivisionError is tried again"),
        ([retrier(IntervalSeconds=0.5)], "refuses the definition"),
        ([ALL, TWICE], "refuses the definition"),
        (TWICE, "refuses the definition"),
        ([{"ErrorEquals": ["ThrottledError"], "MaxAttempt": 2}], "Field 'MaxAttempt' is not supp"),
        ([{1, 2}], "not have the form"),
    ],
)
def test_wrong_retries(aws: Session, answer: Any, words: str) -> None:
    verdict = check.retry(aws, answer)
    assert verdict.done is False
    assert words in verdict.words


@pytest.mark.parametrize(
    "answer",
    [
        [LATER, CALL],
        [LATER, catcher("States.TaskFailed", "CallSomebody")],
        [catcher("CardRefused", "CallSomebody"), {**CALL, "Next": "TryTomorrow"}],
    ],
)
def test_right_catches(aws: Session, answer: list[dict[str, Any]]) -> None:
    assert check.catch(aws, answer).done, check.catch(aws, answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([CALL, LATER], "refuses the definition"),
        ([LATER, catcher("States.ALL", "Nowhere")], "refuses the definition"),
        ([CALL], "A ThrottledError goes to CallSomebody"),
        (
            [catcher("States.TaskFailed", "CallSomebody"), LATER],
            "A ThrottledError goes to CallSomebody",
        ),
        ([LATER], "A CardRefused is not caught"),
        ([catcher("Throttled", "TryTomorrow")], "A ThrottledError is not caught"),
        ([{k: v for k, v in LATER.items() if k != "ResultPath"}, CALL], "the error has replaced"),
        ([LATER, {**CALL, "ResultPath": "$"}], "CallSomebody does not see the bill"),
        ([{**LATER, "ResultPath": None}, CALL], "no error under $.problem"),
        ([LATER, {**CALL, "ResultPath": "$.error"}], "no error under $.problem"),
        ([{"ErrorEquals": ["States.ALL"]}], "has no Next"),
        (7, "is a list of catchers"),
        ({"ErrorEquals": ["States.ALL"], "Next": "A"}, "is a list of catchers"),
    ],
)
def test_wrong_catches(aws: Session, answer: Any, words: str) -> None:
    verdict = check.catch(aws, answer)
    assert verdict.done is False
    assert words in verdict.words


@pytest.mark.parametrize("patience", [20, 60])
def test_right_limits(aws: Session, patience: int) -> None:
    verdict = check.heartbeat(aws, {"TimeoutSeconds": patience, "HeartbeatSeconds": 2})
    assert verdict.done, verdict


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"TimeoutSeconds": 30}, "Without HeartbeatSeconds"),
        ({"HeartbeatSeconds": 1, "TimeoutSeconds": 30}, "half a second late is taken for dead"),
        ({"HeartbeatSeconds": 10, "TimeoutSeconds": 30}, "noticed only after 10 s"),
        ({"HeartbeatSeconds": 2}, "Without TimeoutSeconds"),
        ({"HeartbeatSeconds": 2, "TimeoutSeconds": 5}, "given up after 5 s"),
        ({"HeartbeatSeconds": 2, "TimeoutSeconds": 3600}, "longer than a minute"),
        ({"HeartbeatSeconds": 3, "TimeoutSeconds": 3}, "refuses the definition"),
        ({"HeartbeatSeconds": 1.5, "TimeoutSeconds": 30}, "refuses the definition"),
        ({"Heartbeat": 2, "TimeoutSeconds": 30}, "'Heartbeat' is not supported"),
        ([2, 30], "not have the form"),
    ],
)
def test_wrong_limits(aws: Session, answer: Any, words: str) -> None:
    verdict = check.heartbeat(aws, answer)
    assert verdict.done is False
    assert words in verdict.words


def test_what_the_checks_make_is_deleted_with_the_rest(aws: Session) -> None:
    check.catch(aws, [LATER, CALL])
    assert {"workbook-exercise-catch", "workbook-flaky"} <= set(laboratory.delete(aws))
