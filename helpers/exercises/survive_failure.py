"""The checks of 05_survive_failure: each answer is run, in a real execution or with TestState."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from helpers import errors, execution, exercise, history, laboratory
from helpers.exercise import Wrong
from helpers.session import Session

NAME = "workbook-flaky"
FLAKY = errors.NOTEBOOKS / "functions" / "flaky.py"
THROTTLED = "ThrottledError"
MISTAKES = ("KeyError", "ZeroDivisionError")  # the program's own: trying again does not help

# The exercise's worker says every second that it is alive, up to half a second late.
REPORTS_SECONDS, NOTICED_SECONDS = 1.5, 3
WORKS_SECONDS, PATIENCE_SECONDS = 20, 60

State = dict[str, Any]


@exercise.check
def retry(aws: Session, answer: list[dict[str, Any]]) -> str:
    """Judge a Retry that survives two throttles, no third, and no mistake of the program."""
    tried = [_is_retried(aws, answer, THROTTLED, retries) for retries in range(3)]
    if not tried[0]:
        raise Wrong(f"A {THROTTLED} is not tried again at all: no retrier of yours names it.")
    if not tried[1]:
        raise Wrong("It gives up too early: the second throttle ends the execution.")
    if tried[2]:
        raise Wrong("It does not give up: a third throttle in a row is tried again as well.")
    for mistake in MISTAKES:
        if _is_retried(aws, answer, mistake, 0):
            raise Wrong(
                f"A {mistake} is tried again, too. The program is wrong, and will still be wrong "
                "next time."
            )
    return (
        f"Two {THROTTLED}s are retried. A third ends the execution, and any other error ends it at "
        "once."
    )


def _is_retried(aws: Session, retriers: Any, error: str, retries: int) -> bool:
    """Ask TestState whether a task that fails so, after so many retries, is tried again.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
    """
    state = {"Type": "Task", "Resource": _flaky(aws), "Retry": retriers, "End": True}
    try:
        told = aws.client("stepfunctions").test_state(
            definition=json.dumps(state),
            mock={"errorOutput": {"error": error, "cause": "The exercise says so."}},
            stateConfiguration={"retrierRetryCount": retries},
        )
    except ClientError as refused:
        raise _refusal(refused) from refused
    return told["status"] == "RETRIABLE"


@exercise.check
def catch(aws: Session, answer: list[dict[str, Any]]) -> str:
    """Judge a Catch with an order that matters, which keeps the input."""
    if not isinstance(answer, list):
        raise Wrong("Catch is a list of catchers.")
    if any("Next" not in catcher for catcher in answer):
        raise Wrong("A catcher of yours has no Next: to which state does it lead?")
    machine = _billing(aws, answer)
    for error, state in ((THROTTLED, "TryTomorrow"), ("CardRefused", "CallSomebody")):
        _caught_in(aws, machine, error, state)
    return "Each error goes its own way, and the next state sees the bill and what went wrong."


def _billing(aws: Session, catchers: Any) -> str:
    ends = {"Type": "Pass", "End": True}
    pay: State = {
        "Type": "Task",
        "Resource": _flaky(aws),
        "Parameters": {"errors.$": "$.errors", "attempt.$": "$$.State.RetryCount"},
        "ResultPath": "$.paid",
        "Catch": catchers,
        "End": True,
    }
    # Only those that the answer leads to: a state that cannot be reached is refused.
    named = {catcher["Next"] for catcher in catchers}
    followers = {name: ends for name in ("TryTomorrow", "CallSomebody") if name in named}
    definition = {"StartAt": "Pay", "States": {"Pay": pay, **followers}}
    return _machine(aws, "workbook-exercise-catch", definition)


def _caught_in(aws: Session, machine: str, error: str, state: str) -> None:
    """Run the machine into an error; raise Wrong where it does not go on as asked for."""
    given = {"bill": 42, "errors": [error]}
    seen = execution.look(aws, laboratory.run(aws, machine, given))
    if seen.status != "SUCCEEDED":
        raise Wrong(f"A {error} is not caught: the execution is {seen.status}.")
    last = history.steps(seen.events).iloc[-1]
    if last["step"] != state:
        raise Wrong(
            f"A {error} goes to {last['step']}. Catchers are looked through in their order, and "
            "the first one that matches is taken."
        )
    output = last["output"]
    if output.get("bill") != given["bill"]:
        raise Wrong(f"{state} does not see the bill any more: the error has replaced the input.")
    if output.get("problem", {}).get("Error") != error:
        raise Wrong(f"{state} sees the bill, but there is no error under $.problem.")


@exercise.check
def heartbeat(aws: Session, answer: dict[str, int]) -> str:
    """Judge the two limits of a task: by what they are, and by a worker that never reports."""
    machine = _waiting(aws, answer)
    silence, patience = answer.get("HeartbeatSeconds"), answer.get("TimeoutSeconds")
    if silence is None:
        raise Wrong("Without HeartbeatSeconds, a worker that has died is waited for to the end.")
    if silence < REPORTS_SECONDS:
        raise Wrong(f"A worker that is half a second late is taken for dead after {silence} s.")
    if silence > NOTICED_SECONDS:
        raise Wrong(f"That a worker has died is noticed only after {silence} s.")
    if patience is None:
        raise Wrong(
            "Without TimeoutSeconds, a worker that only says it is alive is waited for without end."
        )
    if patience < WORKS_SECONDS:
        raise Wrong(f"Work that needs its {WORKS_SECONDS} s is given up after {patience} s.")
    if patience > PATIENCE_SECONDS:
        raise Wrong(
            f"A worker that never gets done is waited for {patience} s: longer than a minute."
        )
    seen = execution.look(aws, laboratory.run(aws, machine))
    noticed = history.steps(seen.events).iloc[-1]["step"]
    if noticed != "Died":
        raise Wrong(f"A worker that has died is not noticed by its silence: {noticed}.")
    return f"A worker that fell silent was given up after {silence} s: States.HeartbeatTimeout."


def _waiting(aws: Session, limits: Any) -> str:
    """Make a machine whose task is handed out, and which nobody ever answers."""
    work: State = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {
            "FunctionName": _flaky(aws),
            "Payload": {"errors": [], "attempt": 0, "token.$": "$$.Task.Token"},
        },
        **limits,
        # In the history a missed heartbeat is States.Timeout as well: a catcher tells them apart.
        "Catch": [
            {"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Died"},
            {"ErrorEquals": ["States.Timeout"], "Next": "Late"},
        ],
        "End": True,
    }
    ends = {"Died": {"Type": "Succeed"}, "Late": {"Type": "Succeed"}}
    definition = {"StartAt": "Work", "States": {"Work": work, **ends}}
    return _machine(aws, "workbook-exercise-heartbeat", definition)


def _machine(aws: Session, name: str, definition: dict[str, Any]) -> str:
    role = laboratory.role(aws, "lambda:InvokeFunction")
    try:
        return laboratory.machine(aws, name, definition, role)
    except ClientError as refused:
        raise _refusal(refused) from refused


def _refusal(refused: ClientError) -> Wrong:
    """Turn the refusal of a definition into a verdict; let every other error be one."""
    told = refused.response["Error"]
    if told["Code"] not in ("InvalidDefinition", "ValidationException"):
        raise refused
    message = told["Message"].removeprefix("Invalid State Machine Definition: ").strip("'")
    return Wrong(f"Step Functions refuses the definition. {message}")


def _flaky(aws: Session) -> str:
    """Return the ARN of the lesson's function; make it where the lesson has not."""
    functions = aws.client("lambda")
    try:
        return functions.get_function_configuration(FunctionName=NAME)["FunctionArn"]
    except functions.exceptions.ResourceNotFoundException:
        return laboratory.function(aws, NAME, FLAKY.read_text())
