"""Task tokens: who waits for which, and what became of the others."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Literal

from ministack.core.responses import get_account_id, get_region
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    ActivityCallbackEndpoint,
    CallbackEndpoint,
    CallbackPoolManager,
    HeartbeatEndpoint,
)
from moto.stepfunctions.parser.backend.activity import ActivityTask

from helpers.localaws.failures import RuntimeFaultError

Fate = Literal["sent", "closed", "unknown"]

REMEMBERED = 100_000  # closed tokens that are still told apart from invented ones


@dataclass
class Waiting:
    """Who waits for a token: an endpoint, None once it is closed, of one account and region."""

    endpoint: Any
    owner: tuple[str, str]


class TokenRegistry:
    """Every task token that was handed out, and who waits for it.

    A token is good in the account and region of its execution only; elsewhere it is none.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
    """

    def __init__(self) -> None:
        """Start with no token known."""
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, Waiting] = OrderedDict()

    @staticmethod
    def new_token() -> str:
        """Return a token that looks like AWS's: long base64, with ``+``, ``/`` and ``=`` in it."""
        return "AQCEAAAAKgAAAAMAAAAA" + base64.b64encode(secrets.token_bytes(245)).decode()

    def open(self, token: str, endpoint: Any) -> None:
        """Remember that ``endpoint`` waits for ``token``; called in the execution's account."""
        with self._lock:
            self._tokens[token] = Waiting(endpoint, _here())
            while len(self._tokens) > REMEMBERED:
                self._tokens.popitem(last=False)

    def close(self, token: str) -> None:
        """The task is over: answered, timed out or stopped."""
        with self._lock:
            if token in self._tokens:
                self._tokens[token].endpoint = None

    def notify(self, token: str, outcome: Any) -> Fate:
        """Hand ``outcome`` (None: a heartbeat) to the task; say what became of it."""
        with self._lock:
            waiting = self._tokens.get(token)
            if waiting is None or waiting.owner != _here():
                return "unknown"
            endpoint = waiting.endpoint
            if endpoint is None:
                return "closed"
            if outcome is None:
                endpoint.notify_heartbeat()
            else:
                waiting.endpoint = None
                endpoint.notify(outcome)
            return "sent"

    def is_open(self, token: str) -> bool:
        """Whether a task still waits for this token."""
        with self._lock:
            waiting = self._tokens.get(token)
            return waiting is not None and waiting.endpoint is not None

    def begin(self, token: str, worker: str | None) -> None:
        """An activity worker took the task: ActivityStarted."""
        with self._lock:
            waiting = self._tokens.get(token)
            endpoint = waiting and waiting.endpoint
        if endpoint is not None:
            endpoint.notify_activity_task_start(worker)


def _here() -> tuple[str, str]:
    return get_account_id(), get_region()


class ActivityQueue:
    """The tasks of one activity that no worker has taken yet."""

    def __init__(self) -> None:
        """Start empty."""
        self._tasks: deque[Any] = deque()

    def add_task(self, task: Any) -> None:
        """Queue a task; called by the interpreter."""
        self._tasks.append(task)

    async def poll(self, seconds: float) -> Any | None:
        """Return the oldest task, waiting up to ``seconds`` for one."""
        deadline = time.monotonic() + seconds
        while not self._tasks:
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.02)
        return self._tasks.popleft()


class TokenPool(CallbackPoolManager):
    """moto's pool of the callbacks of one execution, which also tells the registry."""

    registry: TokenRegistry
    _closed = False

    def add(self, callback_id: str) -> CallbackEndpoint:
        """Open the token of a task that waits for SendTaskSuccess."""
        return self._opened(super().add(callback_id))

    def add_activity_task(
        self, callback_id: str, activity_arn: str, activity_input: str
    ) -> ActivityCallbackEndpoint:
        """Open the token of an activity's task; raise RuntimeFaultError where there is none."""
        queue = self._activity_store.get(activity_arn)
        if queue is None:
            raise RuntimeFaultError(f"The activity {activity_arn} does not exist.")
        # moto queues the task first: who polls in that moment would find its token closed.
        endpoint = ActivityCallbackEndpoint(callback_id, activity_input)
        self._pool[callback_id] = endpoint
        self._opened(endpoint)
        queue.add_task(ActivityTask(task_token=callback_id, task_input=activity_input))
        return endpoint

    def close_all(self) -> None:
        """Close every token of an execution that ended, and wake its waiting tasks."""
        self._closed = True
        for token, endpoint in list(self._pool.items()):
            self.registry.close(token)
            endpoint.interrupt_all()

    def _opened(self, endpoint: CallbackEndpoint) -> CallbackEndpoint:
        token, interrupt_all = endpoint.callback_id, endpoint.interrupt_all
        set_up = endpoint.setup_heartbeat_endpoint

        def interrupt_and_close() -> None:
            self.registry.close(token)  # moto calls this once the task has its outcome
            interrupt_all()
            if isinstance(endpoint, ActivityCallbackEndpoint):
                endpoint.get_activity_task_start_endpoint().notify(None)

        def set_up_and_look(heartbeat_seconds: int) -> HeartbeatEndpoint:
            heartbeat = set_up(heartbeat_seconds)
            if endpoint.get_outcome() is not None:
                heartbeat.notify()  # the answer was quicker: moto would wait for a heartbeat
            return heartbeat

        endpoint.interrupt_all = interrupt_and_close
        endpoint.setup_heartbeat_endpoint = set_up_and_look
        self.registry.open(token, endpoint)
        if self._closed:  # the execution was stopped in this moment
            endpoint.interrupt_all()
        return endpoint
