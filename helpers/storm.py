"""A storm: many bad policies at once, what became of each, and how long that took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from helpers import incident, stack, waiting
from helpers.errors import WorkbookError
from helpers.session import Session
from helpers.table import table
from helpers.timeline import duration


def names(count: int) -> list[str]:
    """Return so many names for policies."""
    return [f"{incident.STORM}{number:02}" for number in range(1, count + 1)]


def wait(session: Session, storm: Sequence[str]) -> int:
    """Wait until none of these policies has its first version in force; return how many they are.

    Raises WorkbookError with the names that are left.
    """
    left = list(storm)
    for _ in waiting.looks(session, "the policies to be quarantined", incident.DELIVERY):
        left = _in_force(session, left)
        if not left:
            return len(storm)
    raise WorkbookError(
        f"{len(left)} policies are still in force: {', '.join(left[:5])} … Run this cell "
        "again; if they stay, look at their executions."
    )


def _in_force(session: Session, storm: Sequence[str]) -> list[str]:
    first = {
        policy["PolicyName"] for policy in _listed(session) if policy["DefaultVersionId"] == "v1"
    }
    return [name for name in storm if name in first]


def policies(session: Session) -> list[str]:
    """Return the names of the storm's policies that exist in the account."""
    return [policy["PolicyName"] for policy in _listed(session)]


def _listed(session: Session) -> list[dict[str, Any]]:
    pages = session.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    return [
        policy
        for page in pages
        for policy in page["Policies"]
        if policy["PolicyName"].startswith(incident.STORM)
    ]


def executions(session: Session, app: stack.App, storm: Sequence[str]) -> dict[str, str]:
    """Return the execution that waits for an answer about each policy, by the policy's name.

    Raises WorkbookError where one has none.
    """
    found = _about(session, app)
    missing = [name for name in storm if name not in found]
    if missing:
        raise WorkbookError(
            f"No execution is about {', '.join(missing[:5])}. Were they created by the cell above?"
        )
    return {name: found[name] for name in storm}


def _about(session: Session, app: stack.App) -> dict[str, str]:
    """Return the executions that run, by the name of the storm's policy that each is about."""
    states, found = session.client("stepfunctions"), {}
    for arn in stack.running(session, app.state_machine):
        event = json.loads(states.describe_execution(executionArn=arn)["input"])
        name = (event["detail"].get("requestParameters") or {}).get("policyName", "")
        if name.startswith(incident.STORM):
            found[name] = arn
    return found


def clear(session: Session, app: stack.App) -> int:
    """Delete the storm's policies, and stop what waits for an answer about them.

    Returns how many policies there were.
    """
    states = session.client("stepfunctions")
    for execution in _about(session, app).values():
        states.stop_execution(executionArn=execution, cause="The storm is over")
    there = policies(session)
    for name in there:
        incident.clear(session, None, name)
    return len(there)


@dataclass(frozen=True)
class Course:
    """How a storm went: for each step, when each execution had done it, in milliseconds."""

    steps: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, histories: Iterable[Sequence[Mapping[str, Any]]]) -> Course:
        """Read it from the executions' histories; the clock starts with the first execution."""
        histories = list(histories)
        begin = min(events[0]["timestamp"] for events in histories)
        moments = {
            "execution started": [events[0]["timestamp"] for events in histories],
            "policy quarantined": [_left(events, "TempRemove") for events in histories],
            "administrator asked": [_asked(events) for events in histories],
        }
        return cls(
            {
                step: sorted((moment - begin).total_seconds() * 1e3 for moment in found)
                for step, found in moments.items()
            }
        )

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row a step: when the first execution had done it, half of them, and all."""
        return [
            (step, *(duration(at) for at in (found[0], found[len(found) // 2], found[-1])))
            for step, found in self.steps.items()
        ]

    def __repr__(self) -> str:
        head = f"{'':<20}{'the first':>12}{'half':>12}{'all':>12}"
        rows = [
            f"{step:<20}{''.join(f'{text:>12}' for text in times)}" for step, *times in self.rows
        ]
        return "\n".join([head, *rows])

    def _repr_html_(self) -> str:
        head = ("", "the first after", "half of them after", "all after")
        return table(head, self.rows, right=range(1, len(head)))


def _left(events: Sequence[Mapping[str, Any]], state: str) -> datetime:
    return next(
        event["timestamp"]
        for event in events
        if event["type"] == "TaskStateExited" and event["stateExitedEventDetails"]["name"] == state
    )


def _asked(events: Sequence[Mapping[str, Any]]) -> datetime:
    return next(event["timestamp"] for event in events if event["type"] == "TaskSubmitted")
