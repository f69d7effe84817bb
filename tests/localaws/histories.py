"""Rows of histories: what an execution does, and the events that AWS writes then.

A line of a row is an event: type, previousEventId, the state's name if it has one, and those
details that matter, as JSON. ``<function>`` and the like are the laboratory's.
"""

# ruff: noqa: E501 - an event is a line

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.localaws.laboratory import (
    Document,
    Events,
    Laboratory,
    Meanwhile,
    machine,
    task,
)

INVOKE = "arn:aws:states:::lambda:invoke"
PUBLISH = "arn:aws:states:::sns:publish"
START = "arn:aws:states:::states:startExecution"
PASS = {"Type": "Pass", "End": True}
FAIL = {"Type": "Fail", "Error": "E", "Cause": "C"}
ALL = [{"ErrorEquals": ["States.ALL"], "Next": "X"}]
EVERYTHING = [
    {"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1},
    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1},
]
WHOLE = "{% $pad('', 262142, 'x') %}"  # with its quotes as long as an output may be


@dataclass(frozen=True)
class Row:
    """A definition, its input, what happens meanwhile, and the events after the first."""

    definition: Document
    events: str
    source: str
    input: Any = None
    meanwhile: Meanwhile | None = None
    any_order: bool = False  # branches run side by side: compared by what follows from what


# --- what happens meanwhile --------------------------------------------------------------


def token(lab: Laboratory, execution: str) -> str:
    events = lab.history(execution, "TaskSubmitted")
    scheduled = next(event for event in events if event["type"] == "TaskScheduled")
    return json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Message"]


def succeed(lab: Laboratory, execution: str) -> None:
    states = lab.aws.client("stepfunctions")
    states.send_task_success(taskToken=token(lab, execution), output='{"a":1}')


def fail(lab: Laboratory, execution: str) -> None:
    states = lab.aws.client("stepfunctions")
    states.send_task_failure(taskToken=token(lab, execution), error="E", cause="C")


def stop(lab: Laboratory, execution: str) -> None:
    lab.history(execution, "WaitStateEntered")
    lab.aws.client("stepfunctions").stop_execution(executionArn=execution, error="E", cause="C")


def work(*steps: str) -> Meanwhile:
    """Do these, with the tasks of this execution's own activity."""

    def work(lab: Laboratory, execution: str) -> None:
        states = lab.aws.client("stepfunctions")
        arn = _activity(lab, execution)
        tasks: dict[str, str] = {}
        for step in steps:
            verb, _, given = step.partition(" ")
            if verb == "take":
                task = states.get_activity_task(activityArn=arn, workerName="me")
                tasks[task["input"]] = task["taskToken"]
            elif verb == "beat":
                states.send_task_heartbeat(taskToken=tasks[given])
            elif verb == "succeed":
                states.send_task_success(taskToken=tasks[given], output=f"{given}0")
                if steps.index(step) + 1 < len(steps):
                    _settled(lab, execution, "TaskStateExited", steps[: steps.index(step) + 1])
            elif verb == "fail":
                states.send_task_failure(taskToken=tasks[given], error="E", cause="C")
            elif verb == "stop":
                lab.history(execution, "ActivityScheduled")
                states.stop_execution(executionArn=execution, error="E", cause="C")
            elif verb == "redrive":
                lab.ended(execution)
                states.redrive_execution(executionArn=execution)
        lab.ended(execution)

    return work


def _activity(lab: Laboratory, execution: str) -> str:
    """Return the activity that an execution's definition names."""
    states = lab.aws.client("stepfunctions")
    machine = states.describe_state_machine_for_execution(executionArn=execution)
    return re.search(r"arn:aws:states:[^\"]*:activity:[^\"]*", machine["definition"])[0]


def _settled(lab: Laboratory, execution: str, kind: str, steps: tuple[str, ...]) -> None:
    """Wait until so many tasks have succeeded: an order that a row can name."""
    count = sum(step.startswith("succeed") for step in steps)
    lab.until(execution, lambda events: [event["type"] for event in events].count(kind) >= count)


def redrive(lab: Laboratory, execution: str) -> None:
    lab.ended(execution)
    lab.aws.client("stepfunctions").redrive_execution(executionArn=execution)
    lab.ended(execution)


# --- definitions -------------------------------------------------------------------------


def ask(**fields: Any) -> Document:
    parameters = {"TopicArn": "<topic>", "Message.$": "$$.Task.Token"}
    return machine(A=task(f"{PUBLISH}.waitForTaskToken", Parameters=parameters, **fields))


def nested(pattern: str, child: str = "<child>") -> Document:
    parameters = {"StateMachineArn": child, "Input": {"a": 1}}
    return machine(A=task(START + pattern, Parameters=parameters))


def choice(**fields: Any) -> Document:
    rule = {"Variable": "$.a", "NumericEquals": 1, "Next": "B"}
    default = {"C": PASS} if "Default" in fields else {}
    return machine(A={"Type": "Choice", "Choices": [rule], **fields}, B=PASS, **default)


def parallel(*branches: Document, **fields: Any) -> Document:
    ending = {"Next": "X"} if "Catch" in fields else {"End": True}
    state = {"Type": "Parallel", "Branches": list(branches), **ending, **fields}
    return machine(A=state, X=PASS) if "Catch" in fields else machine(A=state)


