"""Turns: one execution is interpreted at a time, so that requests are answered meanwhile.

Python runs one thread at a time, and many threads that compute hold up the one that answers
requests: beside fifty busy executions a simple call was seen to take two seconds, with turns a
hundredth of one. Nothing is lost: two would not be interpreted at once anyway. Whoever waits, for
a task's answer, a token, a moment or a branch, holds no turn: so executions that wait hold up
nobody, and none can wait for one that waits for its turn.
"""

from __future__ import annotations

import importlib
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from helpers.localaws.threads import AccountThread

# Where moto starts threads, joins them, sleeps and waits for events.
_ASL = "moto.stepfunctions.parser.asl"
WAITING = (
    f"{_ASL}.component.common.retry.retrier_decl",
    f"{_ASL}.component.program.program",
    f"{_ASL}.component.state.exec.execute_state",
    f"{_ASL}.component.state.exec.state_map.iteration.inline_iteration_component",
    f"{_ASL}.component.state.exec.state_map.iteration.job",
    f"{_ASL}.component.state.exec.state_parallel.branch_worker",
    f"{_ASL}.component.state.exec.state_parallel.branches_decl",
    f"{_ASL}.component.state.exec.state_task.service.state_task_service_callback",
    f"{_ASL}.eval.callback.callback",
    f"{_ASL}.eval.environment",
)


def install() -> None:
    """Let moto's threads take turns, and start none that only waits for another."""
    # Not before the seam's own imports: see helpers/localaws/imports.py.
    from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
    from moto.stepfunctions.parser.asl.component.program.program import Program
    from moto.stepfunctions.parser.asl.eval import environment

    threads = types.SimpleNamespace(**{**vars(threading), "Thread": Thread, "Event": Event})
    clock = types.SimpleNamespace(**{**vars(time), "sleep": sleep})
    names = {"threading": threads, "Thread": Thread, "Event": Event, "time": clock}
    for module in map(importlib.import_module, WAITING):
        for name in names.keys() & vars(module).keys():
            setattr(module, name, names[name])
    timing = importlib.import_module(f"{_ASL}.component.state.exec.execute_state")
    timing.Thread = TimedThread  # of a task with TimeoutSeconds
    Program.eval = _without_a_thread(Program.eval, EvalComponent.eval)
    # A program that has ended stays so; moto wakes only those that wait in that very moment.
    environment.threading = types.SimpleNamespace(**{**vars(threads), "Event": LastingEvent})
    RetrierDecl._eval_body = _interruptible(RetrierDecl._eval_body)


class Turns:
    """So many turns at once; the next one is given to whoever has waited for it longest."""

    def __init__(self, at_once: int = 1, patience: float | None = None) -> None:
        """Allow ``at_once`` turns.

        Where none has ended for ``patience`` seconds, one more is allowed: those who have one may
        all be waiting for those who have none.
        """
        self._gate = threading.Lock()
        self._free = at_once
        self._patience, self._moved = patience, time.monotonic()
        self._line: deque[threading.Lock] = deque()
        self._thread = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn, and hold it."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Give the turn away while this thread waits; without one, do nothing."""
        if not self._is_mine():
            yield
            return
        self._give()
        try:
            yield
        finally:
            self._take()

    def pass_on(self) -> None:
        """Let another one have the turn, where one waits: a loop must not keep it."""
        if self._line and self._is_mine():
            self._give()
            self._take()

    def _is_mine(self) -> bool:
        return getattr(self._thread, "mine", False)

    def _take(self) -> None:
        place = self._place()
        while place and not place.acquire(timeout=self._patience or -1):
            if self._is_stuck(place):
                break
        self._thread.mine = True

    def _place(self) -> threading.Lock | None:
        """Take a turn and return None, or return a place in line: a lock that is opened later."""
        with self._gate:
            if self._free > 0:
                self._free -= 1
                return None
            place = threading.Lock()
            place.acquire()
            self._line.append(place)
            return place

    def _is_stuck(self, place: threading.Lock) -> bool:
        """Whether nothing moves; if so, whoever stands at ``place`` goes on without waiting."""
        with self._gate:
            if place not in self._line or time.monotonic() - self._moved < self._patience:
                return False
            self._line.remove(place)
            self._free -= 1  # below none: the next one that ends is not given on
            self._moved = time.monotonic()
            return True

    def _give(self) -> None:
        self._thread.mine = False
        with self._gate:
            self._moved = time.monotonic()
            self._free += 1
            if self._line and self._free > 0:
                self._free -= 1
                self._line.popleft().release()


TURNS = Turns()


class Thread(AccountThread):
    """A thread of the interpreter, in its account: it runs when it has a turn."""

    def run(self) -> None:
        """Run, with a turn."""
        with TURNS.taken():
            super().run()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end, without a turn."""
        with TURNS.lent():
            super().join(timeout)


class TimedThread(Thread):
    """A thread whose maker counts its seconds: from its first turn, not while it stands in line."""

    def start(self) -> None:
        """Start it, and wait until it has a turn."""
        self._begun = threading.Event()
        with TURNS.lent():
            super().start()
            self._begun.wait()

    def run(self) -> None:
        """Run, with a turn."""
        with TURNS.taken():
            self._begun.set()
            AccountThread.run(self)


class Event(threading.Event):
    """An event that is waited for without a turn."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; return whether it was, after ``timeout`` seconds."""
        if self.is_set():
            return True
        with TURNS.lent():
            return super().wait(timeout)


class LastingEvent(Event):
    """An event that stays set."""

    def clear(self) -> None:
        """Do nothing."""


_retrying = threading.local()


def sleep(seconds: float) -> None:
    """Sleep, without a turn; before a retry, until the program ends."""
    program = getattr(_retrying, "program", None)
    if program:
        program.program_state_event.wait(seconds)
        return
    with TURNS.lent():
        time.sleep(seconds)


Evaluate = Callable[[Any, Any], None]


def _interruptible(retry: Evaluate) -> Evaluate:
    """Wrap a retrier, which sleeps before the next attempt."""

    @wraps(retry)
    def retry_or_end(self: Any, env: Any) -> None:
        _retrying.program = env
        try:
            retry(self, env)
        finally:
            _retrying.program = None

    return retry_or_end


def _without_a_thread(on_a_thread: Evaluate, evaluate: Evaluate) -> Evaluate:
    """Wrap a program's run: moto runs it on a thread even where there is no time limit."""

    def run(self: Any, env: Any) -> None:
        if self.timeout_seconds:
            on_a_thread(self, env)
        else:
            env.next_state_name = self.start_at.start_at_name
            evaluate(self, env)

    return run
