"""The exercises of 04_approve_or_deny: answers that a waiting execution understands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from helpers import approval, exercise, history, incident, stack
from helpers.exercise import Wrong
from helpers.session import Session

HandIn = Callable[[Any, str], bool]


@exercise.check
def approving(session: Session, answer: dict[str, Any]) -> str:
    """Judge an answer: what the state UsersChoice makes of it, by TestState."""
    if isinstance(answer, str):
        raise Wrong("That is text. Write a dictionary; it becomes JSON when it is sent.")
    state = stack.definition()["States"]["UsersChoice"]
    states = session.client("stepfunctions")
    tested = states.test_state(definition=json.dumps(state), input=json.dumps({"decision": answer}))
    following = tested.get("nextState")
    if following == "Denied":
        raise Wrong("UsersChoice goes on to Denied: that answer denies.")
    if following != "Approved":
        why = "this is none of the answers that it looks for. Every letter counts."
        if "action" not in answer:
            why = "it looks into a field that your answer does not have. Its Variable says which."
        raise Wrong(f"UsersChoice goes on to {following}: {why}")
    return "UsersChoice goes on to Approved."


@exercise.check
def hand_in(session: Session, app: stack.App, answer: HandIn) -> str:
    """Judge a function that denies with a token: with a good one, twice, and with none."""
    execution = incident.create(session, app)
    states = session.client("stepfunctions")
    token = approval.token(history.events(states, execution))
    first = _called(answer, states, token)
    if _is_open(states, token):
        raise Wrong("The execution still waits: no answer has arrived.")
    if "Denied" not in history.statuses(incident.wait_for_end(session, execution)):
        raise Wrong("The execution did not go through Denied: what is the answer that denies?")
    if first is not True:
        raise Wrong(f"The answer counted, and the function returned {first!r}, not True.")
    second = _called(answer, states, token)
    if second is not False:
        raise Wrong(f"With a token that was used it returned {second!r}, not False.")
    try:
        hidden = answer(states, "no-token")
    except ClientError:
        return "A good token counts, a used one does not, and a mistake is not hidden."
    raise Wrong(f"With a text that is no token it returned {hidden!r}: the error is hidden.")


def _is_open(states: Any, token: str) -> bool:
    """Whether a token still takes an answer; a heartbeat changes nothing of the execution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskHeartbeat.html
    """
    try:
        states.send_task_heartbeat(taskToken=token)
    except states.exceptions.TaskTimedOut:
        return False
    return True


def _called(answer: HandIn, states: Any, token: str) -> object:
    """Return what the learner's function returns. Raises Wrong for an error that gets out."""
    try:
        return answer(states, token)
    except ClientError as error:
        raise Wrong(
            f"It raised {error.response['Error']['Code']}: {error.response['Error']['Message']}"
        ) from error
