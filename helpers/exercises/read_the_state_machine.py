"""Checks of 02_read_the_state_machine: Step Functions runs each answer, and is asked what came out.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

from __future__ import annotations

import json
from typing import Any

from helpers import exercise, history, laboratory
from helpers.exercise import Wrong
from helpers.session import Session

Object = dict[str, Any]

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:judge"  # never called: there is a mock
MENDED = "workbook-mended"

SEVERITIES: tuple[tuple[Object, str], ...] = (
    ({"severity": 9}, "WakeSomebody"),
    ({"severity": 7}, "WriteItDown"),
    ({"severity": 8}, "WakeSomebody"),
    ({"severity": "high"}, "WriteItDown"),
    ({"title": "a backup failed"}, "WriteItDown"),
)
INCIDENTS: tuple[Object, ...] = (
    {"policyArn": "arn:aws:iam::123456789012:policy/p", "author": "mallory"},
    {"number": 7},
)
ACTIONS = (
    ["s3:GetObject", "s3:DeleteObject", "s3:DeleteBucket"],
    ["s3:GetObject", "s3:DeleteBucket"],
    ["s3:GetObject"],
)


@exercise.check
def choice(aws: Session, rule: Object) -> str:
    """Judge a rule that wakes somebody from severity 8 on, and for nothing else."""
    language = {"QueryLanguage": "JSONata"} if "Condition" in rule else {}
    state = {"Type": "Choice", **language, "Choices": [rule], "Default": "WriteItDown"}
    for given, expected in SEVERITIES:
        chosen = _tested(aws, state, given)["nextState"]
        if chosen not in ("WakeSomebody", "WriteItDown"):
            raise Wrong(f"It leads to {chosen}, and there is no such state.")
        if chosen != expected:
            raise Wrong(f"With the input {json.dumps(given)} it leads to {chosen}.")
    return "It wakes somebody from 8 on, and copes with an input that has no number, or nothing."


@exercise.check
def beside(aws: Session, fields: Object) -> str:
    """Judge fields of a Task that put the action, and nothing else, beside the input."""
    state = {"Type": "Task", "Resource": FUNCTION, "End": True, **fields}
    for given, action in zip(INCIDENTS, ("remedy", "alert"), strict=True):
        answer = {"action": action, "log": "…"}
        mock = {"result": json.dumps(answer)}
        output = json.loads(_tested(aws, state, given, mock=mock)["output"])
        _judge_beside(given, answer, output)
    return "The input is all there, and the action beside it, whatever the input is."


def _judge_beside(given: Object, answer: Object, output: Any) -> None:
    shown = json.dumps(output, ensure_ascii=False)
    if not isinstance(output, dict) or not given.items() <= output.items():
        raise Wrong(f"The input {json.dumps(given)} is lost. What comes out is {shown}.")
    verdict = output.get("verdict")
    if verdict is None:
        raise Wrong(f"Nothing is under `verdict`. What comes out is {shown}.")
    if not isinstance(verdict, dict) or "action" not in verdict:
        raise Wrong(f"There is no `action` under `verdict`. What comes out is {shown}.")
    if str(verdict["action"]).startswith("$"):
        raise Wrong(
            f"`verdict.action` is the text {verdict['action']!r}: Step Functions takes a path for "
            "one only where the name of the field ends in `.$`."
        )
    if verdict["action"] != answer["action"]:
        raise Wrong(f"`verdict.action` is {verdict['action']!r}; the function said otherwise.")
    if len(verdict) > 1 or len(output) > len(given) + 1:
        raise Wrong(f"There is more in it than was asked for: {shown}.")


@exercise.check
def mended(aws: Session, definition: Object) -> str:
    """Judge a mended definition: it is valid, and does what it was meant to do."""
    states = aws.client("stepfunctions")
    told = states.validate_state_machine_definition(definition=json.dumps(definition))
    if told["result"] != "OK":
        first, *others = told["diagnostics"]
        more = f" (And {len(others)} more.)" if others else ""
        raise Wrong(f"Not valid yet. {first.get('location', '')}: {first['message']}.{more}")
    machine = laboratory.machine(aws, MENDED, definition)
    for action, quarantined in (("remedy", True), ("alert", False)):
        execution = laboratory.run(aws, machine, {"action": action})
        ended = states.describe_execution(executionArn=execution)
        if ended["status"] != "SUCCEEDED":
            raise Wrong(
                f'It is valid, but with the input {{"action": "{action}"}} the execution ends '
                f"{ended['status']}. {ended.get('error')}: {ended.get('cause')}"
            )
        entered = history.statuses(history.events(states, execution))
        if ("Quarantine" in entered) is not quarantined:
            way = "passes by" if quarantined else "goes through"
            raise Wrong(f'It runs, but with {{"action": "{action}"}} it {way} Quarantine.')
    return "It is valid, and each of two executions took its own way to the end."


@exercise.check
def output(aws: Session, output: Any) -> str:
    """Judge an Output in JSONata: how many actions there are, and a list of those that delete."""
    state = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": output, "End": True}
    for actions in ACTIONS:
        told = json.loads(_tested(aws, state, {"actions": actions})["output"])
        _judge_output(actions, told)
    return "It counts, and gives a list whether many actions delete something, one, or none."


def _judge_output(actions: list[str], told: Any) -> None:
    given = f"With {json.dumps(actions)}"
    if not isinstance(told, dict):
        raise Wrong(f"{given} the output is {json.dumps(told)}: `count` and `deletes` are missing.")
    deletes = [action for action in actions if "Delete" in action]
    for key, expected in (("count", len(actions)), ("deletes", deletes)):
        if key not in told:
            raise Wrong(f"{given} there is no `{key}` in the output {json.dumps(told)}.")
        if isinstance(told[key], str) and ("$" in told[key] or "%" in told[key]):
            raise Wrong(f"`{key}` is the text {told[key]!r}: Step Functions saw no expression.")
        if type(told[key]) is not type(expected):
            asked = "a list" if isinstance(expected, list) else "a number"
            raise Wrong(f"{given} `{key}` is {json.dumps(told[key])}, and not {asked}.")
        if told[key] != expected:
            raise Wrong(f"{given} `{key}` is {json.dumps(told[key])}: is that what was asked for?")
    if len(told) > 2:
        raise Wrong(f"There is more in it than was asked for: {json.dumps(told)}.")


def _tested(aws: Session, state: Object, given: Object, **more: Any) -> Object:
    """Test a state; return what TestState answers. Raises Wrong where it fails."""
    states = aws.client("stepfunctions")
    try:
        told = states.test_state(definition=json.dumps(state), input=json.dumps(given), **more)
    except (states.exceptions.InvalidDefinition, states.exceptions.ValidationException) as error:
        message = error.response["Error"]["Message"]
        raise Wrong(f"Step Functions does not take it for a state: {message}") from error
    if told["status"] != "SUCCEEDED":
        raise Wrong(
            f"With the input {json.dumps(given)} the state fails. "
            f"{told.get('error')}: {told.get('cause')}"
        )
    return told
