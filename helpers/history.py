"""The history of an execution: its events, the step each belongs to, and one row per step.

Everything here takes the list of events that boto3 returns and gives plain values or a pandas
table back. Nothing but `events` calls AWS.

Source: AWS Step Functions API Reference, GetExecutionHistory and HistoryEvent
(https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from html import escape
from typing import Any

import pandas as pd

__all__ = [
    "Items",
    "Status",
    "StepStatus",
    "View",
    "attribute",
    "details",
    "events",
    "frame",
    "resource",
    "statuses",
    "steps",
    "transitions",
    "view",
]

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


@dataclass(frozen=True, slots=True)
class Items:
    """Iterations of a Map state; `total` is the length of the array it maps over.

    A distributed Map runs its items as executions of their own: of those, a history tells the
    total only.
    """

    total: int
    succeeded: int = 0
    failed: int = 0
    running: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """The latest status of a state, the retries of that visit, and how often it was entered."""

    status: StepStatus
    retries: int = 0
    visits: int = 1
    items: Items | None = None


def events(states: Any, execution_arn: str) -> list[dict[str, Any]]:
    """All events of an execution, oldest first.

    `states` is a boto3 `stepfunctions` client. Raises what boto3 raises, for example
    `ExecutionDoesNotExist`. Source: API Reference, GetExecutionHistory.
    """
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    return [event for page in pages for event in page["events"]]


def details(event: Event) -> dict[str, Any]:
    """The `…EventDetails` of an event, with the JSON texts in it (input, output, …) parsed.

    `cause` is parsed only when it is an object or an array: a Lambda function reports an
    exception that way. An event without details gives an empty dict.
    """
    found = _details(event)
    return {key: _parsed(key, value) for key, value in found.items()} if found else {}


def attribute(events: Sequence[Event]) -> list[str | None]:
    """The state name of each event, in the order of `events`; None for events of the execution.

    Most events carry no name. A stack of entered states is carried along `previousEventId`, which
    holds inside Parallel branches and Map iterations, through retries and catches. The one event
    that points elsewhere is `…StateAborted`: AWS links it to the failure that caused it, so it
    goes to a state of that type which is still open beside that failure.
    """
    return [step.name if step else None for step in _Walk(events).steps]


def frame(events: Sequence[Event]) -> pd.DataFrame:
    """One row per event: id, type, step, resource, elapsed, timestamp, previous.

    `elapsed` is in milliseconds since the first event, `timestamp` in UTC. `step` is None for
    events of the execution; `resource` is a short text such as `lambda:invoke` (see `resource`).
    """
    walk = _Walk(events)
    times = [event["timestamp"].timestamp() for event in events]
    first = min(times, default=0.0)
    return pd.DataFrame(
        {
            "id": pd.Series([event["id"] for event in events], dtype="int64"),
            "type": pd.Series([event["type"] for event in events], dtype="str"),
            "step": pd.Series([s.name if s else None for s in walk.steps], dtype="object"),
            "resource": pd.Series(walk.resources, dtype="str"),
            "elapsed": pd.Series([round((t - first) * 1e3, 3) for t in times], dtype="float64"),
            "timestamp": pd.to_datetime([round(t * 1e6) for t in times], unit="us", utc=True),
            "previous": pd.Series([e.get("previousEventId", 0) for e in events], dtype="int64"),
        }
    )


def steps(events: Sequence[Event]) -> pd.DataFrame:
    """One row per entered state, in the order entered.

    Columns: step, type, status (a `StepStatus`), started (UTC), duration (milliseconds, missing
    while it runs), attempts, input and output (parsed), error (`Error: cause`, or empty). A state
    that is entered again, in a loop or in another Map iteration, has another row.
    """
    visits = _Walk(events).visits
    return pd.DataFrame(
        {
            "step": pd.Series([visit.name for visit in visits], dtype="str"),
            "type": pd.Series([visit.kind for visit in visits], dtype="str"),
            "status": pd.Series([visit.shown.value for visit in visits], dtype="str"),
            "started": pd.to_datetime(
                [round(visit.entered["timestamp"].timestamp() * 1e6) for visit in visits],
                unit="us",
                utc=True,
            ),
            "duration": pd.Series([visit.duration for visit in visits], dtype="float64"),
            "attempts": pd.Series([visit.attempts for visit in visits], dtype="int64"),
            "input": pd.Series(
                [details(visit.entered).get("input") for visit in visits], dtype="object"
            ),
            "output": pd.Series(
                [details(visit.exited).get("output") if visit.exited else None for visit in visits],
                dtype="object",
            ),
            "error": pd.Series([visit.error for visit in visits], dtype="str"),
        }
    )


def statuses(events: Sequence[Event]) -> dict[str, Status]:
    """The status of every state that was entered, by name.

    Of a state entered several times in a row the last visit counts. Of one inside a Map, all
    iterations of the latest run count: somebody waited for, then anything running, then the worst.
    """
    by_name: dict[str, list[_Visit]] = {}
    for visit in _Walk(events).visits:
        by_name.setdefault(visit.name, []).append(visit)
    return {name: _status(visits) for name, visits in by_name.items()}


def transitions(events: Sequence[Event]) -> set[tuple[str | None, str | None, bool]]:
    """The arrows that were taken, each once: (from, to, whether an error was caught).

    `from` is None at the start of the execution, and the name of the Parallel or Map state at the
    start of a branch. `to` is None where a branch or the execution ended.
    """
    taken: set[tuple[str | None, str | None, bool]] = set()
    visits = _Walk(events).visits
    followed = {visit.after for visit in visits}
    for visit in visits:
        if visit.after:
            taken.add((visit.after.name, visit.name, visit.after.status is StepStatus.CAUGHT))
        else:
            taken.add(((visit.parent and visit.parent.name) or None, visit.name, False))
        if visit not in followed and (visit.exited or visit.kind == "Fail"):
            taken.add((visit.name, None, visit.status is StepStatus.CAUGHT))
    return taken


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


def view(events: Sequence[Event]) -> View:
    """The history for a person: a table in a notebook, plain text elsewhere."""
    return View(events)


class View:
    """A history that displays itself. Long ones show their first rows and say so."""

    text_rows = 60
    html_rows = 500

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = sorted(events, key=lambda event: event["id"])

    def __repr__(self) -> str:
        rows = [_HEADINGS, *self._rows(self.text_rows)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        lines = [
            "  ".join(
                cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
                for cell, width, heading in zip(row, widths, _HEADINGS, strict=True)
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *self._more(self.text_rows)])

    def _repr_html_(self) -> str:
        rows = self._rows(self.html_rows)
        head = "".join(_cell("th", escape(heading), heading) for heading in (*_HEADINGS, "details"))
        body = "".join(
            "<tr>"
            + "".join(
                _cell("td", escape(cell), heading)
                for cell, heading in zip(row, _HEADINGS, strict=True)
            )
            + _cell("td", _details_html(event), "details")
            + "</tr>\n"
            for row, event in zip(rows, self.events, strict=False)
        )
        more = "".join(f"<p>{escape(line)}</p>" for line in self._more(self.html_rows))
        return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>{more}"

    def _rows(self, limit: int) -> list[tuple[str, ...]]:
        # The first `limit` events need no later ones to be attributed.
        table = frame(self.events[:limit])
        return [
            (str(row.id), row.type, row.step or "", row.resource, f"{row.elapsed:,.0f}")
            for row in table.itertuples(index=False)
        ]

    def _more(self, limit: int) -> list[str]:
        left = len(self.events) - limit
        return [f"… {left:,} more events: history.frame(events) has them all"] if left > 0 else []


# How one event reads ------------------------------------------------------------------------------

_FIELD = r"(?:\$\{[^}]*\}|[^:])*"  # of an ARN; a template leaves ${AWS::Region} and the like in it
_ARN = re.compile(
    rf"arn:{_FIELD}:(?:states:{_FIELD}:{_FIELD}:(?:(activity):)?"
    rf"|(lambda):{_FIELD}:{_FIELD}:function:)(.+)",
    re.DOTALL,
)
_HEADINGS = ("id", "type", "step", "resource", "ms")
_NUMBERS = ("id", "ms")
_WRAP = 60


def _details(event: Event) -> Mapping[str, Any] | None:
    for key, value in event.items():
        if key.endswith("EventDetails"):
            return value
    return None


def _parsed(key: str, value: Any) -> Any:
    if key == "assignedVariables" and isinstance(value, Mapping):
        return {name: _parsed("output", text) for name, text in value.items()}
    if not isinstance(value, str) or key not in ("input", "output", "parameters", "cause"):
        return value
    if key == "cause" and not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _resource(found: Mapping[str, Any]) -> str:
    """The resource as one event's details name it, or an empty text."""
    if "resourceType" in found:
        return f"{found['resourceType']}:{found.get('resource', '')}"
    return resource(found["resource"]) if "resource" in found else ""


