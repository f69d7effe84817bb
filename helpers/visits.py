"""Visits: the states that an execution entered, and the events that belong to each stay.

Most events of a history carry no state's name. A stack of entered states is carried along
`previousEventId`, which holds inside Parallel branches and Map iterations, through retries and
catches.

Source: AWS Step Functions API Reference, HistoryEvent
(https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

__all__ = ["Event", "Items", "StepStatus", "Visit", "Walk", "fields", "resource"]

Event = Mapping[str, Any]


class StepStatus(StrEnum):
    """How a step stands. WAITING: a task token is out and somebody has to return it."""

    RUNNING = "RUNNING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CAUGHT = "CAUGHT"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"

    @property
    def words(self) -> str:
        """How it is read: "timed out"."""
        return self.replace("_", " ").lower()


@dataclass(frozen=True, slots=True)
class Items:
    """Iterations of a Map state; `total` is the length of the array it maps over.

    A distributed Map runs its items as executions of their own (`apart`): of those, a history
    tells the total only.
    """

    total: int
    succeeded: int = 0
    failed: int = 0
    running: int = 0
    apart: bool = False


def fields(event: Event) -> Mapping[str, Any]:
    """The `…EventDetails` of an event as they are, an empty mapping where it has none."""
    for key, value in event.items():
        if key.endswith("EventDetails"):
            return value
    return {}


def resource(arn: str) -> str:
    """A short text for the Resource of a Task, as read in its ARN.

    >>> resource("arn:aws:states:::lambda:invoke.waitForTaskToken")
    'lambda:invoke.waitForTaskToken'
    >>> resource("arn:aws:lambda:eu-west-1:123456789012:function:ask-user")
    'lambda ask-user'
    >>> resource("arn:aws:states:eu-west-1:123456789012:activity:approve")
    'activity approve'
    """
    match = _ARN.fullmatch(arn)
    return " ".join(part for part in match.groups() if part) if match else arn


_FIELD = r"(?:\$\{[^}]*\}|[^:])*"  # of an ARN; a template leaves ${AWS::Region} and the like in it
_ARN = re.compile(
    rf"arn:{_FIELD}:(?:states:{_FIELD}:{_FIELD}:(?:(activity):)?"
    rf"|(lambda):{_FIELD}:{_FIELD}:function:)(.+)",
    re.DOTALL,
)


def _named(found: Mapping[str, Any]) -> str:
    """The resource as one event's details name it, or an empty text."""
    if "resourceType" in found:
        return f"{found['resourceType']}:{found.get('resource', '')}"
    return resource(found["resource"]) if "resource" in found else ""


_FAILURES = ("Failed", "TimedOut")
_CONTAINERS = ("Parallel", "Map", "Iteration", "Execution")


@lru_cache(maxsize=256)
def _kind(event_type: str) -> tuple[str, str]:
    """("Task", "Entered") of "TaskStateEntered", ("Iteration", "Started"), ("", "TaskFailed")."""
    match = re.fullmatch(
        r"(?:(?P<state>[A-Z][a-z]+)State|Map(?P<item>Iteration)|(?P<run>Map)Run"
        r"|(?P<whole>Execution))(?P<phase>[A-Z][A-Za-z]+)",
        event_type,
    )
    if not match:
        return "", event_type
    return match["state"] or match["item"] or match["run"] or match["whole"], match["phase"]