def map_of(processor: Document, **fields: Any) -> Document:
    ending = {"Next": "X"} if "Catch" in fields else {"End": True}
    state = {"Type": "Map", "ItemProcessor": processor, **ending, **fields}
    return machine(A=state, X=PASS) if "Catch" in fields else machine(A=state)


def distributed(processor: Document, **fields: Any) -> Document:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    return map_of({"ProcessorConfig": config, **processor}, Label="L", **fields)


def reader(key: str, **config: Any) -> Document:
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": "laboratory", "Key": key},
    }


def jsonata(**states: Document) -> Document:
    return machine("JSONata", **states)


def plain(**states: Document) -> Document:
    """A machine inside another: it has no QueryLanguage of its own."""
    return {"StartAt": next(iter(states)), "States": states}


SECOND_FAILS = plain(
    C={
        "Type": "Choice",
        "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Bad"}],
        "Default": "Ok",
    },
    Bad=FAIL,
    Ok=PASS,
)
WAIT = {"Type": "Wait", "Seconds": 1, "End": True}
LONG = plain(Long={"Type": "Wait", "Seconds": 30, "End": True})
UNDEFINED = "$states.input.missing"
RETRY = {
    "ErrorEquals": ["ValueError"],
    "IntervalSeconds": 1,
    "MaxAttempts": 2,
    "BackoffRate": 1.5,
    "MaxDelaySeconds": 1,
    "JitterStrategy": "FULL",
}


def within(state: str, entered: int, what: str) -> str:
    return f"An error occurred while executing the state '{state}' (entered at the event id #{entered}). {what}"


def error(error: str, cause: str | None = None) -> str:
    return json.dumps({"error": error} | ({"cause": cause} if cause else {}))


MISSING = within(
    "A",
    2,
    "The JSONPath '$.nope' specified for the field 'a.$' could not be found in the input '{}'",
)
THRESHOLD = error(
    "States.ExceedToleratedFailureThreshold",
    "The specified tolerated failure threshold was exceeded",
)
TOO_BIG = (
    "The state/task '{}' returned a result with a size exceeding the maximum number of bytes "
    "service limit."
)


def evaluation(state: str, entered: int, field: str, expression: str, what: str) -> str:
    cause = within(
        state,
        entered,
        f"The JSONata expression '{expression}' specified for the field '{field}' {what}",
    )
    return error("States.QueryEvaluationError", cause)


NO_NUMBER = (
    'threw an error during evaluation. T0410: Argument 1 of function "abs" does not match '
    "function signature"
)
UNDEFINED_OUTPUT = evaluation("U", 4, "Output/v", UNDEFINED, "returned nothing (undefined).")

TRACE = '  File "/var/task/app.py", line 6, in handler\n    raise ValueError(event["fail"])\n'
FAILED_CALL = """
    TaskStateEntered 0 A
    LambdaFunctionScheduled 2 {"resource": "<function>", "input": {"fail": "no"}}
    LambdaFunctionStarted 3
    LambdaFunctionFailed 4 {"error": "ValueError"}
"""


# --- comparing ---------------------------------------------------------------------------

LINE = re.compile(
    r"(?P<type>\w+) (?P<previous>\d+)(?: (?P<name>[\w-]+))?(?: (?P<details>\{.*\}))?$"
)


def _expected(text: str) -> list[tuple[str, int, str | None, Document]]:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    found = [LINE.match(line) for line in lines]
    return [
        (line["type"], int(line["previous"]), line["name"], json.loads(line["details"] or "{}"))
        for line in found
    ]


def _details(event: Document) -> Document:
    return next((event[key] for key in event if key.endswith("EventDetails")), {})


def _value(details: Document, path: str) -> Any:
    """A detail, read as JSON where it is, and into its fields."""
    key, *fields = path.split(".")
    value = details[key]
    if key in {"input", "output", "parameters"} or fields:
        value = json.loads(value)
    for field in fields:
        value = value[int(field) if isinstance(value, list) else field]
    return value


def _chains(events: list[tuple[str, int, str | None]]) -> list[Any]:
    """Each event with the one it follows from, in an order that does not depend on time."""
    names = {number: (kind, name or "") for number, (kind, _, name) in enumerate(events, 2)}
    before = {number: previous for number, (_, previous, _) in enumerate(events, 2)}
    return sorted((names[number], names.get(before[number], ("", ""))) for number in names)


def _agree(found: Document, details: Document) -> bool:
    """Whether an event has these details."""
    return all(_value(found, path) == value for path, value in details.items())


def check(row: Row, lab: Laboratory, execution: str) -> None:
    """Compare an execution's history with its row."""
    expected = _expected(lab.filled(row.events))
    events: Events = lab.history(execution)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[0]["previousEventId"]) == ("ExecutionStarted", 0)
    seen = [
        (event["type"], event["previousEventId"], _details(event).get("name"))
        for event in events[1:]
    ]
    wanted = [line[:3] for line in expected]
    if row.any_order:
        assert _chains(seen) == _chains(wanted), row.source
    else:
        assert seen == wanted, row.source
    for number, (kind, _, step, details) in enumerate(expected):
        alike = [
            _details(event)
            for event, line in zip(events[1:], seen, strict=True)
            if (line[0], line[2]) == (kind, step)
        ]
        found = alike if row.any_order else [_details(events[number + 1])]
        assert any(_agree(each, details) for each in found), (kind, step, row.source)
