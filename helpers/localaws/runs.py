"""Runs of state machines: what is kept of each execution, its thread, and its early end."""

from __future__ import annotations

import contextvars
import itertools
import threading
from datetime import datetime
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import stepfunctions
from moto.core.utils import utcnow

from helpers.localaws import admission, requests

Record = dict[str, Any]

_numbers = itertools.count(1)
ENDS = threading.Lock()  # an execution has one end: its own, or StopExecution's


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
        "_at_work": threading.Lock(),
        "_number": next(_numbers),  # in the order of their beginnings
        **more,
    }
    record["events"].append(_started(record))
    stepfunctions._executions[arn] = record
    return record


def _started(record: Record) -> Record:
    """Return the first event: it is there before the execution has a thread."""
    return {
        "id": 1,
        "previousEventId": 0,
        "type": "ExecutionStarted",
        "timestamp": record["startDate"],
        "executionStartedEventDetails": {
            "input": record["input"],
            "inputDetails": {"truncated": False},
            "roleArn": record["roleArn"],
            **qualified(record),
        },
    }


def known(arn: str) -> Record:
    """Return the Standard execution of that ARN. Raises Refused."""
    record = stepfunctions._executions.get(requests.arn(arn, "execution"))
    if record is None:
        raise requests.missing("Execution", arn)
    return record


def launch(record: Record) -> None:
    """Run an execution on a thread of its own, in this request's account and region."""
    context = contextvars.copy_context()
    arguments = (stepfunctions._run_execution, record["executionArn"])
    admission.Thread(target=context.run, args=arguments, daemon=True).start()


def stop(record: Record, error: str | None = None, cause: str | None = None) -> None:
    """End an execution that runs, with ExecutionAborted; what is at work is not listened to."""
    details = {key: text for key, text in (("error", error), ("cause", cause)) if text}
    with ENDS:
        if record["status"] != "RUNNING":
            return
        program = record.pop("_environment", None)
        history = (program and program.event_manager.stop()) or record["events"]
        aborted = {
            "id": len(history) + 1,
            "previousEventId": 0,
            "type": "ExecutionAborted",
            "timestamp": now_iso(),
            "executionAbortedEventDetails": details,
        }
        # At once: who sees that it has ended sees the whole history.
        told = {"events": [*history, aborted], "stopDate": now_iso(), **details}
        record.update(told, status="ABORTED")
    if program:
        program.set_stop(utcnow(), cause, error)
        program.callback_pool_manager.close_all()
    stepfunctions._emit_execution_status_event(record)


def end(record: Record, **told: Any) -> bool:
    """Write the end that a run has come to. Return whether it may: a stopped one has its end."""
    with ENDS:
        if record.pop("_environment", None) is None:
            return False
        record.update(told, stopDate=now_iso())
    stepfunctions._emit_execution_status_event(record)
    return True


def machine_name(record: Record) -> str:
    """Return the name of an execution's state machine, without a Map Run's label."""
    return record["stateMachineArn"].split(":")[6].partition("/")[0]


def qualified(record: Record) -> dict[str, str]:
    """Return the version and alias that an execution was started with."""
    keys = ("stateMachineVersionArn", "stateMachineAliasArn")
    return {key: record[key] for key in keys if record.get(key)}


def milliseconds(moment: str) -> int:
    """Return a moment that a record tells, as EventBridge and the bill do."""
    return int(datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() * 1000)