class Visit:
    """One stay in a state. A Map iteration and the execution itself are visits without a row."""

    __slots__ = (
        "after",
        "answered",
        "apart",
        "asked",
        "attempt",
        "closed",
        "counts",
        "culprit",
        "earlier",
        "entered",
        "exited",
        "failure",
        "failures",
        "index",
        "kind",
        "name",
        "open",
        "parent",
        "resource",
        "starts",
        "status",
        "total",
    )

    def __init__(self, name: str, kind: str, parent: Visit | None, entered: Event) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent
        self.entered = entered
        self.after: Visit | None = None  # the state left for this one; None: the first in here
        self.exited: Event | None = None
        self.closed: Event | None = None
        self.status: StepStatus | None = None  # None while it is open
        self.asked: list[Event] = []  # when somebody was asked, and when each wait was over
        self.answered: list[Event] = []
        self.failure: Event | None = None  # the failure that nothing has followed yet
        self.culprit: Visit | None = None  # who failed last in here
        self.earlier = 0  # attempts before it was redriven
        self.failures = 0
        self.starts = 0
        self.resource = ""
        self.open: dict[int, Visit] = {}
        self.index = 0  # of an iteration
        self.attempt = 0  # of an iteration: which start of its Map it belongs to
        self.total = 0
        self.apart = False  # of a Map: its items run as executions of their own
        self.counts: dict[str, int] = {}

    @property
    def waiting(self) -> bool:
        """Whether somebody has its task token and has not returned it."""
        return len(self.asked) > len(self.answered)

    @property
    def shown(self) -> StepStatus:
        """Its status, also while it is open: RUNNING or WAITING."""
        if self.status:
            return self.status
        return StepStatus.WAITING if self.waiting else StepStatus.RUNNING

    @property
    def failed(self) -> StepStatus | None:
        """FAILED or TIMED_OUT when the last thing that happened in it is a failure."""
        if not self.failure:
            return None
        late = self.failure["type"].endswith("TimedOut")
        return StepStatus.TIMED_OUT if late else StepStatus.FAILED

    @property
    def attempts(self) -> int:
        """How often its work was begun, at least once."""
        return max(self.starts, self.failures, 1)

    @property
    def retries(self) -> int:
        """How often a retrier began it again; who redrives an execution is none."""
        return max(self.attempts - self.earlier - 1, 0)

    @property
    def duration(self) -> float | None:
        """In milliseconds; None while open."""
        if not self.closed:
            return None
        passed: datetime = self.closed["timestamp"]
        return round((passed - self.entered["timestamp"]).total_seconds() * 1e3, 3)

    @property
    def error(self) -> str:
        """`Error: cause` of the failure that nothing has followed, or an empty text."""
        if not self.failure or self.status is StepStatus.SUCCEEDED:
            return ""
        found = fields(self.failure)
        return ": ".join(str(found[key]) for key in ("error", "cause") if found.get(key))

    @property
    def items(self) -> Items | None:
        """The iterations of a Map state that has started, None of any other."""
        if self.kind != "Map" or not self.starts:
            return None
        ended = sum(self.counts.get(phase, 0) for phase in ("Succeeded", "Failed", "Aborted"))
        return Items(
            total=self.total,
            succeeded=self.counts.get("Succeeded", 0),
            failed=self.counts.get("Failed", 0),
            running=self.counts.get("Started", 0) - ended,
            apart=self.apart,
        )

    def up(self) -> Iterator[Visit]:
        """Itself and everything around it, from the inside."""
        visit: Visit | None = self
        while visit is not None:
            yield visit
            visit = visit.parent

    def inside(self) -> Iterator[Visit]:
        """Everything open in here, outermost and oldest first."""
        for visit in list(self.open.values()):
            yield visit
            yield from visit.inside()

    def add(self, name: str, kind: str, entered: Event) -> Visit:
        """Open a visit in here."""
        visit = Visit(name, kind, self, entered)
        self.open[id(visit)] = visit
        return visit

    def close(self, event: Event, status: StepStatus) -> None:
        """End it with `event`."""
        self.closed = event
        self.status = status
        self.answer(event)
        if self.parent:
            self.parent.open.pop(id(self), None)

    def reopen(self) -> None:
        """Undo a close that had no exit: what a redrive does to the state that failed."""
        for visit in self.up():
            if visit.status and not visit.exited and visit.parent:
                visit.earlier = visit.attempts
                visit.closed = visit.status = None
                visit.parent.open[id(visit)] = visit

    def fail(self, event: Event) -> None:
        """Note a failure, which a retry or a catch may follow."""
        self.failure = event
        self.failures += 1
        self.answer(event)
        for visit in self.up():
            visit.culprit = self

    def start(self) -> None:
        """Note that its work begins, perhaps again."""
        self.starts += 1
        self.failure = None

    def answer(self, event: Event) -> None:
        """Note what ended its waiting, if it waited."""
        if self.waiting:
            self.answered.append(event)

    def failed_inside(self) -> bool:
        """Whether somebody in here failed and was neither caught nor retried since."""
        culprit = self.culprit
        return bool(culprit and culprit.failure and culprit.status is not StepStatus.CAUGHT)


