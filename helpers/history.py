"""The history of an execution: its events, the step each belongs to, and one row per step.

Everything here takes the list of events that boto3 returns and gives plain values or a pandas
table back. Nothing but `events` calls AWS.

Source: AWS Step Functions API Reference, GetExecutionHistory and HistoryEvent
(https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from helpers.errors import WorkbookError
from helpers.table import columns
from helpers.visits import Event, Items, StepStatus, Visit, Walk, fields, resource

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Exposure",
    "Items",
    "Span",
    "Status",
    "StepStatus",
    "View",
    "attribute",
    "details",
    "events",
    "exposure",
    "frame",
    "resource",
    "spans",
    "statuses",
    "steps",
    "transitions",
    "view",
]


@dataclass(frozen=True, slots=True)
class Status:
    """The latest status of a state, the retries of that visit, and how often it was entered."""

    status: StepStatus
    retries: int = 0
    visits: int = 1
    items: Items | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a step's time, in milliseconds since the first event.

    `row` is the step's in `steps`. `what` it did: "work", or wait for a "person" (a task token is
    out) or for the "clock" (a Wait state), or hold "states" (Parallel, Map). `end` is None while
    it lasts.
    """

    row: int
    step: str
    what: Literal["work", "person", "clock", "states"]
    begin: float
    end: float | None


@dataclass(frozen=True)
class Exposure:
    """How long a policy was in force before its quarantine, in seconds."""

    at_least: float
    at_most: float

    def __repr__(self) -> str:
        return f"between {self.at_least:.2f} and {self.at_most:.2f} seconds"


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
    return {key: _parsed(key, value) for key, value in fields(event).items()}


def attribute(events: Sequence[Event]) -> list[str | None]:
    """The state name of each event, in the order of `events`; None for events of the execution.

    Most events carry no name. A stack of entered states is carried along `previousEventId`, which
    holds inside Parallel branches and Map iterations, through retries and catches. The one event
    that points elsewhere is `…StateAborted`: AWS links it to the failure that caused it, so it
    goes to a state of that type which is still open beside that failure.
    """
    return [step.name if step else None for step in Walk(events).steps]


def frame(events: Sequence[Event]) -> pd.DataFrame:
    """One row per event: id, type, step, resource, started, elapsed, previous.

    `started` is the event's time in UTC, `elapsed` the milliseconds since the first event. `step`
    is None for events of the execution; `resource` is a short text such as `lambda:invoke` (see
    `resource`). What else an event says is in `details`, and in the rows of `view`.
    """
    import pandas as pd  # late: who wants no table need not wait for it, nor give it 57 MB

    walk = Walk(events)
    times = [event["timestamp"].timestamp() for event in events]
    first = min(times, default=0.0)
    return pd.DataFrame(
        {
            "id": pd.Series([event["id"] for event in events], dtype="int64"),
            "type": pd.Series([event["type"] for event in events], dtype="str"),
            "step": pd.Series([s.name if s else None for s in walk.steps], dtype="object"),
            "resource": pd.Series(walk.resources, dtype="str"),
            "started": pd.to_datetime([round(t * 1e6) for t in times], unit="us", utc=True),
            "elapsed": pd.Series([round((t - first) * 1e3, 3) for t in times], dtype="float64"),
            "previous": pd.Series([e.get("previousEventId", 0) for e in events], dtype="int64"),
        }
    )


def steps(events: Sequence[Event]) -> pd.DataFrame:
    """One row per entered state, in the order entered.

    Columns: step, type, status (a `StepStatus`), started (UTC), duration (milliseconds, missing
    while it runs), attempts, input and output (parsed), error (`Error: cause`, or empty). A state
    that is entered again, in a loop or in another Map iteration, has another row.
    """
    import pandas as pd  # late, as in `frame`

    visits = Walk(events).visits
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


def spans(events: Sequence[Event]) -> list[Span]:
    """What each step's time went into, step by step in the order entered.

    The spans of a step follow one another without a gap.
    """
    visits = Walk(events).visits
    first = min((event["timestamp"] for event in events), default=None)

    def at(event: Event) -> float:
        return round((event["timestamp"] - first).total_seconds() * 1e3, 3)

    found = []
    for row, visit in enumerate(visits):
        what, begin = _HOLDS.get(visit.kind, "work"), at(visit.entered)
        for asked, answered in zip_longest(visit.asked, visit.answered):
            found.append(Span(row, visit.name, what, begin, at(asked)))
            found.append(
                Span(row, visit.name, "person", at(asked), at(answered) if answered else None)
            )
            begin = at(answered) if answered else None
        if begin is not None:
            end = at(visit.closed) if visit.closed else None
            found.append(Span(row, visit.name, what, begin, end))
    return found


