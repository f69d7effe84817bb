"""Executions: started, described, listed and announced as on AWS.

MiniStack keeps their records and ``interpreter`` runs them; here is what a caller may ask and
sees. Express executions are here as well: they have an ARN of their own each, may share names,
and tell EventBridge nothing.
"""

from __future__ import annotations

import contextvars
import json
import math
import uuid
from datetime import datetime
from typing import Any

from ministack.core.responses import json_response, now_iso
from ministack.services import eventbridge, stepfunctions

from helpers.localaws import admission, redrive, requests
from helpers.localaws.requests import Answer, Refused, refusing

Record = dict[str, Any]

# A status event leaves out an input or output that is larger when escaped.
# https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
_EVENT_BYTES = 248 * 1024

_start = stepfunctions._start_execution
_describe = stepfunctions._describe_execution
_history = stepfunctions._get_execution_history


# --- starting ----------------------------------------------------------------------------


@refusing
def start(data: Record) -> Answer:
    """StartExecution: the same name with the same input, while it runs, is the same execution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """
    asked, machine = _checked(data)
    if machine["type"] == "EXPRESS":
        record = _express(machine, data)
        context = contextvars.copy_context()
        run = admission.Thread(
            target=context.run,
            args=(stepfunctions._run_execution, record["executionArn"]),
            daemon=True,
        )
        run.start()
        return json_response({key: record[key] for key in ("executionArn", "startDate")})
    name = data.get("name") or str(uuid.uuid4())
    arn = machine["stateMachineArn"].replace(":stateMachine:", ":execution:") + f":{name}"
    known = stepfunctions._executions.get(arn)
    if known:
        if known["status"] == "RUNNING" and known["input"] == data.get("input", "{}"):
            return json_response({"executionArn": arn, "startDate": known["startDate"]})
        raise Refused("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
    definition = machine["definition"]
    answer = _start({**data, "name": name})
    record = stepfunctions._executions[arn]
    record["definition"] = definition  # for a redrive, which takes the one it was started with
    record["stateMachineVersionArn"] = stepfunctions._execution_version_arn(asked)
    if asked in stepfunctions._state_machine_aliases:
        record["stateMachineAliasArn"] = asked
    return answer


@refusing
def start_sync(data: Record) -> Answer:
    """StartSyncExecution: an Express execution, answered when it has ended.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
    """
    _, machine = _checked(data)
    if machine["type"] != "EXPRESS":
        words = "This operation is not supported by this type of state machine"
        raise Refused("StateMachineTypeNotSupported", words)
    record = _express(machine, data)
    stepfunctions._run_execution(record["executionArn"])
    shown = "executionArn stateMachineArn name startDate stopDate status input inputDetails"
    answer = {key: record[key] for key in shown.split()}
    for key in ("output", "error", "cause"):
        if record.get(key) is not None:
            answer[key] = record[key]
    if "output" in answer:
        answer["outputDetails"] = {"included": True}
    return json_response({**answer, "billingDetails": _billing(record)})


def _checked(data: Record) -> tuple[str, Record]:
    """Return the ARN that a start names and its machine. Raises Refused."""
    arn = requests.arn(data["stateMachineArn"], "stateMachine")
    if "name" in data:
        requests.name(data["name"])
    subject = "Invalid State Machine Execution Input"
    requests.payload(data.get("input", "{}"), "InvalidExecutionInput", subject)
    machine = stepfunctions._state_machines.get(stepfunctions._resolve_state_machine_arn(arn))
    if machine is None:
        raise Refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    if admission.LINE.is_full():
        words = "The maximum number of running executions has been reached"
        raise Refused("ExecutionLimitExceeded", words)
    return arn, machine


def _express(machine: Record, data: Record) -> Record:
    """Record a new Express execution; its ARN ends in an id, since names may repeat."""
    name = data.get("name") or str(uuid.uuid4())
    arn = machine["stateMachineArn"].replace(":stateMachine:", ":express:")
    record = {
        "executionArn": f"{arn}:{name}:{uuid.uuid4()}",
        "stateMachineArn": machine["stateMachineArn"],
        "name": name,
        "status": "RUNNING",
        "startDate": now_iso(),
        "stopDate": None,
        "input": data.get("input", "{}"),
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": {"included": True},
        "events": [],
        "sync": True,  # MiniStack's word for one that announces nothing
    }
    stepfunctions._executions[record["executionArn"]] = record
    return record


def _billing(record: Record) -> dict[str, int]:
    """Return what an execution would cost: 100 ms steps, 64 MB of memory.

    https://aws.amazon.com/step-functions/pricing/
    """
    milliseconds = _milliseconds(record["stopDate"]) - _milliseconds(record["startDate"])
    return {
        "billedDurationInMilliseconds": max(1, math.ceil(milliseconds / 100)) * 100,
        "billedMemoryUsedInMB": 64,
    }


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() * 1000)


# --- looking -----------------------------------------------------------------------------


