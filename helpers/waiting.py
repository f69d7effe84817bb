"""Waiting with words: whoever waits for long is told for what, and how long it usually takes.

In AWS itself much takes seconds or minutes that takes no time locally. A wait that is soon over
says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from botocore.exceptions import ClientError

from helpers.live import in_notebook
from helpers.session import Session

# Before this many seconds a wait is silent. Longer where nothing ever takes long: what a busy
# computer adds is no news.
QUIET_SECONDS = {"local": 20, "aws": 2}
PAUSE_SECONDS = {"local": 0.02, "aws": 2}  # between two looks
# Locally a second would do; twenty learners who share two processors wait for each other.
PATIENCE_SECONDS = {"local": 60, "aws": 600}
# What one of AWS's computers knows, the next one may not know yet: so many looks in a row tell it.
IN_A_ROW = {"local": 1, "aws": 3}


def looks(
    session: Session, what: str, usually: str = "", patience: float | None = None
) -> Iterator[None]:
    """Yield each time when it is worth to look again; end when patience is over.

    ``what`` is what is waited for, as in "an execution to start"; ``usually`` a sentence on how
    long that takes. ``patience`` is in seconds; left out, it is that of the session's target. Leave
    the loop when it is there; what stands behind the loop says that it has not come.
    """
    begun = time.monotonic()
    end = begun + (PATIENCE_SECONDS[session.target] if patience is None else patience)
    notice = Notice(f"Waiting for {what}. {usually}".strip())
    try:
        while True:
            yield
            now = time.monotonic()
            if now > end:
                return
            if now - begun > QUIET_SECONDS[session.target]:
                notice.tell(now - begun)
            time.sleep(PAUSE_SECONDS[session.target])
    finally:
        notice.close()


def settles(
    session: Session,
    what: str,
    settled: Callable[[], bool],
    usually: str = "",
    patience: float | None = None,
) -> bool:
    """Look until ``settled`` is true so often in a row that it is true everywhere in AWS.

    Return whether that came before patience was over; the other arguments are those of `looks`.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    in_a_row = 0
    for _ in looks(session, what, usually, patience):
        in_a_row = in_a_row + 1 if settled() else 0
        if in_a_row == IN_A_ROW[session.target]:
            return True
    return False


def insist(
    session: Session,
    what: str,
    call: Callable[[], Any],
    too_early: Callable[[ClientError], bool],
    usually: str = "",
    patience: float | None = None,
) -> Any:
    """Make a call again and again while AWS refuses it as ``too_early``; return its answer.

    Raises any other error at once, and the last refusal when patience is over; ``what`` is what AWS
    is not ready with. The other arguments are those of `looks`.
    """
    for _ in looks(session, what, usually, patience):
        try:
            return call()
        except ClientError as error:
            if not too_early(error):
                raise
            refused = error
    raise refused


def coded(*codes: str) -> Callable[[ClientError], bool]:
    """Return what tells whether AWS refused a call with one of these error codes."""
    return lambda error: error.response["Error"]["Code"] in codes


class Notice:
    """A line below the cell that waits; it goes away when the wait is over.

    Without a notebook it is printed once.
    """

    def __init__(self, words: str) -> None:
        self._words = words
        self._handle: Any = None
        self._told = False

    def tell(self, seconds: float) -> None:
        """Say for what is waited, and for how long already."""
        line = f"{self._words} ({seconds:.0f} s so far.)"
        if not in_notebook():
            if not self._told:
                print(line, flush=True)
        else:
            self._show(f"<i>{escape(line)}</i>")
        self._told = True

    def close(self) -> None:
        """Take the line away."""
        if self._handle is not None:
            self._show("")

    def _show(self, text: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(text), display_id=True)
        else:
            self._handle.update(HTML(text))
