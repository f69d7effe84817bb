"""Callbacks: the tasks that wait for a token or for a worker, and what is sent to them.

A closed token is TaskTimedOut and not TaskDoesNotExist: "the task token has either expired or the
task associated with the token has already been closed".
https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from ministack.core.responses import json_response
from ministack.services import stepfunctions
from moto.stepfunctions.parser.asl.eval import environment, states
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcome,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
)

from helpers.localaws.requests import Answer, Refused, missing, refusing
from helpers.localaws.tokens import REMEMBERED, ActivityQueue, TokenPool, TokenRegistry

TOKENS = TokenRegistry()
ACTIVITIES: dict[str, ActivityQueue] = {}
_taken: OrderedDict[str, str] = OrderedDict()  # tokens that workers were given: the activities


def install() -> None:
    """Let moto's tasks wait here."""
    environment.CallbackPoolManager = TokenPool
    TokenPool.registry = TOKENS
    # AWS's tokens are long and need URL-encoding; moto's are UUIDs, and would hide the mistake.
    states.long_uid = TOKENS.new_token


class ActivityStore(dict[str, Any]):
    """What the interpreter asks for an activity: MiniStack knows which exist."""

    def get(self, arn: str, default: Any = None) -> Any:
        """Return the queue of the activity, or ``default`` where there is no such activity."""
        if arn not in stepfunctions._activities:
            return default
        return ACTIVITIES.setdefault(arn, ActivityQueue())


@refusing
def succeed(data: dict[str, Any]) -> Answer:
    """SendTaskSuccess: the waiting task goes on with ``output``.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
    """
    token, output = data["taskToken"], data["output"]
    try:
        json.loads(output)
    except ValueError as error:
        raise Refused("InvalidOutput", "Invalid output: 'Output is not valid JSON.'") from error
    return _notify(token, CallbackOutcomeSuccess(token, output))


@refusing
def fail(data: dict[str, Any]) -> Answer:
    """SendTaskFailure: the waiting task fails with ``error`` and ``cause``.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html
    """
    token = data["taskToken"]
    return _notify(token, CallbackOutcomeFailure(token, data.get("error"), data.get("cause")))


@refusing
def beat(data: dict[str, Any]) -> Answer:
    """SendTaskHeartbeat: the waiting task's heartbeat clock starts again.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskHeartbeat.html
    """
    return _notify(data["taskToken"], None)


def _notify(token: str, outcome: CallbackOutcome | None) -> Answer:
    """Pass an outcome, or a heartbeat (None), to the task that waits. Raises Refused."""
    match TOKENS.notify(token, outcome):
        case "sent":
            return json_response({})
        case "closed":
            what = _taken.get(token, "Provided task does not exist anymore")
            raise Refused("TaskTimedOut", f"Task Timed Out: '{what}'")
        case _:
            raise Refused("InvalidToken", "Invalid Token: 'Invalid token'")


async def take(data: dict[str, Any]) -> Answer:
    """GetActivityTask: a long poll of up to 60 seconds; an empty answer when nothing came.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html
    """
    arn = data["activityArn"]
    queue = ActivityStore().get(arn)
    if queue is None:
        return missing("Activity", arn).answer
    task = await queue.poll(seconds=60)
    while task and not TOKENS.is_open(task.task_token):
        task = await queue.poll(seconds=60)  # that one's execution has ended meanwhile
    if task is None:
        return json_response({})
    _taken[task.task_token] = arn
    if len(_taken) > REMEMBERED:
        _taken.popitem(last=False)
    TOKENS.begin(task.task_token, data.get("workerName"))
    return json_response({"taskToken": task.task_token, "input": task.task_input})
