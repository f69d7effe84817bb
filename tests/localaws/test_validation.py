"""Definitions with mistakes: each is told, with its place.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.localaws.lessons import (
    DONE,
    END,
    FAIL,
    JSONATA,
    STATES,
    TASK,
    Lesson,
    defined,
)

TARGET, SCHEMA = "MISSING_TRANSITION_TARGET", "SCHEMA_VALIDATION_FAILED"

# name: definition, and (severity, code, location, words) of each diagnostic, in order.
# Codes: https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
# Rules: https://states-language.net/spec.html
BROKEN: dict[str, tuple[Any, list[tuple[str, str | None, str]]]] = {
    "no JSON": ("{", [("INVALID_JSON_DESCRIPTION", None, "line 1")]),
    "NaN": ('{"a": NaN}', [("INVALID_JSON_DESCRIPTION", None, "NaN")]),
    "null": ("null", [("MISSING_DESCRIPTION", None, "null")]),
    "a list": ("[]", [(SCHEMA, "/", "Object")]),
    "nothing in it": ({}, [(SCHEMA, "/", "These fields are required: [StartAt, States]")]),
    "a field too many": ({**DONE, "Start": "x"}, [(SCHEMA, "/", "Field 'Start' is not supported")]),
    "no state": ({"StartAt": "A", "States": {}}, [(SCHEMA, "/States", "at least one state")]),
    "starts nowhere": (
        {**DONE, "StartAt": "Dome"},
        [
            (TARGET, "/StartAt", "Missing 'Next' target: Dome"),
            (TARGET, "/States/Done", 'State "Done" is not reachable.'),
        ],
    ),
    "two mistakes": (
        # https://github.com/localstack/localstack/pull/12487 shows AWS's answer to this one
        defined(
            pass1={"Type": "Pass", "Next": "pass3"},
            pass2={"Type": "Pass", "End": True},
        ),
        [
            (TARGET, "/States/pass1/Next", "Missing 'Next' target: pass3"),
            (TARGET, "/States/pass2", 'State "pass2" is not reachable.'),
        ],
    ),
    "goes round for ever": (
        # AWS names no place here: https://github.com/floci-io/floci/pull/2786
        defined(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}),
        [("MISSING_END_STATE", None, "Workflow has no terminal state")],
    ),
    "a choice to nowhere": (
        defined(
            C={
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "X"}],
                "Default": "Y",
            },
            Z={"Type": "Succeed"},
        ),
        [
            (TARGET, "/States/C/Default", "Missing 'Next' target: Y"),
            (TARGET, "/States/C/Choices[0]/Next", "Missing 'Next' target: X"),
            (TARGET, "/States/Z", "not reachable"),
        ],
    ),
    "a catch to nowhere": (
        defined(T={**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "X"}], **END}),
        [(TARGET, "/States/T/Catch[0]/Next", "Missing 'Next' target: X")],
    ),
    "an unknown type": (defined(A={"Type": "Tsak", **END}), [(SCHEMA, "/States/A/Type", "Task")]),
    "no type": (defined(A=END), [(SCHEMA, "/States/A", "These fields are required: [Type]")]),
    "neither Next nor End": (
        defined(A={"Type": "Pass"}, B={"Type": "Succeed"}),
        [(TARGET, "/States/B", "not reachable"), (SCHEMA, "/States/A", "[Next, End]")],
    ),
    "a retry where none is": (
        # https://github.com/floci-io/floci/issues/2735 has AWS's words
        defined(A={"Type": "Pass", "Retry": [], "Catch": [], "TimeoutSeconds": 1, **END}),
        [
            (SCHEMA, "/States/A", "Field 'Retry' is not supported"),
            (SCHEMA, "/States/A", "Field 'Catch' is not supported"),
            (SCHEMA, "/States/A", "Field 'TimeoutSeconds' is not supported"),
        ],
    ),
    "no resource": (defined(A={"Type": "Task", **END}), [(SCHEMA, "/States/A", "[Resource]")]),
    "a resource that is no ARN": (
        # https://github.com/aws/aws-sam-cli-app-templates/issues/185
        defined(A={"Type": "Task", "Resource": "${F}", **END}),
        [(SCHEMA, "/States/A/Resource", "Value is not a valid resource ARN")],
    ),
    "an unknown integration": (
        defined(A={"Type": "Task", "Resource": "arn:aws:states:::sns:shout", **END}),
        [(SCHEMA, "/", "arn:aws:states:::sns:shout")],
    ),
    "a path that is none": (
        defined(A={"Type": "Pass", "Parameters": {"a": {"x.$": "x"}}, **END}),
        [(SCHEMA, "/States/A/Parameters/a", "'x.$' must be a valid JSONPath or a valid intrinsic")],
    ),
    "an InputPath that is none": (
        defined(A={"Type": "Pass", "InputPath": "detail", **END}),
        [(SCHEMA, "/States/A/InputPath", "JSONPath")],
    ),
    "a wait of many kinds": (
        defined(A={"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", **END}),
        [(SCHEMA, "/States/A", "One and only one of these fields is required: [Seconds")],
    ),
    "a wait of text": (
        defined(A={"Type": "Wait", "Seconds": "1", **END}),
        [(SCHEMA, "/States/A/Seconds", "integer")],
    ),
    "a timeout of nothing": (
        defined(A={**TASK, "TimeoutSeconds": 0, **END}),
        [(SCHEMA, "/States/A/TimeoutSeconds", "positive integer")],
    ),
    "a heartbeat after the timeout": (
        defined(A={**TASK, "TimeoutSeconds": 5, "HeartbeatSeconds": 5, **END}),
        [(SCHEMA, "/States/A/HeartbeatSeconds", "smaller")],
    ),
    "a choice without a comparison": (
        defined(
            A={"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "B"}]}, B={"Type": "Fail"}
        ),
        [(SCHEMA, "/States/A/Choices[0]", "comparison")],
    ),
    "a choice without a variable, deep inside": (
        defined(
            A={
                "Type": "Choice",
                "Choices": [{"And": [{"Not": {"IsNull": True}}], "Next": "B"}],
            },
            B={"Type": "Fail"},
        ),
        [(SCHEMA, "/States/A/Choices[0]/And[0]/Not[0]", "[Variable]")],
    ),
    "States.ALL among others": (
        defined(A={**TASK, "Retry": [{"ErrorEquals": ["States.ALL", "X"]}], **END}),
        [(SCHEMA, "/States/A/Retry[0]/ErrorEquals", "alone")],
    ),
    "a retrier with a field that there is not": (
        defined(A={**TASK, "Retry": [{"ErrorEquals": ["X"], "MaxAttempt": 2}], **END}),
        [(SCHEMA, "/States/A/Retry[0]", "Field 'MaxAttempt' is not supported")],
    ),
    "a retrier whose numbers are none": (
        defined(
            A={
                **TASK,
                "Retry": [
                    {
                        "ErrorEquals": ["X"],
                        "IntervalSeconds": 0,
                        "MaxAttempts": "2",
                        "BackoffRate": 0.5,
                        "MaxDelaySeconds": 31_622_400,
                        "JitterStrategy": "SOME",
                    }
                ],
                **END,
            }
        ),
        [
            (SCHEMA, "/States/A/Retry[0]/IntervalSeconds", "from 1 to 99999999"),
            (SCHEMA, "/States/A/Retry[0]/MaxAttempts", "from 0 to 99999999"),
            (SCHEMA, "/States/A/Retry[0]/MaxDelaySeconds", "from 1 to 31622399"),
            (SCHEMA, "/States/A/Retry[0]/BackoffRate", "at least 1.0"),
            (SCHEMA, "/States/A/Retry[0]/JitterStrategy", "one of [FULL, NONE]"),
        ],
    ),
    "a catcher of the other language": (
        defined(A={**TASK, "Catch": [{"ErrorEquals": ["X"], "Next": "A", "Output": {}}], **END}),
        [(SCHEMA, "/States/A/Catch[0]", "Field 'Output' is not supported")],
    ),
    "a batcher whose number is a text": (
        defined(
            M={
                "Type": "Map",
                "ItemProcessor": DONE,
                "ItemBatcher": {"MaxItemsPerBatch": "100"},
                **END,
            }
        ),
        [(SCHEMA, "/States/M/ItemBatcher/MaxItemsPerBatch", "positive integer")],
    ),
    "a batcher that is a number": (
        defined(M={"Type": "Map", "ItemProcessor": DONE, "ItemBatcher": 100, **END}),
        [(SCHEMA, "/States/M/ItemBatcher", "type Object")],
    ),
    "a mistake in a branch": (
        defined(P={"Type": "Parallel", "Branches": [DONE, FAIL, {"StartAt": "A"}], **END}),
        [(SCHEMA, "/States/P/Branches[2]", "[States]")],
    ),
    "a map without a processor": (
        defined(M={"Type": "Map", **END}),
        [(SCHEMA, "/States/M", "[ItemProcessor, Iterator]")],
    ),
    "a writer that writes nothing": (
        defined(M={"Type": "Map", "ItemProcessor": DONE, "ResultWriter": {}, **END}),
        [(SCHEMA, "/States/M/ResultWriter", "not empty")],
    ),
    "a transformation that is none": (
        defined(
            M={
                "Type": "Map",
                "ItemProcessor": DONE,
                "ResultWriter": {"WriterConfig": {"Transformation": "ZIP"}},
                **END,
            }
        ),
        [(SCHEMA, "/States/M/ResultWriter/WriterConfig/Transformation", "COMPACT")],
    ),
    "a name twice": (
        defined(Done={"Type": "Map", "ItemProcessor": DONE, **END}),
        [("DUPLICATE_STATE_NAME", None, '"Done"')],
    ),
    "a key twice": (
        '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Fail"}}}',
        [("DUPLICATE_STATE_NAME", None, '"A"')],
    ),
    "a long name": (
        {"StartAt": "a" * 81, "States": {"a" * 81: {"Type": "Succeed"}}},
        [("INVALID_STATE_NAME", f"/States/{'a' * 81}", "80")],
    ),
    "JSONata in JSONPath": (
        # https://github.com/floci-io/floci/issues/2968 has AWS's words for these three
        defined(A={"Type": "Pass", "Output": 1, **END}),
        [
            (
                SCHEMA,
                "/States/A",
                "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported "
                "for the 'JSONata' QueryLanguage",
            )
        ],
    ),
    "JSONPath under JSONata": (
        {**JSONATA, **defined(A={"Type": "Pass", "QueryLanguage": "JSONPath", **END})},
        [(SCHEMA, "/States/A", "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata'")],
    ),
    "a language for the items": (
        defined(M={"Type": "Map", "ItemProcessor": {**JSONATA, **DONE}, **END}),
        [(SCHEMA, "/States/M/ItemProcessor", "Field 'QueryLanguage' is not supported")],
    ),
    "JSONPath in JSONata": (
        {**JSONATA, **defined(A={"Type": "Pass", "ResultPath": "$.a", **END})},
        [(SCHEMA, "/States/A", "'ResultPath' is only supported for the 'JSONPath'")],
    ),
    "no JSONata": (
        {**JSONATA, **defined(A={"Type": "Pass", "Output": {"v": ["{% 1 + %}"]}, **END})},
        [("INVALID_JSONATA_EXPRESSION", "/States/A/Output/v[0]", "")],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_told_with_its_place(lesson: Lesson, name: str) -> None:
    definition, expected = BROKEN[name]
    text = definition if isinstance(definition, str) else json.dumps(definition)
    told = lesson.states.validate_state_machine_definition(definition=text)
    found = [(each["code"], each.get("location")) for each in told["diagnostics"]]
    assert found == [(code, location) for code, location, _ in expected]
    for each, (_, _, words) in zip(told["diagnostics"], expected, strict=True):
        assert words in each["message"]
        assert each["severity"] == "ERROR"
    assert (told["result"], told["truncated"]) == ("FAIL", False)
    code, message = lesson.refused(
        "create_state_machine", name="x", definition=text, roleArn=lesson.role
    )
    assert code == "InvalidDefinition"
    for each in told["diagnostics"]:
        assert f"{each['code']}: {each['message']}" in message


def test_a_definition_that_was_refused_leaves_nothing_to_the_next(lesson: Lesson) -> None:
    unknown = {"Type": "Task", "Resource": "arn:aws:states:::sns:shout", **END}
    broken = {**JSONATA, **defined(A=unknown)}
    told = lesson.states.validate_state_machine_definition(definition=json.dumps(broken))
    assert told["result"] == "FAIL"
    picks = defined(A={"Type": "Pass", "InputPath": "$.a", "Comment": uuid.uuid4().hex, **END})
    told = lesson.ended(lesson.start(picks, input='{"a": 1}'))
    assert (told["status"], told["output"]) == ("SUCCEEDED", "1")


DOUBTFUL = defined(
    A={"Type": "Pass", "Parameters": {"a": "$.b", "c": "States.UUID()"}, "Next": "B"},
    B={"Type": "Pass", "Result": {"d.$": "$.e"}, "Next": "C"},
    C={"Type": "Fail", "Error": "$.error"},
)


def test_warnings_are_told_where_they_are_asked_for(lesson: Lesson) -> None:
    validate = lesson.states.validate_state_machine_definition
    text = json.dumps(DOUBTFUL)
    assert validate(definition=text)["diagnostics"] == []
    told = validate(definition=text, severity="WARNING")
    assert told["result"] == "OK"
    assert [(each["severity"], each["code"], each["location"]) for each in told["diagnostics"]] == [
        ("WARNING", "NO_DOLLAR", "/States/A/Parameters/a"),
        ("WARNING", "NO_DOLLAR", "/States/A/Parameters/c"),
        ("WARNING", "PASS_RESULT_IS_STATIC", "/States/B/Result/d.$"),
        ("WARNING", "NO_PATH", "/States/C/Error"),
    ]
    told = validate(definition=text, severity="WARNING", maxResults=1)
    assert (len(told["diagnostics"]), told["truncated"]) == (1, True)
    lesson.create(DOUBTFUL)


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:::sns:publish.waitForTaskToken",
        "arn:aws:states:::states:startExecution.sync:2",
        f"{STATES}:activity:a",
    ],
)
def test_an_express_machine_cannot_wait_for_others(lesson: Lesson, resource: str) -> None:
    text = json.dumps(defined(A={"Type": "Task", "Resource": resource, **END}))
    validate = lesson.states.validate_state_machine_definition
    told = validate(definition=text, type="EXPRESS")
    assert told["result"] == "FAIL"
    assert told["diagnostics"][0]["location"] == "/States/A/Resource"
    found = validate(definition=text)["diagnostics"]
    assert "/States/A/Resource" not in [each.get("location") for each in found]
