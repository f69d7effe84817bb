"""Executions: started, stopped and described as on AWS.

MiniStack keeps their records and ``interpreter`` runs them; here is what a caller may ask and
sees. Express executions are here as well: they have an ARN of their own each and may share names.
"""

from __future__ import annotations

import math
import random
import uuid
from typing import Any

from ministack.core.responses import json_response
from ministack.services import stepfunctions

from helpers.localaws import admission, redrive, requests, runs
from helpers.localaws.requests import Answer, Refused, refusing

Record = dict[str, Any]

_describe = stepfunctions._describe_execution
_history = stepfunctions._get_execution_history


# --- starting ----------------------------------------------------------------------------


@refusing
def start(data: Record) -> Answer:
    """StartExecution: the same name with the same input, while it runs, is the same execution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """
    revision, pinned = _checked(data)
    name, given = data.get("name") or str(uuid.uuid4()), data.get("input", "{}")
    if revision["type"] == "EXPRESS":
        record = _express(revision, name, given)
        runs.launch(record)
        return json_response({key: record[key] for key in ("executionArn", "startDate")})
    arn = revision["stateMachineArn"].replace(":stateMachine:", ":execution:") + f":{name}"
    known = stepfunctions._executions.get(arn)
    if known:
        if known["status"] == "RUNNING" and known["input"] == given:
            return json_response({"executionArn": arn, "startDate": known["startDate"]})
        raise Refused("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
    record = runs.add(arn, revision, name, given, **pinned)
    stepfunctions._emit_execution_status_event(record)
    runs.launch(record)
    return json_response({"executionArn": arn, "startDate": record["startDate"]})


@refusing
def start_sync(data: Record) -> Answer:
    """StartSyncExecution: an Express execution, answered when it has ended.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
    """
    revision, _ = _checked(data)
    if revision["type"] != "EXPRESS":
        words = "This operation is not supported by this type of state machine"
        raise Refused("StateMachineTypeNotSupported", words)
    name = data.get("name") or str(uuid.uuid4())
    record = _express(revision, name, data.get("input", "{}"))
    stepfunctions._run_execution(record["executionArn"])
    shown = "executionArn stateMachineArn name startDate stopDate status input inputDetails"
    answer = {key: record[key] for key in shown.split()}
    for key in ("output", "error", "cause"):
        if record.get(key) is not None:
            answer[key] = record[key]
    if "output" in answer:
        answer["outputDetails"] = {"included": True}
    return json_response({**answer, "billingDetails": _billing(record)})


@refusing
def stop(data: Record) -> Answer:
    """StopExecution, of a Standard execution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html
    """
    record = runs.known(data["executionArn"])
    runs.stop(record, data.get("error"), data.get("cause"))
    return json_response({"stopDate": record["stopDate"]})


def _checked(data: Record) -> tuple[Record, dict[str, str]]:
    """Return the machine or version that a start is about, and the ARNs that it names it by.

    Raises Refused.
    """
    arn = requests.arn(data["stateMachineArn"], "stateMachine")
    if "name" in data:
        requests.name(data["name"])
    subject = "Invalid State Machine Execution Input"
    requests.payload(data.get("input", "{}"), "InvalidExecutionInput", subject)
    alias = stepfunctions._state_machine_aliases.get(arn)
    qualified = _version(alias) if alias else arn
    machine = stepfunctions._state_machines.get(qualified)
    version = stepfunctions._state_machine_versions.get(qualified)
    if not (machine or version):
        raise requests.missing("StateMachine", arn)
    if admission.LINE.is_full():
        words = "The maximum number of running executions has been reached"
        raise Refused("ExecutionLimitExceeded", words)
    pinned = {"stateMachineVersionArn": qualified} if version else {}
    return machine or version, {**pinned, "stateMachineAliasArn": arn} if alias else pinned


def _version(alias: Record) -> str:
    """Return one of an alias's versions: chance decides, by their weights.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html
    """
    routes = alias["routingConfiguration"]
    weights = [route["weight"] for route in routes]
    route = random.choices(routes, weights)[0]  # noqa: S311 - no secret
    return route["stateMachineVersionArn"]


def _express(machine: Record, name: str, given: str) -> Record:
    """Record a new Express execution; its ARN ends in an id, since names may repeat."""
    arn = machine["stateMachineArn"].replace(":stateMachine:", ":express:")
    return runs.add(f"{arn}:{name}:{uuid.uuid4()}", machine, name, given)


def _billing(record: Record) -> dict[str, int]:
    """Return what an execution would cost: 100 ms steps, 64 MB of memory.

    https://aws.amazon.com/step-functions/pricing/
    """
    milliseconds = runs.milliseconds(record["stopDate"]) - runs.milliseconds(record["startDate"])
    return {
        "billedDurationInMilliseconds": max(1, math.ceil(milliseconds / 100)) * 100,
        "billedMemoryUsedInMB": 64,
    }


# --- looking -----------------------------------------------------------------------------


@refusing
def describe(data: Record) -> Answer:
    """DescribeExecution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
    """
    record = _visible(data["executionArn"])
    answer = _describe(data)
    shown = {key: value for key, value in requests.body(answer).items() if value is not None}
    if record["status"] != "SUCCEEDED":
        shown = {key: shown[key] for key in shown if key not in ("output", "outputDetails")}
    if data.get("includedData") == "METADATA_ONLY":
        shown = {key: shown[key] for key in shown if not key.startswith(("input", "output"))}
    return json_response({**shown, **runs.qualified(record), **redrive.details(record)})


def _visible(arn: str) -> Record:
    """Return an execution that may be looked at: of the Express ones, only a Map Run's.

    Raises Refused.
    """
    record = stepfunctions._executions.get(requests.arn(arn, "execution", "express"))
    return record if record and "mapRunArn" in record else runs.known(arn)


@refusing
def machine(data: Record) -> Answer:
    """DescribeStateMachineForExecution: what the execution was started with.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineForExecution.html
    """
    record = _visible(data["executionArn"])
    told = {key: record[key] for key in ("stateMachineArn", "definition", "roleArn")}
    if data.get("includedData") == "METADATA_ONLY":
        told.pop("definition")
    return json_response(
        {
            **told,
            "name": runs.machine_name(record),
            "updateDate": record["updateDate"],
            "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
            "tracingConfiguration": {"enabled": False},
            "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
            **{key: record[key] for key in ("mapRunArn", "label") if key in record},
        }
    )


@refusing
def history(data: Record) -> Answer:
    """GetExecutionHistory.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
    """
    requests.arn(data["executionArn"], "execution")
    answer = _history(data)
    if b'"InvalidToken"' in answer[2] and answer[0] == 400:
        raise Refused("InvalidToken", "Invalid Token: 'Invalid token'")
    return answer