def _cell(tag: str, html: str, heading: str) -> str:
    side = "right" if heading in _NUMBERS else "left"
    # JupyterLab's own style beats the attributes, GitHub drops the style: so both.
    style = f"text-align:{side};vertical-align:top"
    return f'<{tag} align="{side}" valign="top" style="{style}">{html}</{tag}>'


def _details_html(event: Event) -> str:
    shown = {
        key: value
        for key, value in details(event).items()
        if not key.endswith("Details") and key != "name"  # the step's column has the name
    }
    if not shown:
        return ""
    text = json.dumps(shown, indent=2, ensure_ascii=False, default=str)
    # No <pre>: its lines would not wrap, and a task token is one line of many hundred characters.
    lines = [
        "&nbsp;" * (len(line) - len(line.lstrip())) + _breakable(line.lstrip())
        for line in text.splitlines()
    ]
    summary = escape(", ".join(shown))
    return f"<details><summary>{summary}</summary><code>{'<br>'.join(lines)}</code></details>"


def _breakable(line: str) -> str:
    return "<wbr>".join(escape(line[i : i + _WRAP]) for i in range(0, len(line), _WRAP))


# Who each event belongs to ------------------------------------------------------------------------

_FAILURES = ("Failed", "TimedOut")
_CONTAINERS = ("Parallel", "Map", "Iteration", "Execution")
_WORST = (
    StepStatus.WAITING,
    StepStatus.RUNNING,
    StepStatus.FAILED,
    StepStatus.TIMED_OUT,
    StepStatus.ABORTED,
    StepStatus.CAUGHT,
    StepStatus.SUCCEEDED,
)


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


