"""Redrives: an execution that failed, timed out or was stopped goes on where it ended.

What was done is kept (see ``courses``): the states that were left, the branches and iterations
that succeeded, the children of a Map Run that did.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import json_response, now_iso
from ministack.services import stepfunctions

from helpers.localaws import runs
from helpers.localaws.events import MOST
from helpers.localaws.requests import Answer, Refused, refusing

Record = dict[str, Any]

# A client token "remains valid for 15 minutes", and the last ten are known.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
_TOKENS = 10


@refusing
def execute(data: Record) -> Answer:
    """RedriveExecution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
    """
    arn = data["executionArn"]
    record = runs.known(arn)
    token, tokens = data.get("clientToken"), record.setdefault("redriveTokens", {})
    if token in tokens:
        return json_response({"redriveDate": tokens[token]})
    reason = obstacle(record) or ("mapRunArn" in record and "its Map Run must be redriven")
    if reason:
        words = f"Execution {arn} invalid for redrive as: {reason}"
        raise Refused("ExecutionNotRedrivable", words)
    prepare(record)
    if token:
        tokens[token] = record["redriveDate"]
        for old in list(tokens)[:-_TOKENS]:
            del tokens[old]
    stepfunctions._emit_execution_status_event(record)
    runs.launch(record)
    return json_response({"redriveDate": record["redriveDate"]})


def prepare(record: Record) -> None:
    """Let an execution be one that goes on, the next time that it is run."""
    if "_course" in record:  # else it was stopped before it began
        record["_course"].rewind(record.get("error"))
    record.update(
        status="RUNNING",
        redriveCount=record.get("redriveCount", 0) + 1,
        redriveDate=now_iso(),
        stopDate=None,
        error=None,
        cause=None,
    )


def details(record: Record) -> Record:
    """Return what DescribeExecution says of an execution's redrives."""
    told: Record = {"redriveCount": record.get("redriveCount", 0)}
    if told["redriveCount"]:
        told["redriveDate"] = record["redriveDate"]
    reason = obstacle(record)
    if reason:
        return {**told, "redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}
    if record["type"] == "EXPRESS":
        return told
    by_map_run = "mapRunArn" in record
    return {**told, "redriveStatus": "REDRIVABLE_BY_MAP_RUN" if by_map_run else "REDRIVABLE"}


def obstacle(record: Record) -> str | None:
    """Return why an execution cannot be redriven, in AWS's words, or None.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
    """
    if record["status"] in ("RUNNING", "SUCCEEDED"):
        return f"Execution is {record['status']} and cannot be redriven"
    if len(record["events"]) >= MOST - 1:
        return "Execution history event limit exceeded"
    return None
