"""Runs of state machines: what is kept of each execution, and its thread."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import stepfunctions

Record = dict[str, Any]


def add(arn: str, machine: Record, name: str, given: str, **more: Any) -> Record:
    """Record a new execution, in MiniStack's form, and return it.

    ``machine`` is the state machine or one of its versions: what it is now, the execution stays.
    """
    record = {
        "executionArn": arn,
        "stateMachineArn": machine["stateMachineArn"],
        "name": name,
        "type": machine["type"],
        "definition": machine["definition"],
        "roleArn": machine["roleArn"],
        "updateDate": machine.get("_updated", machine["creationDate"]),
        "status": "RUNNING",
        "startDate": now_iso(),
        "stopDate": None,
        "input": given,
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": {"included": True},
        "events": [],
        **more,
    }
    stepfunctions._executions[arn] = record
    return record


def launch(record: Record) -> None:
    """Run an execution on a thread of its own, in this request's account and region."""
    context = contextvars.copy_context()
    arguments = (stepfunctions._run_execution, record["executionArn"])
    threading.Thread(target=context.run, args=arguments, daemon=True).start()


def machine_name(record: Record) -> str:
    """Return the name of an execution's state machine, without a Map Run's label."""
    return record["stateMachineArn"].split(":")[6].partition("/")[0]


def qualified(record: Record) -> dict[str, str]:
    """Return the version and alias that an execution was started with."""
    keys = ("stateMachineVersionArn", "stateMachineAliasArn")
    return {key: record[key] for key in keys if record.get(key)}
