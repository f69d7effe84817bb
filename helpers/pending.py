"""The decisions that wait for a person, kept up to date with few calls.

A history is read once from the moment when its execution asks, however often one looks; that leaves
one ListExecutions a look. On AWS all of an account share the quotas:
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from helpers import history, question
from helpers.question import Question
from helpers.session import Session
from helpers.stack import App

Run = tuple[str, int]  # an execution, and how often it was redriven: that asks anew
UNREADABLE = ("AccessDenied", "AccessDeniedException", "NoSuchEntity")
_LONGEST_GAP = 16  # looks


class Pending:
    """What an app's executions wait for. Not for several threads at once."""

    def __init__(self, session: Session, app: App) -> None:
        """Know nothing yet; `look` calls AWS."""
        self._session, self._app = session, app
        self._questions: dict[Run, Question] = {}
        self._quiet: dict[Run, tuple[int, int]] = {}  # not asking: read at which look, then after
        self._looks = 0
        self.running: set[str] = set()

    def look(self) -> list[Question]:
        """Return the questions that wait now, newest first; ``running`` has the executions.

        Of an execution that goes on after its answer, the question is among them until it ends, or
        until it is `answered`. Raises what boto3 raises.
        """
        runs = self._runs()
        self.running = {execution for execution, _ in runs}
        self._questions = {run: self._questions[run] for run in runs if run in self._questions}
        self._quiet = {run: self._quiet[run] for run in runs if run in self._quiet}
        self._looks += 1
        for run in runs:
            if run not in self._questions and self._is_due(run):
                self._read(run)
        return sorted(self._questions.values(), key=lambda found: found.asked, reverse=True)

    @property
    def expecting(self) -> bool:
        """Whether an execution is on its way: to a question, or to its end."""
        return bool(self._quiet)

    def answered(self, answered: Question) -> None:
        """Drop a question: its execution may ask another one before it ends."""
        for run, found in list(self._questions.items()):
            if found.token == answered.token:
                del self._questions[run]

    def _runs(self) -> list[Run]:
        states = self._session.client("stepfunctions")
        pages = states.get_paginator("list_executions").paginate(
            stateMachineArn=self._app.state_machine,
            statusFilter="RUNNING",
            PaginationConfig={"PageSize": 1000},
        )
        try:
            found = [execution for page in pages for execution in page["executions"]]
        except states.exceptions.StateMachineDoesNotExist:
            return []  # a machine that is not there any more asks nobody
        return [(item["executionArn"], item.get("redriveCount", 0)) for item in found]

    def _is_due(self, run: Run) -> bool:
        return self._quiet.get(run, (0, 1))[0] <= self._looks

    def _read(self, run: Run) -> None:
        events = history.events(self._session.client("stepfunctions"), run[0])
        found = question.read(run[0], events)
        if found is None:
            gap = self._quiet.get(run, (0, 1))[1]
            self._quiet[run] = (self._looks + gap, min(2 * gap, _LONGEST_GAP))
            return
        in_force = self._in_force(question.quarantine(events))
        self._questions[run] = replace(found, in_force=in_force)

    def _in_force(self, quarantine: dict[str, Any]) -> str:
        """Return the document that the quarantine has put in force, "" where it cannot be read."""
        try:
            answer = self._session.client("iam").get_policy_version(
                PolicyArn=quarantine["policyArn"], VersionId=quarantine["inForce"]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in UNREADABLE:
                raise
            return ""
        except KeyError:
            return ""  # a quarantine that names no version
        document = answer["PolicyVersion"]["Document"]
        return document if isinstance(document, str) else json.dumps(document)
