"""Lists of executions: whose, which of them, and in which order."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import json_response
from ministack.services import stepfunctions

from helpers.localaws import map_runs, pages, redrive, requests, runs
from helpers.localaws.requests import Answer, Refused, refusing

Record = dict[str, Any]


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
        # Dates have milliseconds, and several executions begin and end within one.
        return [ended or began, f"{record['_number']:09}"]

    shown, more = pages.page(kept, place, "executions", data, newest_first=True)
    return json_response({"executions": [_item(record) for record in shown], **more})


def _listable(data: Record) -> list[Record]:
    """Return the executions that a request to list them is about. Raises Refused."""
    records = list(stepfunctions._executions.values())
    if ("stateMachineArn" in data) == ("mapRunArn" in data):
        words = "One and only one of stateMachineArn and mapRunArn must be specified"
        raise Refused("ValidationException", words)
    if "mapRunArn" in data:
        run = map_runs.known(data["mapRunArn"])
        return [child for child in run.children if child]
    if "redriveFilter" in data:
        words = "redriveFilter is not supported with stateMachineArn"
        raise Refused("ValidationException", words)
    arn = requests.arn(data["stateMachineArn"], "stateMachine")
    machine = stepfunctions._state_machines.get(stepfunctions._resolve_state_machine_arn(arn))
    if machine is None:
        raise requests.missing("StateMachine", arn)
    if machine["type"] == "EXPRESS":
        words = "This operation is not supported by this type of state machine"
        raise Refused("StateMachineTypeNotSupported", words)
    keys = ("stateMachineArn", "stateMachineVersionArn", "stateMachineAliasArn")
    return [record for record in records if arn in [record.get(key) for key in keys]]


def _item(record: Record) -> Record:
    keys = "executionArn stateMachineArn name status startDate stopDate mapRunArn itemCount"
    item = {key: record[key] for key in keys.split() if record.get(key)}
    again = {key: value for key, value in redrive.details(record).items() if "Status" not in key}
    return {**item, **runs.qualified(record), **again}