class Walk:
    """One pass over a history: `visits`, and the visit and the resource of each event given."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.root = Visit("", "Execution", None, {})
        self.visits: list[Visit] = []
        self._ended: Event | None = None
        self._at: dict[int, Visit] = {}  # where the execution stands after each event
        self._left: dict[int, Visit] = {}  # the state that an event left
        self._step: dict[int, Visit | None] = {}
        self._resource: dict[int, str] = {}
        self._orphans: dict[int, int] = {}  # events of no known state, with the one before each
        for event in sorted(events, key=lambda event: event["id"]):
            before = self._at.get(event.get("previousEventId", 0), self.root)
            step, self._at[event["id"]] = self._take(event, before)
            self._step[event["id"]] = step
            self._resource[event["id"]] = self._named_resource(event, step)
        if self._ended:
            self._sweep(self._ended, StepStatus.ABORTED)
        self.steps = [self._step[event["id"]] for event in events]
        self.resources = [self._resource[event["id"]] for event in events]

    def _take(self, event: Event, before: Visit) -> tuple[Visit | None, Visit]:
        """The visit that an event belongs to (None: the execution), and where it leads."""
        kind, phase = _kind(event["type"])
        if kind == "Execution":
            self._execution(event, phase, before)
            return None, before
        if phase == "Entered":
            visit = self._enter(event, kind, before)
            return visit, visit
        if phase == "Exited":
            visit = self._exit(event, kind, before)
            return visit, visit.parent or self.root
        if kind == "Iteration":
            return self._iteration(event, phase, before)
        if not kind:
            return self._work(event, phase, before)
        if phase == "Aborted" and not event["type"].startswith("MapRun"):
            visit = self._aborted(kind, before)
            if visit is None:
                return None, before
            self._close_inside(visit, event, before, StepStatus.ABORTED)
            visit.close(event, visit.failed or StepStatus.ABORTED)
            return visit, visit.parent or self.root
        visit = _nearest(before, kind)
        if visit is None:
            return None, before
        if phase == "Failed":
            # Of containers in one another each fails in turn, and the events point to one failure.
            around = (v for v in before.up() if v.kind == kind and not v.failure)
            visit = next(around, visit)
        self._container(event, phase, visit, before)
        return visit, visit

    def _enter(self, event: Event, kind: str, before: Visit) -> Visit:
        name = fields(event).get("name", "")
        inside = before if before.kind in _CONTAINERS else before.parent or self.root
        visit = inside.add(name, kind, event)
        visit.after = self._left.get(event.get("previousEventId", 0))
        self.visits.append(visit)
        if kind == "Fail":
            # A Fail state is never exited.
            visit.fail(event)
            visit.close(event, StepStatus.FAILED)
        return visit

    def _exit(self, event: Event, kind: str, before: Visit) -> Visit:
        name = fields(event).get("name", "")
        visit = next((v for v in before.up() if v.name == name and v.kind == kind), None)
        if visit is None:
            # Its beginning is not among the events, for they are a part of a history. Then what
            # led here without a name was in it too.
            visit = Visit(name, kind, before, event)
            earlier = event.get("previousEventId", 0)
            while earlier in self._orphans:
                self._step[earlier] = visit
                earlier = self._orphans.pop(earlier)
            return visit
        self._close_inside(visit, event, before, StepStatus.ABORTED)
        visit.exited = event
        visit.close(event, StepStatus.CAUGHT if visit.failure else StepStatus.SUCCEEDED)
        self._left[event["id"]] = visit
        return visit

    def _work(self, event: Event, phase: str, before: Visit) -> tuple[Visit | None, Visit]:
        if before is self.root:
            self._orphans[event["id"]] = event.get("previousEventId", 0)
            return None, before
        visit = before
        found = fields(event)
        if phase == "EvaluationFailed" and found.get("state"):
            visit = next((v for v in before.up() if v.name == found["state"]), before)
        if visit.status and not self._ended:
            visit.reopen()
        if phase.endswith("Scheduled"):
            visit.start()
            visit.resource = _named(found)
        elif phase.endswith(_FAILURES):
            visit.fail(event)
        elif phase == "TaskSubmitted":
            if str(found.get("resource", "")).endswith(".waitForTaskToken"):
                visit.asked.append(event)
        elif phase.endswith("Succeeded"):
            visit.answer(event)
        return visit, visit

    def _container(self, event: Event, phase: str, visit: Visit, before: Visit) -> None:
        """Started, Succeeded, Failed of a Parallel or Map state, and what a MapRun tells."""
        found = fields(event)
        if event["type"].startswith("MapRun"):
            visit.resource, visit.apart = "map run", True
            return
        if phase == "Started":
            if visit.status and not self._ended:
                visit.reopen()
            self._close_inside(visit, event, before, StepStatus.FAILED)
            visit.start()
            visit.total = found.get("length", 0)
            visit.counts = {}
        elif phase == "Failed":
            self._close_inside(visit, event, before, StepStatus.FAILED)
            visit.fail(event)
        elif phase == "Succeeded":
            visit.failure = None

    def _iteration(self, event: Event, phase: str, before: Visit) -> tuple[Visit | None, Visit]:
        found = fields(event)
        mapped = _nearest(before, "Map", found.get("name"))
        if mapped is None:
            return None, before
        mapped.counts[phase] = mapped.counts.get(phase, 0) + 1
        if phase == "Started":
            item = mapped.add(mapped.name, "Iteration", event)
            item.index = found.get("index", 0)
            item.attempt = mapped.starts
            return mapped, item
        item = next((v for v in before.up() if v.kind == "Iteration" and v.parent is mapped), None)
        if item is None or item.index != found.get("index", 0):
            items = (v for v in mapped.open.values() if v.index == found.get("index", 0))
            item = next(items, None)
        if item is not None:
            ending = StepStatus.FAILED if phase == "Failed" else StepStatus.ABORTED
            self._close_inside(item, event, before, ending)
            item.close(event, ending)
        return mapped, mapped

    def _execution(self, event: Event, phase: str, before: Visit) -> None:
        if phase in ("Started", "Redriven"):
            self._ended = None
            return
        self._ended = event
        if before.kind == "Fail":
            before.failure = event  # it names the error and its cause
        if phase == "TimedOut":
            self._sweep(event, StepStatus.TIMED_OUT)
        elif phase == "Aborted":
            self._sweep(event, StepStatus.ABORTED)
        else:
            self._close_inside(self.root, event, before, StepStatus.FAILED)

    def _sweep(self, event: Event, status: StepStatus) -> None:
        for visit in self.visits:
            if not visit.status:
                visit.close(event, status)

    def _close_inside(self, scope: Visit, event: Event, before: Visit, ending: StepStatus) -> None:
        """Close what is still open in `scope` when it ends: the one who failed, and the others."""
        left = list(scope.inside())
        if not left:
            return
        blamed = set(before.up()) if ending is StepStatus.FAILED else set()
        known = scope.failed_inside()
        for visit in left:
            if not visit.failure and visit in blamed and (visit.kind in _CONTAINERS or not known):
                visit.failure = event
            visit.close(event, visit.failed or StepStatus.ABORTED)

    def _aborted(self, kind: str, before: Visit) -> Visit | None:
        if before.kind == kind and not before.status and not before.failure:
            return before
        for scope in before.up():
            candidates = [v for v in scope.inside() if v.kind == kind]
            unfailed = next((v for v in candidates if not v.failure), None)
            if unfailed or candidates:
                return unfailed or candidates[0]
        return _nearest(before, kind)

    def _named_resource(self, event: Event, step: Visit | None) -> str:
        kind, _ = _kind(event["type"])
        if kind == "Map" and event["type"].startswith("MapRun"):
            return "map run"
        if kind:
            return ""
        return _named(fields(event)) or (step.resource if step else "")


def _nearest(visit: Visit, kind: str, name: str | None = None) -> Visit | None:
    return next((v for v in visit.up() if v.kind == kind and name in (None, v.name)), None)
