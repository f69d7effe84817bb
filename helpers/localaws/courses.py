"""How far an execution has come: what a redrive need not do again.

A course is the way of a machine, a branch or an iteration from state to state. It is noted while
the execution runs. A redriven execution goes the same way again: the states that were left it
passes by, with the output and variables of then; the one that was not is entered without a
second event. Histories of redrives recorded on AWS are in
https://github.com/radkawar/stackd testdata/aws/stepfunctions/redrive_execution.json
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iteration_worker import (  # noqa: E501
    IterationWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import Job
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded

Event = dict[str, Any]

TOO_BIG = "States.DataLimitExceeded"


@dataclass
class Passage:
    """One visit of a state."""

    entered: Event
    exited: Event | None = None
    onward: str | None = None
    ended: bool = False  # the machine, branch or iteration with it
    started: Event | None = None  # the last attempt of a Parallel or Map
    parts: dict[int, Course] = field(default_factory=dict)  # its branches or iterations
    map_run: str | None = None  # of a Distributed Map, its ARN
    redriven: Event | None = None  # MapRunRedriven

    def begin(self, started: Event) -> None:
        """Note an attempt of a Parallel or Map: nothing of it is done yet."""
        self.started, self.parts, self.map_run, self.redriven = started, {}, None, None

    def part(self, number: int) -> Course:
        """Return the course of a branch or iteration."""
        return self.parts.setdefault(number, Course())

    def leave(self, exited: Event) -> None:
        """Note the end of the visit; what was within it is of no use any more."""
        self.exited, self.parts = exited, {}

    def rewind(self, error: str | None) -> None:
        """Prepare for a redrive: what had all its parts done but was too big is done anew.

        https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
        """
        if error == TOO_BIG and all(part.finished for part in self.parts.values()):
            self.started, self.parts, self.map_run = None, {}, None
        for part in self.parts.values():
            part.rewind(error)


@dataclass
class Course:
    """The states that a machine, a branch or an iteration has visited."""

    passages: list[Passage] = field(default_factory=list)
    given: str | None = None  # an execution's input as it was sent
    begun: Event | None = None  # MapIterationStarted
    done: Event | None = None  # MapIterationSucceeded
    origin: int = 0  # the event that it begins from
    _again: int | None = None  # which passage comes next when it is gone again

    @property
    def finished(self) -> bool:
        """Whether it has come to its end."""
        return bool(self.passages) and self.passages[-1].ended

    def rewind(self, error: str | None) -> None:
        """Go the same way again, from the beginning."""
        self._again = 0
        for passage in self.passages:
            passage.rewind(error)

    def next(self, at: int) -> Passage | None:
        """Return the passage of the last time, as long as there is one; ``at`` is an event's id."""
        if self._again == 0:
            self.origin = at
        if self._again is None or self._again == len(self.passages):
            self._again = None
            return None
        self._again += 1
        return self.passages[self._again - 1]


def install() -> None:
    """Let moto's executions note their courses, and go them again."""
    EventHistoryContext.course = None
    EventHistoryContext.passage = None
    EventHistoryContext.known = ()
    inner = Environment.as_inner_frame_of.__func__
    Environment.as_inner_frame_of = classmethod(_inheriting(inner))
    CommonStateField._eval_body = _visit(CommonStateField._eval_body)
    IterationWorker._eval_job = _iterate(IterationWorker._eval_job)


def _inheriting(as_inner_frame_of: Callable[..., Environment]) -> Callable[..., Environment]:
    """Wrap the making of a frame: it works within the state that its maker is in."""

    def made(cls: Any, env: Environment, *rest: Any, **named: Any) -> Environment:
        frame = as_inner_frame_of(cls, env, *rest, **named)
        frame.event_history_context.passage = env.event_history_context.passage
        frame.event_history_context.known = env.event_history_context.known
        return frame

    return made


# --- noting ------------------------------------------------------------------------------


def note(context: EventHistoryContext, event: Event) -> None:
    """Note what an event says of the course that its writer is on."""
    kind = event["type"]
    if kind == "MapIterationStarted":
        context.course = context.passage.part(event["mapIterationStartedEventDetails"]["index"])
        context.course.begun = event
    elif kind in ("ParallelStateStarted", "MapStateStarted"):
        if context.passage:
            context.passage.begin(event)
    elif kind == "MapRunRedriven":
        context.passage.redriven = event
    elif context.course is None:
        return  # a state alone, or what has no states
    elif kind.endswith("StateEntered"):
        context.passage = Passage(event)
        context.course.passages.append(context.passage)
    elif kind.endswith("StateExited"):
        context.passage.leave(event)
    elif kind == "MapIterationSucceeded":
        context.course.done = event


def known(context: EventHistoryContext, kind: str | None) -> int | None:
    """Return the id of the event of this kind that is in the history already, or None.

    What follows, follows from that one; but a Fail state's end from ExecutionRedriven.
    """
    if not context.known or context.known[0]["type"] != kind:
        return None
    event = context.known.pop(0)
    _follow(context, context.course.origin if kind == "FailStateEntered" else event["id"])
    return event["id"]


def join(context: EventHistoryContext, kind: str) -> None:
    """Let the end of a redriven Map Run follow from MapRunRedriven, as AWS was seen to do."""
    if kind == "MapStateExited" and context.passage and context.passage.redriven:
        context.source_event_id = context.passage.redriven["id"]


# --- going again -------------------------------------------------------------------------


def _visit(eval_body: Callable[[Any, Environment], None]) -> Callable[[Any, Environment], None]:
    """Wrap the evaluation of a state: one that was left is passed by, an open one goes on."""

    def visit(self: CommonStateField, env: Environment) -> None:
        context = env.event_history_context
        at = context.source_event_id
        passage = context.course.next(at) if context.course else None
        if passage is None:
            eval_body(self, env)
        elif passage.exited:
            _pass_by(self, env, passage)
            return
        else:
            context.passage = passage
            context.known = [event for event in (passage.entered, passage.started) if event]
            eval_body(self, env)
        if context.course:
            context.passage.onward = env.next_state_name
            context.passage.ended = isinstance(env.program_state(), ProgramEnded)

    return visit


def _pass_by(state: CommonStateField, env: Environment, passage: Passage) -> None:
    details = passage.exited["stateExitedEventDetails"]
    env.states.reset(json.loads(details["output"]))
    for name, text in details.get("assignedVariables", {}).items():
        env.variable_store.set(name, json.loads(text))
    env.variable_store.reset_tracing()
    if passage.ended:
        env.set_ended()
    elif passage.onward:
        env.next_state_name = passage.onward
    else:
        state._set_next(env)  # it was stopped in this moment
    _follow(env.event_history_context, passage.exited["id"])


def _follow(context: EventHistoryContext, event_id: int) -> None:
    context.source_event_id = context.last_published_event_id = event_id


def _iterate(eval_job: Callable[..., None]) -> Callable[..., None]:
    """Wrap an iteration: one that has succeeded is not repeated."""

    def iterate(self: IterationWorker, env: Environment, job: Job) -> None:
        context = env.event_history_context
        course = context.passage.parts.get(job.job_index) if context.passage else None
        if course and course.done:
            left = course.passages[-1].exited
            job.job_output = json.loads(left["stateExitedEventDetails"]["output"])
            context.source_event_id, context.last_published_event_id = left["id"], course.done["id"]
            return
        if course:
            context.course, context.known = course, [course.begun]
        eval_job(self, env, job)

    return iterate
