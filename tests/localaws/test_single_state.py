"""TestState: one state alone.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localaws.lessons import (
    DONE,
    END,
    JSONATA,
    STATES,
    TASK,
    Lesson,
    Object,
    defined,
    permitted,
)

CATCH = {
    "Catch": [{"ErrorEquals": ["X"], "Next": "H"}, {"ErrorEquals": ["States.ALL"], "Next": "I"}]
}
RETRY = {"Retry": [{"ErrorEquals": ["X"], "IntervalSeconds": 2, "BackoffRate": 3}]}
ERROR = {"errorOutput": {"error": "X", "cause": "it is"}}
CHOICE = {"Variable": "$.a", "NumericEquals": 1, "Next": "One"}

# name: state, arguments, what is told
ALONE: dict[str, tuple[Object, Object, Object]] = {
    "Pass": (
        {"Type": "Pass", "Result": {"b": 2}, "ResultPath": "$.r", "Next": "N"},
        {"input": '{"a": 1}'},
        {"status": "SUCCEEDED", "output": {"a": 1, "r": {"b": 2}}, "nextState": "N"},
    ),
    "the end": (
        {"Type": "Pass", "InputPath": "$.a", **END},
        {"input": '{"a": 1}'},
        {"status": "SUCCEEDED", "output": 1},
    ),
    "Choice": (
        {"Type": "Choice", "Choices": [CHOICE], "Default": "Other"},
        {"input": '{"a": 1}'},
        {"status": "SUCCEEDED", "output": {"a": 1}, "nextState": "One"},
    ),
    "Choice's default": (
        {"Type": "Choice", "Choices": [CHOICE], "Default": "Other"},
        {"input": '{"a": 2}'},
        {"status": "SUCCEEDED", "output": {"a": 2}, "nextState": "Other"},
    ),
    "Wait": (
        {"Type": "Wait", "Seconds": 0, "Next": "N"},
        {},
        {"status": "SUCCEEDED", "output": {}, "nextState": "N"},
    ),
    "Succeed": ({"Type": "Succeed"}, {"input": "[1]"}, {"status": "SUCCEEDED", "output": [1]}),
    "Fail": (
        {"Type": "Fail", "Error": "E", "Cause": "C"},
        {},
        {"status": "FAILED", "error": "E", "cause": "C"},
    ),
    "JSONata": (
        {"Type": "Pass", **JSONATA, "Output": "{% $states.input.a + $n %}", **END},
        {"input": '{"a": 1}', "variables": '{"n": 41}'},
        {"status": "SUCCEEDED", "output": 42},
    ),
    "a mocked Task": (
        {**TASK, "ResultSelector": {"x.$": "$.y"}, "ResultPath": "$.r", "Next": "N"},
        {"input": '{"a": 1}', "mock": {"result": '{"y": 2}'}},
        {"status": "SUCCEEDED", "output": {"a": 1, "r": {"x": 2}}, "nextState": "N"},
    ),
    "a mocked callback": (
        {"Type": "Task", "Resource": f"{STATES}:activity:a", **END},
        {"mock": {"result": "7"}},
        {"status": "SUCCEEDED", "output": 7},
    ),
    "a mocked Map": (
        {"Type": "Map", "ItemProcessor": DONE, **END},
        {"input": "[1, 2]", "mock": {"result": "[3, 4]"}},
        {"status": "SUCCEEDED", "output": [3, 4]},
    ),
    "a mocked Parallel": (
        {"Type": "Parallel", "Branches": [DONE], "Next": "N"},
        {"mock": {"result": "[5]"}},
        {"status": "SUCCEEDED", "output": [5], "nextState": "N"},
    ),
    "an error": (
        {**TASK, **END},
        {"mock": ERROR},
        {"status": "FAILED", "error": "X", "cause": "it is"},
    ),
    "an error that is caught": (
        {**TASK, **CATCH, **END},
        {"mock": ERROR},
        {
            "status": "CAUGHT_ERROR",
            "error": "X",
            "cause": "it is",
            "output": {"Error": "X", "Cause": "it is"},
            "nextState": "H",
        },
    ),
    "an error that is tried again": (
        {**TASK, **RETRY, **CATCH, **END},
        {"mock": ERROR, "stateConfiguration": {"retrierRetryCount": 1}},
        {"status": "RETRIABLE", "error": "X", "cause": "it is"},
    ),
    "an error that was tried often enough": (
        {**TASK, **RETRY, **CATCH, **END},
        {"mock": ERROR, "stateConfiguration": {"retrierRetryCount": 3}},
        {
            "status": "CAUGHT_ERROR",
            "error": "X",
            "cause": "it is",
            "output": {"Error": "X", "Cause": "it is"},
            "nextState": "H",
        },
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_state_alone_tells_its_outcome(lesson: Lesson, name: str) -> None:
    state, arguments, expected = ALONE[name]
    told = lesson.states.test_state(definition=json.dumps(state), roleArn=lesson.role, **arguments)
    del told["ResponseMetadata"]
    if "output" in told:
        told["output"] = json.loads(told["output"])
    assert told == expected


def _inspected(lesson: Lesson, state: Object, **arguments: Any) -> Object:
    told = lesson.states.test_state(
        definition=json.dumps(state), roleArn=lesson.role, inspectionLevel="DEBUG", **arguments
    )
    return {
        key: json.loads(value) if isinstance(value, str) else value
        for key, value in told["inspectionData"].items()
    }


def test_the_steps_of_the_data_are_shown(lesson: Lesson) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionData.html"""
    state = {
        **TASK,
        "InputPath": "$.a",
        "Parameters": {"p.$": "$.b"},
        "ResultSelector": {"s.$": "$.r"},
        "ResultPath": "$.got",
        "OutputPath": "$.got",
        **END,
    }
    given = {"a": {"b": 1}}
    seen = _inspected(lesson, state, input=json.dumps(given), mock={"result": '{"r": 2}'})
    assert seen == {
        "input": given,
        "afterInputPath": {"b": 1},
        "afterParameters": {"p": 1},
        "result": {"r": 2},
        "afterResultSelector": {"s": 2},
        "afterResultPath": {"a": {"b": 1}, "got": {"s": 2}},
    }
    state = {**TASK, **JSONATA, "Arguments": "{% $x %}", "Assign": {"y": 2}, "Output": 3, **END}
    seen = _inspected(lesson, state, mock={"result": "4"}, variables='{"x": 1}')
    assert seen == {"input": {}, "afterArguments": 1, "result": 4, "variables": {"x": 1, "y": 2}}