@refusing
def describe(data: Record) -> Answer:
    """DescribeExecution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
    """
    arn = requests.arn(data["executionArn"], "execution", "express")
    answer = _describe(data)
    if answer[0] != 200:
        return answer
    record = stepfunctions._executions[arn]
    shown = {key: value for key, value in requests.body(answer).items() if value is not None}
    if record["status"] != "SUCCEEDED":
        shown = {key: shown[key] for key in shown if key not in ("output", "outputDetails")}
    if data.get("includedData") == "METADATA_ONLY":
        shown = {key: shown[key] for key in shown if not key.startswith(("input", "output"))}
    return json_response({**shown, **_qualified(record), **redrive.details(record)})


def _qualified(record: Record) -> dict[str, str]:
    keys = ("stateMachineVersionArn", "stateMachineAliasArn")
    return {key: record[key] for key in keys if record.get(key)}


@refusing
def listed(data: Record) -> Answer:
    """ListExecutions, of a machine, a version, an alias or a Map Run, the latest first.

    "Running executions are sorted by their startDate or redriveDate, and other executions are
    sorted by their stopDate."
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
    """
    kept = _listable(data)
    if "statusFilter" in data:
        kept = [record for record in kept if record["status"] == data["statusFilter"]]
    if "redriveFilter" in data:
        redriven = data["redriveFilter"] == "REDRIVEN"
        kept = [record for record in kept if bool(record.get("redriveCount")) == redriven]

    def place(record: Record) -> list[str]:
        began = record.get("redriveDate") or record["startDate"]
        ended = None if record["status"] == "RUNNING" else record["stopDate"]
        return [ended or began, record["executionArn"]]

    shown, more = requests.page(kept, place, "executions", data, newest_first=True)
    return json_response({"executions": [_item(record) for record in shown], **more})


def _listable(data: Record) -> list[Record]:
    """Return the executions that a request to list them is about. Raises Refused."""
    records = list(stepfunctions._executions.values())
    if ("stateMachineArn" in data) == ("mapRunArn" in data):
        words = "One and only one of stateMachineArn and mapRunArn must be specified"
        raise Refused("ValidationException", words)
    if "mapRunArn" in data:
        run = requests.arn(data["mapRunArn"], "mapRun")
        if run not in stepfunctions._map_runs:
            raise Refused("ResourceNotFound", f"Map Run Does Not Exist: '{run}'")
        return [record for record in records if record.get("mapRunArn") == run]
    if "redriveFilter" in data:
        words = "redriveFilter is not supported with stateMachineArn"
        raise Refused("ValidationException", words)
    arn = requests.arn(data["stateMachineArn"], "stateMachine")
    machine = stepfunctions._state_machines.get(stepfunctions._resolve_state_machine_arn(arn))
    if machine is None:
        raise Refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    if machine["type"] == "EXPRESS":
        words = "This operation is not supported by this type of state machine"
        raise Refused("StateMachineTypeNotSupported", words)
    keys = ("stateMachineArn", "stateMachineVersionArn", "stateMachineAliasArn")
    return [record for record in records if arn in [record.get(key) for key in keys]]


def _item(record: Record) -> Record:
    keys = "executionArn stateMachineArn name status startDate stopDate mapRunArn redriveDate"
    item = {key: record[key] for key in keys.split() if record.get(key)}
    return {**item, **_qualified(record), "redriveCount": record.get("redriveCount", 0)}


@refusing
def history(data: Record) -> Answer:
    """GetExecutionHistory.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
    """
    requests.arn(data["executionArn"], "execution", "express")
    answer = _history(data)
    if b'"InvalidToken"' in answer[2] and answer[0] == 400:
        raise Refused("InvalidToken", "Invalid Token: 'Invalid token'")
    return answer


# --- announcing --------------------------------------------------------------------------


def announce(record: Record) -> None:
    """Publish "Step Functions Execution Status Change" for a Standard execution.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    if record.get("sync"):
        return
    succeeded = record["status"] == "SUCCEEDED"
    stopped = record["stopDate"] if record["status"] != "RUNNING" else None
    details = redrive.details(record)
    redriven = details.get("redriveDate")
    detail = {
        **{key: record[key] for key in ("executionArn", "stateMachineArn", "name", "status")},
        "startDate": _milliseconds(record["startDate"]),
        "stopDate": _milliseconds(stopped) if stopped else None,
        **_shown("input", record["input"]),
        **_shown("output", record["output"] if succeeded else None),
        "stateMachineVersionArn": record.get("stateMachineVersionArn"),
        "stateMachineAliasArn": record.get("stateMachineAliasArn"),
        "redriveCount": details["redriveCount"],
        "redriveDate": _milliseconds(redriven) if redriven else None,
        "redriveStatus": details["redriveStatus"],
        "redriveStatusReason": details.get("redriveStatusReason"),
        "error": record.get("error"),
        "cause": record.get("cause"),
    }
    event = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail),
        "Resources": [record["executionArn"]],
    }
    eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)


def _shown(what: str, text: str | None) -> Record:
    if text is None:
        return {what: None, f"{what}Details": None}
    fits = len(json.dumps(text)) <= _EVENT_BYTES
    return {what: text if fits else None, f"{what}Details": {"included": fits}}
