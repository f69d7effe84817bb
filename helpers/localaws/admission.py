"""Admission: so many executions are open at once; the next ones wait in line for their first state.

An open execution has a thread, one more in a state with a time limit, and one for each branch.
Those in line have none: they are RUNNING, with the first event of their history. What a state
machine or a function starts is not kept in line: whoever started it may be waiting for it.
"""

from __future__ import annotations

import threading
import types
from collections import deque
from contextvars import ContextVar

# AWS's quota is 1,000,000. Here 1,000 that wait for an answer were seen to take 2,000 threads and
# 90 MB, and to hold up nobody.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
OPEN = 2_000
LIMIT = 2 * OPEN  # with those that were not kept in line: ends what starts itself without end

# The access key that a request came with; "" where nobody asked, as with EventBridge.
CALLER: ContextVar[str] = ContextVar("caller", default="")


def install() -> None:
    """Let the threads wait in line that MiniStack starts for executions."""
    from ministack.services import stepfunctions

    stepfunctions.threading = types.SimpleNamespace(**{**vars(threading), "Thread": Thread})


class Line:
    """The executions that are open, and those that wait to be."""

    def __init__(self, places: int, limit: int) -> None:
        """Admit ``places`` executions at once, and ``limit`` with those that cannot wait."""
        self._gate = threading.Lock()
        self._places, self._limit = places, limit
        self._open = 0
        self._waiting: deque[Thread] = deque()

    def admit(self, thread: Thread) -> bool:
        """Whether the thread may begin now; if not, it is begun when others have ended."""
        with self._gate:
            if self._open >= self._places and not cannot_wait():
                self._waiting.append(thread)
                return False
            self._open += 1
            return True

    def leave(self) -> Thread | None:
        """Give a place back; return the thread that is to begin on it."""
        with self._gate:
            self._open -= 1
            if not self._waiting or self._open >= self._places:
                return None
            self._open += 1
            return self._waiting.popleft()

    def is_full(self) -> bool:
        """Whether an execution must be refused: it cannot wait, and no more can be open."""
        return cannot_wait() and self._open >= self._limit


def cannot_wait() -> bool:
    """Whether a state machine or a function asks: a role's keys are temporary, and begin so.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    return CALLER.get().startswith("ASIA")


LINE = Line(OPEN, LIMIT)


class Thread(threading.Thread):
    """The thread of an execution: it begins when it is admitted."""

    def start(self) -> None:
        """Begin, now or later."""
        if LINE.admit(self):
            super().start()

    def run(self) -> None:
        """Run the execution; at its end begin the next in line."""
        try:
            super().run()
        finally:
            following = LINE.leave()
            if following:
                threading.Thread.start(following)