def statuses(events: Sequence[Event]) -> dict[str, Status]:
    """The status of every state that was entered, by name.

    Of a state entered several times in a row the last visit counts. Of one inside a Map, all
    iterations of the latest run count: somebody waited for, then anything running, then the worst.
    """
    by_name: dict[str, list[Visit]] = {}
    for visit in Walk(events).visits:
        by_name.setdefault(visit.name, []).append(visit)
    return {name: _status(visits) for name, visits in by_name.items()}


def transitions(events: Sequence[Event]) -> set[tuple[str | None, str | None, bool]]:
    """The arrows that were taken, each once: (from, to, whether an error was caught).

    `from` is None at the start of the execution, and the name of the Parallel or Map state at the
    start of a branch. `to` is None where a branch or the execution ended.
    """
    taken: set[tuple[str | None, str | None, bool]] = set()
    visits = Walk(events).visits
    followed = {visit.after for visit in visits}
    for visit in visits:
        if visit.after:
            taken.add((visit.after.name, visit.name, visit.after.status is StepStatus.CAUGHT))
        else:
            taken.add(((visit.parent and visit.parent.name) or None, visit.name, False))
        if visit not in followed and (visit.exited or visit.kind == "Fail"):
            taken.add((visit.name, None, visit.status is StepStatus.CAUGHT))
    return taken


def exposure(events: Sequence[Event], quarantine: str = "TempRemove") -> Exposure:
    """How long a policy was dangerous: from the call that made it so until its quarantine.

    The execution's input is the CloudTrail event of that call; its `eventTime` is in whole
    seconds, hence two bounds. It was at least as long as the execution took. `quarantine` is the
    name of the state that ends it. Raises WorkbookError where the history does not tell.
    Source: AWS CloudTrail User Guide, record contents
    (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
    """
    ends = [v for v in Walk(events).visits if v.name == quarantine and v.exited and not v.failure]
    if not ends:
        raise WorkbookError(
            f"This policy was not quarantined: the execution never got past {quarantine}."
        )
    begun, left = min(events, key=lambda event: event["id"]), ends[0].exited["timestamp"]
    try:
        called = datetime.fromisoformat(details(begun)["input"]["detail"]["eventTime"])
        at_most = (left - called).total_seconds()
    except (KeyError, TypeError, ValueError):
        raise WorkbookError(
            "This history does not begin with a CloudTrail event, so it does not tell when the "
            "policy was made."
        ) from None
    took = (left - begun["timestamp"]).total_seconds()
    return Exposure(max(at_most - 1, took), at_most)


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
        right = {place for place, heading in enumerate(_HEADINGS) if heading in _NUMBERS}
        return "\n".join([columns(rows, right), *self._more(self.text_rows)])

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
        shown = self.events[:limit]
        walk, first = Walk(shown), min((event["timestamp"] for event in shown), default=None)
        return [
            (
                str(event["id"]),
                event["type"],
                step.name if step else "",
                used,
                f"{(event['timestamp'] - first).total_seconds() * 1e3:,.0f}",
            )
            for event, step, used in zip(shown, walk.steps, walk.resources, strict=True)
        ]

    def _more(self, limit: int) -> list[str]:
        left = len(self.events) - limit
        return [f"… {left:,} more events: history.frame(events) has them all"] if left > 0 else []


# How one event reads ------------------------------------------------------------------------------

_HOLDS = {"Wait": "clock", "Parallel": "states", "Map": "states"}
_HEADINGS = ("id", "type", "step", "resource", "ms")
_NUMBERS = ("id", "ms")
_WRAP = 60


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


_WORST = (
    StepStatus.WAITING,
    StepStatus.RUNNING,
    StepStatus.FAILED,
    StepStatus.TIMED_OUT,
    StepStatus.ABORTED,
    StepStatus.CAUGHT,
    StepStatus.SUCCEEDED,
)


def _status(visits: Sequence[Visit]) -> Status:
    last = visits[-1]
    top = _top(last)
    # Of each place (an iteration, a branch) the last visit, of places of the latest run only.
    latest = {id(visit.parent): visit for visit in visits if _current(visit) and _top(visit) is top}
    shown = [visit.shown for visit in latest.values()] or [last.shown]
    return Status(
        status=min(shown, key=_WORST.index),
        retries=max((visit.retries for visit in latest.values()), default=last.retries),
        visits=len(visits),
        items=last.items,
    )


def _top(visit: Visit) -> Visit:
    """The outermost state around a visit, or the visit itself."""
    around = [v for v in visit.up() if v.parent and v.kind in ("Map", "Parallel")]
    return around[-1] if around else visit


def _current(visit: Visit) -> bool:
    return all(
        v.attempt == v.parent.starts for v in visit.up() if v.kind == "Iteration" and v.parent
    )
