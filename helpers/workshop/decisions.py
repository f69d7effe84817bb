"""Executions that wait for a person, in each learner's account, as its root sees them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from helpers.localaws import ServerRecord

MOST = 20  # of one account, the newest: nobody could read more


@dataclass(frozen=True)
class Waiting:
    """An execution that has handed out a task token, and since when."""

    execution: str
    since: datetime


def waiting(record: ServerRecord) -> list[Waiting]:
    """Return what waits in the account of a record, newest first. Raises what boto3 raises.

    An execution waits when the last thing that happened in it is a TaskSubmitted that handed out
    a token; one of ``.sync`` waits for a job, and for nobody.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
    """
    states = _client(record)
    found = []
    running = sorted(_running(states), key=lambda execution: execution["startDate"], reverse=True)
    for execution in running[:MOST]:
        arn = execution["executionArn"]
        history = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)
        for newest in history["events"]:  # none of one in whose history nothing is written yet
            submitted = newest.get("taskSubmittedEventDetails", {})
            if submitted.get("resource", "").endswith(".waitForTaskToken"):
                found.append(Waiting(execution["name"], newest["timestamp"]))
    return sorted(found, key=lambda waiting: waiting.since, reverse=True)


def stop_all(record: ServerRecord) -> None:
    """End every execution of an account: nobody is there any more who could decide."""
    states = _client(record)
    for execution in _running(states):
        with suppress(states.exceptions.ExecutionDoesNotExist):  # deleted meanwhile
            states.stop_execution(executionArn=execution["executionArn"])


def _running(states: Any) -> list[dict[str, Any]]:
    machines = states.get_paginator("list_state_machines").paginate()
    executions = states.get_paginator("list_executions")
    found = []
    for machine in machines.search("stateMachines[?type=='STANDARD']"):
        arn = machine["stateMachineArn"]
        pages = executions.paginate(stateMachineArn=arn, statusFilter="RUNNING")
        found += pages.search("executions[]")
    return found


@cache
def _client(record: ServerRecord) -> Any:
    session = boto3.session.Session(record.access_key, record.secret_key, region_name=record.region)
    retries = {"total_max_attempts": 1}
    return session.client(
        "stepfunctions",
        endpoint_url=record.endpoint,
        config=Config(retries=retries, read_timeout=10, inject_host_prefix=False),
    )
