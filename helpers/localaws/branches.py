"""Parallel branches and a Map's iterations: one that fails aborts the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from moto.core.utils import utcnow
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (  # noqa: E501
    InlineIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branch_worker import (
    BranchWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branches_decl import (
    BranchesDecl,
    BranchWorkerPool,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from helpers.localaws.failures import named


def install() -> None:
    """Let a failing branch or iteration abort the others, with AWS's events."""
    BranchesDecl._eval_body = run_branches
    InlineIterationComponent._eval_body = _aborting(InlineIterationComponent._eval_body)


class Branches(BranchWorkerPool):
    """The branches of a Parallel, which knows the one that failed first."""

    def __init__(self, workers_num: int) -> None:
        """Wait for so many branches."""
        super().__init__(workers_num)
        self._gate = threading.Lock()
        self._failed: Environment | None = None

    def on_terminated(self, env: Environment) -> None:
        """Called by each branch's thread at its end."""
        with self._gate:
            super().on_terminated(env)
            if self._terminated_with_error is not None and self._failed is None:
                self._failed = env

    def first_failed(self) -> Environment | None:
        """Wait until all have ended or one has failed; return that one."""
        self.wait()
        with self._gate:
            return self._failed


def run_branches(self: BranchesDecl, env: Environment) -> None:
    """Take the place of ``BranchesDecl._eval_body``, which does not abort the other branches."""
    value, started = env.stack.pop(), env.event_history_context.source_event_id
    passage = env.event_history_context.passage
    pool = Branches(workers_num=len(self.programs))
    workers = []
    for number, program in enumerate(self.programs):
        frame = env.open_inner_frame()
        frame.event_history_context.course = passage.part(number) if passage else None
        frame.states.reset(input_value=value)
        workers.append(BranchWorker(branch_worker_comm=pool, program=program, env=frame))
    for worker in workers:
        worker.start()
    failed = pool.first_failed()
    if failed is None:
        env.stack.append([worker.env.states.get_input() for worker in workers])
        for worker in workers:
            env.close_frame(worker.env)
        return
    _abort(env, started, failed.event_history_context.source_event_id)
    details = pool.get_exit_event_details()
    event_details = EventDetails(executionFailedEventDetails=details)
    name = named(details.get("error"))
    raise FailureEventException(FailureEvent(env, name, None, event_details))


def _aborting(eval_body: Callable[[Any, Environment], None]) -> Callable[[Any, Environment], None]:
    """Wrap an inline Map's run: an iteration that fails aborts the others."""

    def run_iterations(self: InlineIterationComponent, env: Environment) -> None:
        started = env.event_history_context.source_event_id
        try:
            eval_body(self, env)
        except FailureEventException as failure:
            _abort(env, started, failure.failure_event.source_event_id)
            raise

    return run_iterations


def _abort(env: Environment, started: int, failed: int) -> None:
    """Stop what runs in ``env``; what follows, follows from the event ``failed``."""
    for frame in list(env._frames):
        frame.set_stop(stop_date=utcnow(), cause=None, error=None)
        env.close_frame(frame)
    env.event_history_context.source_event_id = failed
    env.event_manager.abort(env.event_history_context, started)
