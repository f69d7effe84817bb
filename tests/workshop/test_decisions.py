"""Executions that wait for a person, as the host's page names them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from helpers.localaws import ServerRecord
from helpers.session import Session
from helpers.workshop import decisions
from tests.localaws.laboratory import furnish

TASK = "arn:aws:states:::"


def test_who_waits_for_a_token_waits_for_a_person_and_who_waits_for_a_job_does_not(
    alone: Session, tmp_path: Path
) -> None:
    lab = furnish(alone)
    asking = {
        "Type": "Task",
        "Resource": f"{TASK}lambda:invoke.waitForTaskToken",
        "Parameters": {
            "FunctionName": "<function>",
            "Payload": {"token.$": "$$.Task.Token"},
        },
        "End": True,
    }
    asked = lab.start({"StartAt": "Ask", "States": {"Ask": asking}}, {}, "asking")
    described = alone.client("stepfunctions").describe_execution(executionArn=asked)
    job = {
        "Type": "Task",
        "Resource": f"{TASK}states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": described["stateMachineArn"], "Name": "its-job"},
        "End": True,
    }
    parent = lab.start({"StartAt": "Job", "States": {"Job": job}}, {}, "parent")
    for execution in (asked, parent):
        lab.history(execution, "TaskSubmitted")
    lab.history(asked.replace(described["name"], "its-job"), "TaskSubmitted")

    record = ServerRecord.read(tmp_path / "state.json")
    assert record is not None
    named = [waiting.execution for waiting in decisions.waiting(record)]
    assert sorted(named) == sorted(["its-job", described["name"]])

    decisions.stop_all(record)
    assert decisions.waiting(record) == []


class Silent:
    """A client that knows an execution and nothing that has happened in it."""

    def get_execution_history(self, **_: object) -> dict[str, list[object]]:
        return {"events": []}


def test_an_execution_whose_history_is_empty_waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execution = {"executionArn": "arn", "name": "new", "startDate": datetime.now(UTC)}
    monkeypatch.setattr(decisions, "_client", lambda _: Silent())
    monkeypatch.setattr(decisions, "_running", lambda _: [execution])
    assert decisions.waiting(ServerRecord(1, 1, "", "1", "us-east-1", "1", "", "")) == []
