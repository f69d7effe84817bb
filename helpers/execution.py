"""An execution as it stood at one moment: its graph, its steps, what it has cost, one step's data.

Sources: GetExecutionHistory and DescribeStateMachineForExecution
(https://docs.aws.amazon.com/step-functions/latest/apireference/Welcome.html); what counts as a
state transition (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-transitions.html);
its price (data/prices.json).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from helpers import cost, graph, history
from helpers.session import Session
from helpers.table import table
from helpers.timeline import duration
from helpers.visits import Event, StepStatus, Walk, fields

HEADINGS = ("Step", "Type", "Status", "Attempts", "Duration")
_MOST_ROWS = 100
_MOST_LINES = 40
_SECOND = timedelta(seconds=1)


def look(session: Session, arn: str, before: Execution | None = None) -> Execution:
    """Return an execution as it stands now.

    ``before`` is an earlier look at the same execution: what cannot have changed is taken from it.
    Raises what boto3 raises, ExecutionDoesNotExist for one.
    """
    states = session.client("stepfunctions")
    # The status first: an execution that ends between the calls has a whole history then.
    described = states.describe_execution(executionArn=arn)
    if before is None:
        machine = states.describe_state_machine_for_execution(executionArn=arn)
    return Execution(
        arn=arn,
        status=described["status"],
        definition=before.definition if before else machine["definition"],
        events=history.events(states, arn),
        started=described["startDate"],
        stopped=described.get("stopDate"),
        seen=datetime.now(UTC),
    )


@dataclass(frozen=True)
class Execution:
    """What was seen of an execution at the moment ``seen``."""

    arn: str
    status: str
    definition: str = field(repr=False)
    events: list[Event] = field(repr=False)
    started: datetime
    stopped: datetime | None
    seen: datetime

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status not in ("RUNNING", "PENDING_REDRIVE")

    @property
    def waiting(self) -> bool:
        """Whether somebody has a task token, and nothing else happens until it comes back."""
        left = [visit for visit in Walk(self.events).visits if not visit.status]
        at_work = {visit.shown for visit in left if visit.kind not in ("Parallel", "Map")}
        return not self.ended and at_work == {StepStatus.WAITING}

    @property
    def elapsed(self) -> float:
        """Milliseconds since it started, or that it took."""
        return ((self.stopped or self.seen) - self.started).total_seconds() * 1e3

    @property
    def transitions(self) -> int:
        """State transitions so far: every state entered, every retry, every redrive.

        Those of a distributed Map's children are in histories of their own, and not in here.
        """
        visits = Walk(self.events).visits
        redrives = sum(event["type"] == "ExecutionRedriven" for event in self.events)
        return sum(visit.attempts for visit in visits) + redrives

    @property
    def visits(self) -> int:
        """How many rows `history.steps` has: how often a state was entered."""
        return len(Walk(self.events).visits)

    @property
    def price(self) -> float:
        """US dollars for the transitions so far, beyond the free ones of a month."""
        return self.transitions * cost.PRICES["stepFunctions"]["standard"]["perTransition"]

    @property
    def summary(self) -> str:
        """One line: status, time, transitions and their price."""
        count = self.transitions
        return (
            f"{self.status} · {duration(self.elapsed)} · {count} state "
            f"transition{'' if count == 1 else 's'}, ${self.price:.6f} in {cost.PRICES['region']}"
        )

    def step(self, row: int) -> Step:
        """Return a step's data; ``row`` is its place in ``history.steps``."""
        return Step(self.events, row)

    def __repr__(self) -> str:
        return f"{self.summary}\n{graph.Graph(self.definition, self.events)!r}"

    def _repr_html_(self) -> str:
        picture = graph.html(self.definition, self.events)
        return f"{self.header()}{picture}{self.steps_table()}"

    def header(self) -> str:
        """The summary as HTML."""
        colour = {"SUCCEEDED": "#2e8540", "RUNNING": "#2f81f7"}.get(self.status, "#d1242f")
        status, rest = self.summary.split(" · ", maxsplit=1)
        return f'<div><b><font color="{colour}">{status}</font></b> · {escape(rest)}</div>'

    def steps_table(self) -> str:
        """A row for each step, as HTML; of very many the last ones."""
        visits = Walk(self.events).visits
        rows = [
            (
                visit.name,
                visit.kind,
                visit.shown.words,
                visit.attempts,
                "…" if visit.duration is None else duration(visit.duration),
            )
            for visit in visits[-_MOST_ROWS:]
        ]
        left = len(visits) - len(rows)
        earlier = f"<p>{left:,} earlier steps: history.steps(events) has them all</p>"
        return (earlier if left else "") + table(HEADINGS, rows)


