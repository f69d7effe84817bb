"""The events of an execution: who may still write, what is open, and what a failure aborts.

The sequences are those of histories recorded on AWS; the types and their details are
https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.eval import environment
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import (
    EventHistoryContext,
    EventManager,
)

from helpers.localaws import courses
from helpers.localaws.turns import TURNS

Event = dict[str, Any]

ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}
ABORTABLE = ("Task", "Wait", "Parallel", "Map")  # the others end in the moment they begin

# "Maximum execution history size", for Standard executions
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MOST = 25_000


def install() -> None:
    """Let every execution have such a history."""
    environment.EventManager = History
    close_frame = Environment.close_frame

    def close(self: Environment, frame: Environment) -> None:
        close_frame(self, frame)
        self.event_manager.close(frame)

    # A task that is given up goes on in its thread; its events came after the execution's end.
    Environment.close_frame = close


class HistoryFullError(FailureEventException):
    """There is room for one more event, the execution's end; no Retry or Catch sees this.

    https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
    """

    DETAILS: ClassVar = {
        "error": "States.Runtime",
        "cause": f"The execution reached the maximum number of history events ({MOST}).",
    }

    def __init__(self, context: EventHistoryContext) -> None:
        """Fail whoever wanted to write under ``context``."""
        failure = FailureEvent.__new__(FailureEvent)  # moto's wants a state, which none is here
        failure.state_name = failure.error_name = failure.event_type = None
        failure.source_event_id = context.source_event_id
        failure.event_details = {"executionFailedEventDetails": self.DETAILS}
        super().__init__(failure)

    def get_execution_failed_event_details(self) -> dict[str, str]:
        """Return what ExecutionFailed says: no state is named."""
        return self.DETAILS


class History(EventManager):
    """moto's list of events, which closes: at the end, and for each frame that is given up."""

    limited = False  # to MOST events

    def __init__(self, cloud_watch_logging_session: Any = None) -> None:
        """Start empty and open."""
        super().__init__(cloud_watch_logging_session)
        self._gate = threading.RLock()
        self._closed: set[EventHistoryContext] = set()
        self._ended = self._ending = False
        self._open: dict[int, Event] = {}  # states entered and iterations started, by event id
        self._texts: dict[str, str] = {}

    def add_event(
        self,
        context: EventHistoryContext,
        event_type: str | None,
        event_details: dict[str, Any] | None = None,
        timestamp: Any = None,
        update_source_event_id: bool = True,
    ) -> int:
        """Append an event, if its writer still may; return its id.

        ``event_type`` None is a failure that has no event of its own.
        """
        if event_type and event_type.endswith("StateEntered"):
            TURNS.pass_on()
        with self._gate:
            if not self._takes(context, event_type):
                return context.source_event_id
            known = courses.known(context, event_type)
            if known:
                return known
            courses.join(context, event_type)
            self._leave_room(context, event_type)
            if event_type == "ExecutionTimedOut":  # as AWS writes it; moto does not know
                context.source_event_id = 0
                event_details = {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
            event_id = super().add_event(
                context, event_type, event_details, timestamp, update_source_event_id
            )
            self._ended = event_type in ENDS
            event = self._history_event_list[-1]
            self._share_texts(event)
            self._track(event)
            courses.note(context, event)
            return event_id

    def _share_texts(self, event: Event) -> None:
        """Keep the same text once: what one state returns, the next one is given."""
        for details in event.values():
            if isinstance(details, dict):
                for name, value in details.items():
                    if isinstance(value, str):
                        details[name] = self._texts.setdefault(value, value)

    def _takes(self, context: EventHistoryContext, event_type: str | None) -> bool:
        if event_type is None or self._ended or context in self._closed:
            return False
        return event_type in ENDS or not self._ending

    def _leave_room(self, context: EventHistoryContext, event_type: str) -> None:
        last = len(self._history_event_list)
        if not self.limited or last < MOST - 1:
            return
        if event_type not in ENDS:
            self._ending = True
            raise HistoryFullError(context)
        context.source_event_id = last

    def restore(self, past: list[Event]) -> None:
        """Begin with these events, of an execution that goes on."""
        self._history_event_list.extend(past)
        self._event_id_gen._next_id = len(past) + 1
        for event in past:
            self._track(event)

    def end_is_near(self) -> None:
        """Take nothing more but the execution's end."""
        with self._gate:
            self._ending = True

    def stop(self) -> list[Event]:
        """Take nothing more at all; return what there is."""
        with self._gate:
            self._ended = True
            return list(self._history_event_list)

    def close(self, frame: Environment) -> None:
        """Take nothing more from a frame and the frames in it."""
        with self._gate:
            self._closed.add(frame.event_history_context)
            for inner in list(frame._frames):
                self.close(inner)

    def entered(self, context: EventHistoryContext) -> int:
        """Return the id of the event with which the state that writes now was entered."""
        for event in self._chain(context.source_event_id):
            if event["id"] in self._open and "stateEnteredEventDetails" in event:
                return event["id"]
        return context.source_event_id

    def abort(self, context: EventHistoryContext, root: int) -> None:
        """Abort what is open below the event ``root``, iteration by iteration.

        ``context`` points at the event that made it fail; all of these follow from that one.
        """
        with self._gate:
            for event in sorted(self._open_below(root), key=self._place):
                name, details = self._aborted(event)
                if name:
                    self.add_event(context, name, details, update_source_event_id=False)
                self._open.pop(event["id"], None)

    def _aborted(self, event: Event) -> tuple[str | None, dict[str, Any] | None]:
        if event["type"] == "MapIterationStarted":
            details = event["mapIterationStartedEventDetails"]
            return "MapIterationAborted", {"mapIterationAbortedEventDetails": details}
        kind = event["type"].removesuffix("StateEntered")
        return (f"{kind}StateAborted" if kind in ABORTABLE else None), None

    def _open_below(self, root: int) -> list[Event]:
        return [
            event
            for event in self._open.values()
            if any(cause["id"] == root for cause in self._chain(event["previousEventId"]))
        ]

    def _place(self, event: Event) -> list[int]:
        """Where an event stands: the iterations around it from the outside, then itself."""
        starts = [
            cause["id"]
            for cause in self._chain(event["previousEventId"])
            if cause["type"] == "MapIterationStarted"
        ]
        return [*reversed(starts), event["id"]]

    def _chain(self, event_id: int) -> Iterator[Event]:
        """The event and what it follows from, back to the start."""
        while 0 < event_id <= len(self._history_event_list):
            event = self._history_event_list[event_id - 1]
            yield event
            event_id = event["previousEventId"]

    def _track(self, event: Event) -> None:
        kind = event["type"]
        if kind.endswith("StateEntered") or kind == "MapIterationStarted":
            self._open[event["id"]] = event
        elif kind.endswith("StateExited"):
            self._shut(event, "stateEnteredEventDetails", event["stateExitedEventDetails"])
        elif kind in {"MapIterationSucceeded", "MapIterationFailed"}:
            ended = event[f"mapIteration{kind.removeprefix('MapIteration')}EventDetails"]
            self._shut(event, "mapIterationStartedEventDetails", ended)

    def _shut(self, event: Event, begun: str, ended: dict[str, Any]) -> None:
        """Whatever ``event`` ends is open no more: the nearest of that name and index."""
        for cause in self._chain(event["previousEventId"]):
            began = cause.get(begun)
            if began and all(began.get(key) == ended.get(key) for key in ("name", "index")):
                self._open.pop(cause["id"], None)
                return