def test_what_was_retried_or_caught_is_shown(lesson: Lesson) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionErrorDetails.html"""
    count = {"retrierRetryCount": 2}
    seen = _inspected(lesson, {**TASK, **RETRY, **END}, mock=ERROR, stateConfiguration=count)
    assert seen["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 18}
    other = {"errorOutput": {"error": "Y", "cause": ""}}
    seen = _inspected(lesson, {**TASK, **CATCH, **END}, mock=other)
    assert seen["errorDetails"] == {"catchIndex": 1}


def test_a_state_of_a_whole_machine_is_tested_by_its_name(lesson: Lesson) -> None:
    branch = defined(Inner={"Type": "Pass", "Output": "{% $states.input * 2 %}", **END})
    machine = {**JSONATA, **defined(P={"Type": "Parallel", "Branches": [branch], **END})}
    test = lesson.states.test_state
    told = test(definition=json.dumps(machine), stateName="Inner", input="21")
    assert (told["status"], told["output"]) == ("SUCCEEDED", "42")
    code, _ = lesson.refused("test_state", definition=json.dumps(machine), stateName="Outer")
    assert code == "ValidationException"
    code, _ = lesson.refused("test_state", definition=json.dumps(machine))
    assert code == "InvalidDefinition"


def test_a_state_alone_may_do_only_what_its_role_may(lesson: Lesson) -> None:
    topic = lesson.aws.client("sns").create_topic(Name="tested")["TopicArn"]
    parameters = {"TopicArn": topic, "Message": "hello"}
    resource = "arn:aws:states:::sns:publish"
    state = json.dumps({"Type": "Task", "Resource": resource, "Parameters": parameters, **END})
    told = lesson.states.test_state(definition=state, roleArn=lesson.role)
    assert (told["status"], "MessageId" in told["output"]) == ("SUCCEEDED", True)
    nobody = permitted(lesson.aws, "nobody")
    told = lesson.states.test_state(definition=state, roleArn=nobody)
    assert told["status"] == "FAILED"
    assert "not authorized to perform: sns:Publish" in told["cause"]
    assert lesson.refused("test_state", definition=state)[0] == "ValidationException"


@pytest.mark.parametrize(
    "alone",
    [
        {"Type": "Map", "ItemProcessor": DONE, **END},
        {"Type": "Parallel", "Branches": [DONE], **END},
        {"Type": "Task", "Resource": f"{STATES}:activity:a", **END},
        {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken", **END},
    ],
    ids=["map", "parallel", "activity", "callback"],
)
def test_some_states_are_tested_with_a_mock_only(lesson: Lesson, alone: Object) -> None:
    arguments = {"definition": json.dumps(alone), "roleArn": lesson.role}
    assert lesson.refused("test_state", **arguments)[0] == "ValidationException"


@pytest.mark.parametrize(
    ("expression", "code"), [("$states.input.n >= 8", "T2010"), ("$sum + 1", "T2001")]
)
def test_what_jsonata_says_of_null_or_of_a_function_is_told(
    lesson: Lesson, expression: str, code: str
) -> None:
    """Neither is JSON to jsonata-python; the error is JSONata's all the same, not the server's."""
    state = json.dumps({"Type": "Pass", **JSONATA, "Output": f"{{% {expression} %}}", **END})
    told = lesson.states.test_state(definition=state, input='{"n": null}')
    assert told["error"] == "States.QueryEvaluationError"
    assert f"threw an error during evaluation. {code}: " in told["cause"]


def test_a_function_that_the_role_may_not_call_is_told_with_the_reason(lesson: Lesson) -> None:
    """The cause names the request, and MiniStack's refusals name none."""
    nobody = permitted(lesson.aws, "nobody")
    told = lesson.states.test_state(definition=json.dumps({**TASK, **END}), roleArn=nobody)
    assert "not authorized to perform: lambda:InvokeFunction" in told["cause"]
    assert "Request ID: " in told["cause"]