class Step:
    """One step's data: input, parameters, output, retries, error; for Lambda, its log lines."""

    def __init__(self, events: list[Event], row: int) -> None:
        """Read the step's events. Raises IndexError where there is no such row."""
        walk = Walk(events)
        self.visit = walk.visits[row]
        self.events = [
            event for event, visit in zip(events, walk.steps, strict=True) if visit is self.visit
        ]

    @property
    def facts(self) -> dict[str, Any]:
        """What is to be said of the step, in order; JSON as text, indented."""
        found = {"Status": self.visit.shown.words}
        if self.visit.resource:
            found["Resource"] = self.visit.resource
        found["Input"] = _shown(self.visit.entered, "input")
        scheduled = [event for event in self.events if event["type"].endswith("Scheduled")]
        if scheduled:
            key = "parameters" if "parameters" in fields(scheduled[-1]) else "input"
            found["Parameters"] = _shown(scheduled[-1], key)
        if self.visit.attempts > 1:
            found["Attempts"] = f"{self.visit.attempts}: {'; '.join(self.failures)}"
        if self.visit.exited:
            found["Output"] = _shown(self.visit.exited, "output")
        if self.visit.error:
            found["Error"] = self.visit.error
        return {key: value for key, value in found.items() if value}

    @property
    def failures(self) -> list[str]:
        """The error of each attempt that failed."""
        ends = ("Failed", "TimedOut")
        return [
            str(fields(event).get("error", event["type"]))
            for event in self.events
            if event["type"].endswith(ends)
        ]

    @property
    def function(self) -> str | None:
        """The name of the Lambda function that the step invokes, None where it is no such step."""
        for event in self.events:
            found = history.details(event)
            if event["type"] == "LambdaFunctionScheduled":
                return str(found["resource"]).split(":function:")[1].split(":")[0]
            if event["type"] == "TaskScheduled" and found.get("resourceType") == "lambda":
                name = str(found["parameters"]["FunctionName"])
                return name.split(":function:")[-1].split(":")[0]
        return None

    def log(self, session: Session) -> list[str]:
        """Return the lines that the step's function wrote while it ran, at most the last 40.

        Of two steps that invoke one function at the same time, both see the lines of both: a
        history does not name the invocation. Empty where there are none (yet).
        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
        """
        # Clocks differ, and a log line may carry the moment after the answer.
        return self._lines(session, _SECOND, _SECOND)[-_MOST_LINES:]

    def reports(self, session: Session) -> list[str]:
        """Return the line that Lambda ended each of the step's invocations with, oldest first.

        Of what another execution did at the same time, only the number of attempts keeps it apart.
        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
        """
        lines = self._lines(session, timedelta(0), _SECOND)
        found = [line for line in lines if line.startswith("REPORT ")]
        return found[: self.visit.attempts]

    def _lines(self, session: Session, before: timedelta, after: timedelta) -> list[str]:
        if self.function is None:
            return []
        logs = session.client("logs")
        begin = self.events[0]["timestamp"] - before
        end = self.events[-1]["timestamp"] + after
        try:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{self.function}",
                startTime=int(begin.timestamp() * 1e3),
                endTime=int(end.timestamp() * 1e3),
            )
            return [event["message"].rstrip() for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []  # a function that was never invoked has no log group

    def __repr__(self) -> str:
        return "\n".join([self.visit.name, *(f"{key}: {text}" for key, text in self.facts.items())])

    def html(self, log: list[str] = ()) -> str:
        """The step with its log lines, as HTML with everything escaped."""
        facts = {**self.facts, **({"Log": "\n".join(log)} if log else {})}
        rows = "".join(
            f'<tr><th style="text-align:left;vertical-align:top">{escape(key)}</th>'
            f'<td style="text-align:left"><pre style="white-space:pre-wrap;margin:0">'
            f"{escape(str(text))}</pre></td></tr>"
            for key, text in facts.items()
        )
        return f"<b>{escape(self.visit.name)}</b> ({self.visit.kind})<table>{rows}</table>"

    def _repr_html_(self) -> str:
        return self.html()


def _shown(event: Event, key: str) -> str:
    """A JSON text of an event, indented; as it is where it is none."""
    value = history.details(event).get(key)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
