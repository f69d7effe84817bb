"""A worker's side of an activity: a client with patience, and what becomes of a task.

An activity's tasks are not sent anywhere: whoever asks with GetActivityTask gets the next one.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-activities.html
"""

from __future__ import annotations

from typing import Any

from botocore.client import BaseClient
from botocore.config import Config

from helpers import history, stack, waiting
from helpers.errors import WorkbookError
from helpers.session import Session

# A poll is held for up to 60 seconds, and a worker's socket should wait for at least 65:
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html
POLL_SECONDS = 60
SOCKET_SECONDS = POLL_SECONDS + 10
PATIENCE_SECONDS = {"local": 30, "aws": 60}


def client(session: Session) -> BaseClient:
    """Return a client of Step Functions that waits as long as a poll may last.

    boto3's own would give up after 60 seconds, in the very moment in which the answer comes.
    """
    config = Config(read_timeout=SOCKET_SECONDS, retries={"mode": "standard"})
    return session.boto.client("stepfunctions", endpoint_url=session.endpoint, config=config)


def wait_for(
    session: Session, execution: str, event_type: str, times: int = 1
) -> list[dict[str, Any]]:
    """Wait until an execution's history has so many events of a type; return the history.

    Raises WorkbookError where the execution ends without them, or nothing comes at all.
    """
    states = session.client("stepfunctions")
    patience = PATIENCE_SECONDS[session.target]
    for _ in waiting.looks(session, f"{event_type} in the history", patience=patience):
        # The status first: an execution that ends between the calls has a whole history then.
        status = states.describe_execution(executionArn=execution)["status"]
        events = history.events(states, execution)
        if sum(event["type"] == event_type for event in events) >= times:
            return events
        if status != "RUNNING":
            break
    raise WorkbookError(
        f"The execution is {status}, and its history has no {event_type} "
        f"{'' if times == 1 else f'number {times} '}yet: run the cells from the one that "
        "started it."
    )


def clear(session: Session, machine: str) -> int:
    """Stop what still waits of a state machine, so that no worker is given its tasks.

    Returns how many executions that were.
    """
    waiting = stack.running(session, machine)
    for execution in waiting:
        session.client("stepfunctions").stop_execution(
            executionArn=execution, cause="The notebook was started again"
        )
    return len(waiting)