class _Visit:
    """One stay in a state. A Map iteration and the execution itself are visits without a row."""

    __slots__ = (
        "after",
        "attempt",
        "closed",
        "counts",
        "culprit",
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
        "waiting",
    )

    def __init__(self, name: str, kind: str, parent: _Visit | None, entered: Event) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent
        self.entered = entered
        self.after: _Visit | None = None  # the state left for this one; None: the first in here
        self.exited: Event | None = None
        self.closed: Event | None = None
        self.status: StepStatus | None = None  # None while it is open
        self.waiting = False
        self.failure: Event | None = None  # the failure that nothing has followed yet
        self.culprit: _Visit | None = None  # who failed last in here
        self.failures = 0
        self.starts = 0
        self.resource = ""
        self.open: dict[int, _Visit] = {}
        self.index = 0  # of an iteration
        self.attempt = 0  # of an iteration: which start of its Map it belongs to
        self.total = 0
        self.counts: dict[str, int] = {}

    @property
    def shown(self) -> StepStatus:
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
        return max(self.starts, self.failures, 1)

    @property
    def duration(self) -> float | None:
        """In milliseconds; None while open."""
        if not self.closed:
            return None
        passed: datetime = self.closed["timestamp"]
        return round((passed - self.entered["timestamp"]).total_seconds() * 1e3, 3)

    @property
    def error(self) -> str:
        if not self.failure or self.status is StepStatus.SUCCEEDED:
            return ""
        found = _details(self.failure) or {}
        return ": ".join(str(found[key]) for key in ("error", "cause") if found.get(key))

    @property
    def items(self) -> Items | None:
        if self.kind != "Map" or not self.starts:
            return None
        ended = sum(self.counts.get(phase, 0) for phase in ("Succeeded", "Failed", "Aborted"))
        return Items(
            total=self.total,
            succeeded=self.counts.get("Succeeded", 0),
            failed=self.counts.get("Failed", 0),
            running=self.counts.get("Started", 0) - ended,
        )

    def up(self) -> Iterator[_Visit]:
        visit: _Visit | None = self
        while visit is not None:
            yield visit
            visit = visit.parent

    def inside(self) -> Iterator[_Visit]:
        """Everything open in here, outermost and oldest first."""
        for visit in list(self.open.values()):
            yield visit
            yield from visit.inside()

    def add(self, name: str, kind: str, entered: Event) -> _Visit:
        visit = _Visit(name, kind, self, entered)
        self.open[id(visit)] = visit
        return visit

    def close(self, event: Event, status: StepStatus) -> None:
        self.closed = event
        self.status = status
        self.waiting = False
        if self.parent:
            self.parent.open.pop(id(self), None)

    def reopen(self) -> None:
        """Undo a close that had no exit: what a redrive does to the state that failed."""
        for visit in self.up():
            if visit.status and not visit.exited and visit.parent:
                visit.closed = visit.status = None
                visit.parent.open[id(visit)] = visit

    def fail(self, event: Event) -> None:
        self.failure = event
        self.failures += 1
        self.waiting = False
        for visit in self.up():
            visit.culprit = self

    def start(self) -> None:
        self.starts += 1
        self.failure = None
        self.waiting = False

    def failed_inside(self) -> bool:
        """Whether somebody in here failed and was neither caught nor retried since."""
        culprit = self.culprit
        return bool(culprit and culprit.failure and culprit.status is not StepStatus.CAUGHT)


