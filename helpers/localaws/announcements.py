"""What EventBridge hears of Standard executions; of Express ones, and a Map Run's, nothing."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import eventbridge

from helpers.localaws import redrive, runs

Record = dict[str, Any]

# A status event leaves out an input or output that is larger when escaped.
# https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
_EVENT_BYTES = 248 * 1024


def announce(record: Record) -> None:
    """Publish "Step Functions Execution Status Change" for a Standard execution.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    if record["type"] == "EXPRESS" or "mapRunArn" in record:
        return
    succeeded = record["status"] == "SUCCEEDED"
    stopped = record["stopDate"] if record["status"] != "RUNNING" else None
    details = redrive.details(record)
    redriven = details.get("redriveDate")
    detail = {
        **{key: record[key] for key in ("executionArn", "stateMachineArn", "name", "status")},
        "startDate": runs.milliseconds(record["startDate"]),
        "stopDate": runs.milliseconds(stopped) if stopped else None,
        **_shown("input", record["input"]),
        **_shown("output", record["output"] if succeeded else None),
        "stateMachineVersionArn": record.get("stateMachineVersionArn"),
        "stateMachineAliasArn": record.get("stateMachineAliasArn"),
        "redriveCount": details["redriveCount"],
        "redriveDate": runs.milliseconds(redriven) if redriven else None,
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
