"""How a status looks and reads: a colour, a sign that needs no colour vision, and words."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.history import Status, StepStatus


@dataclass(frozen=True, slots=True)
class Sign:
    """A letter for plain text, a word, a drawing in a square of 10, and colours."""

    text: str
    word: str
    drawing: str
    solid: bool
    fill: str
    strong: str


SIGNS = {
    StepStatus.RUNNING: Sign("▶", "running", "M3 1L9 5L3 9Z", True, "#dbeafe", "#1d4ed8"),
    StepStatus.WAITING: Sign(
        "⏳", "waiting", "M1.5 .5H8.5L5 5L8.5 9.5H1.5L5 5Z", True, "#fef3c7", "#b45309"
    ),
    StepStatus.SUCCEEDED: Sign("✓", "", "M1 5.4L3.9 8.2L9 1.8", False, "#dcfce7", "#15803d"),
    StepStatus.FAILED: Sign(
        "✗", "failed", "M1.5 1.5L8.5 8.5M8.5 1.5L1.5 8.5", False, "#fee2e2", "#b91c1c"
    ),
    StepStatus.CAUGHT: Sign(
        "⤷", "caught", "M1.5 .5V6H8.5M5.8 3.2L8.8 6L5.8 8.8", False, "#fce7f3", "#be185d"
    ),
    StepStatus.TIMED_OUT: Sign(
        "⏱", "timed out", "M5 .8A4.2 4.2 0 1 1 4.99 .8M5 2.6V5.2L7 6.4", False, "#f3e8ff", "#7e22ce"
    ),
    StepStatus.ABORTED: Sign("■", "aborted", "M1.5 1.5H8.5V8.5H1.5Z", True, "#e5e7eb", "#4b5563"),
}
NOT_STARTED = Sign("·", "not started", "M2 5H2.1M5 5H5.1M8 5H8.1", False, "#f6f8fa", "#57606a")
RETRIED = "M8.2 3A4 4 0 1 0 9 5.4M8.6 .4V3.2H5.8"
PRESENT = (StepStatus.RUNNING, StepStatus.WAITING)


def words(status: Status) -> str:
    """A status in words, for example `running, retried 2 times, 3 of 5 items`."""
    found = [status.status.words]
    if status.retries:
        found.append(f"retried {status.retries} time{'' if status.retries == 1 else 's'}")
    if items := status.items:
        found.append(
            _items(items.total) if items.apart else f"{items.succeeded} of {_items(items.total)}"
        )
        if items.failed:
            found.append(f"{items.failed} failed")
    if status.visits > 1:
        found.append(f"entered {status.visits} times")
    return ", ".join(found)


def counts(status: Status) -> str:
    """What can be counted of a status, short: `3/5` of a Map's items, `×4` of a loop's rounds."""
    if items := status.items:
        return _items(items.total) if items.apart else f"{items.succeeded}/{items.total}"
    return f"×{status.visits}" if status.visits > 1 else ""


def _items(total: int) -> str:
    return f"{total} item{'' if total == 1 else 's'}"
