"""The waits between a task's attempts: what a retrier's rule says, and what a history shows.

The rule: IntervalSeconds before the first retry, BackoffRate times as long before each one after
it, never longer than MaxDelaySeconds; with JitterStrategy FULL anything between nothing and that.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
https://states-language.net/spec.html#errors
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

from helpers.table import columns
from helpers.visits import Event

# What a retrier that does not say has. https://states-language.net/spec.html#errors
INTERVAL_SECONDS, BACKOFF_RATE, MAX_ATTEMPTS = 1, 2.0, 3
_HEADINGS = ("Retry", "The rule", "Seconds", "ms")
_WORDS = 1  # the column that is text, and not a number


def waits(retrier: Mapping[str, Any]) -> list[float]:
    """Return the seconds before each retry that a retrier allows; with jitter, the most of each.

    >>> waits({"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "BackoffRate": 1.5})
    [3, 4.5, 6.75]
    """
    return [seconds for _, seconds in _rule(retrier)]


def _rule(retrier: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield each wait in words and in seconds."""
    interval = retrier.get("IntervalSeconds", INTERVAL_SECONDS)
    rate = retrier.get("BackoffRate", BACKOFF_RATE)
    most = retrier.get("MaxDelaySeconds")
    for retry in range(retrier.get("MaxAttempts", MAX_ATTEMPTS)):
        seconds = interval * rate**retry
        words = " × ".join([f"{interval:g}", *[f"{rate:g}"] * retry])
        if most is not None and seconds > most:
            words, seconds = f"{words}, but at most {most:g}", most
        if retrier.get("JitterStrategy") == "FULL":
            words = f"anything from 0 to {words}"
        yield words, round(seconds, 3)


@dataclass(frozen=True)
class Backoff:
    """A retrier's waits as a table; given a task's history, with the waits that were seen."""

    retrier: Mapping[str, Any]
    events: Sequence[Event] = ()

    @property
    def seen(self) -> list[float]:
        """The milliseconds from each failure to the attempt that followed it."""
        failures = {
            event["id"]: event["timestamp"]
            for event in self.events
            if event["type"].endswith(("Failed", "TimedOut"))
        }
        return [
            (event["timestamp"] - failures[event["previousEventId"]]).total_seconds() * 1e3
            for event in self.events
            if event["type"].endswith("Scheduled") and event["previousEventId"] in failures
        ]

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        """The headings, and a row a retry; what was seen only where there is a history."""
        rule = [(words, f"{seconds:g}") for words, seconds in _rule(self.retrier)]
        seen = [f"{milliseconds:,.0f}" for milliseconds in self.seen]
        rows = [
            (str(number), *(said or ("another retrier's", "")), passed or "")
            for number, (said, passed) in enumerate(zip_longest(rule, seen), start=1)
        ]
        columns = len(_HEADINGS) if self.events else len(_HEADINGS) - 1
        return [row[:columns] for row in (_HEADINGS, *rows)]

    def __repr__(self) -> str:
        return columns(self._rows, right=set(range(len(self._rows[0]))) - {_WORDS})

    def _repr_html_(self) -> str:
        head, *body = self._rows
        rows = "".join(f"<tr>{_cells('td', row)}</tr>" for row in body)
        return f"<table><thead><tr>{_cells('th', head)}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(tag: str, row: Sequence[str]) -> str:
    sides = ["left" if place == _WORDS else "right" for place in range(len(row))]
    return "".join(
        f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
        for side, cell in zip(sides, row, strict=True)
    )