class _Walk:
    """One pass over a history: `visits`, and the visit and the resource of each event given."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.root = _Visit("", "Execution", None, {})
        self.visits: list[_Visit] = []
        self._ended: Event | None = None
        self._at: dict[int, _Visit] = {}  # where the execution stands after each event
        self._left: dict[int, _Visit] = {}  # the state that an event left
        self._step: dict[int, _Visit | None] = {}
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

    def _take(self, event: Event, before: _Visit) -> tuple[_Visit | None, _Visit]:
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
        self._container(event, phase, visit, before)
        return visit, visit

    def _enter(self, event: Event, kind: str, before: _Visit) -> _Visit:
        name = (_details(event) or {}).get("name", "")
        inside = before if before.kind in _CONTAINERS else before.parent or self.root
        visit = inside.add(name, kind, event)
        visit.after = self._left.get(event.get("previousEventId", 0))
        self.visits.append(visit)
        if kind == "Fail":
            # A Fail state is never exited.
            visit.fail(event)
            visit.close(event, StepStatus.FAILED)
        return visit

    def _exit(self, event: Event, kind: str, before: _Visit) -> _Visit:
        name = (_details(event) or {}).get("name", "")
        visit = next((v for v in before.up() if v.name == name and v.kind == kind), None)
        if visit is None:
            # Its beginning is not among the events, for they are a part of a history. Then what
            # led here without a name was in it too.
            visit = _Visit(name, kind, before, event)
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

    def _work(self, event: Event, phase: str, before: _Visit) -> tuple[_Visit | None, _Visit]:
        if before is self.root:
            self._orphans[event["id"]] = event.get("previousEventId", 0)
            return None, before
        visit = before
        found = _details(event) or {}
        if phase == "EvaluationFailed" and found.get("state"):
            visit = next((v for v in before.up() if v.name == found["state"]), before)
        if visit.status and not self._ended:
            visit.reopen()
        if phase.endswith("Scheduled"):
            visit.start()
            visit.resource = _resource(found)
        elif phase.endswith(_FAILURES):
            visit.fail(event)
        elif phase == "TaskSubmitted":
            visit.waiting = str(found.get("resource", "")).endswith(".waitForTaskToken")
        elif phase.endswith("Succeeded"):
            visit.waiting = False
        return visit, visit

    def _container(self, event: Event, phase: str, visit: _Visit, before: _Visit) -> None:
        """Started, Succeeded, Failed of a Parallel or Map state, and what a MapRun tells."""
        found = _details(event) or {}
        if event["type"].startswith("MapRun"):
            visit.resource = "map run"
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

    def _iteration(self, event: Event, phase: str, before: _Visit) -> tuple[_Visit | None, _Visit]:
        found = _details(event) or {}
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

    def _execution(self, event: Event, phase: str, before: _Visit) -> None:
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

    def _close_inside(
        self, scope: _Visit, event: Event, before: _Visit, ending: StepStatus
    ) -> None:
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

    def _aborted(self, kind: str, before: _Visit) -> _Visit | None:
        if before.kind == kind and not before.status and not before.failure:
            return before
        for scope in before.up():
            candidates = [v for v in scope.inside() if v.kind == kind]
            unfailed = next((v for v in candidates if not v.failure), None)
            if unfailed or candidates:
                return unfailed or candidates[0]
        return _nearest(before, kind)

    def _named_resource(self, event: Event, step: _Visit | None) -> str:
        kind, _ = _kind(event["type"])
        if kind == "Map" and event["type"].startswith("MapRun"):
            return "map run"
        if kind:
            return ""
        return _resource(_details(event) or {}) or (step.resource if step else "")


def _nearest(visit: _Visit, kind: str, name: str | None = None) -> _Visit | None:
    return next((v for v in visit.up() if v.kind == kind and name in (None, v.name)), None)


def _status(visits: Sequence[_Visit]) -> Status:
    last = visits[-1]
    top = _top(last)
    # Of each place (an iteration, a branch) the last visit, of places of the latest run only.
    latest = {id(visit.parent): visit for visit in visits if _current(visit) and _top(visit) is top}
    shown = [visit.shown for visit in latest.values()] or [last.shown]
    return Status(
        status=min(shown, key=_WORST.index),
        retries=max((visit.attempts for visit in latest.values()), default=last.attempts) - 1,
        visits=len(visits),
        items=last.items,
    )


def _top(visit: _Visit) -> _Visit:
    """The outermost state around a visit, or the visit itself."""
    around = [v for v in visit.up() if v.parent and v.kind in ("Map", "Parallel")]
    return around[-1] if around else visit


def _current(visit: _Visit) -> bool:
    return all(
        v.attempt == v.parent.starts for v in visit.up() if v.kind == "Iteration" and v.parent
    )
