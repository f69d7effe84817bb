"""Paths and expressions that fail, and variables: the events that AWS writes, with their source."""

# ruff: noqa: E501 - an event is a line

from __future__ import annotations

import json
from concurrent.futures import Future

import pytest

from tests.localaws.histories import (
    ALL,
    MISSING,
    NO_NUMBER,
    PASS,
    PUBLISH,
    UNDEFINED,
    UNDEFINED_OUTPUT,
    Row,
    check,
    error,
    evaluation,
    jsonata,
    map_of,
    parallel,
    plain,
    within,
)
from tests.localaws.laboratory import (
    DG,
    MEASURED,
    Laboratory,
    machine,
    task,
)

ROWS = {
    # --- failures of paths and expressions
    "JSONPath, a path that is not there": Row(
        machine(A={"Type": "Pass", "Parameters": {"a.$": "$.nope"}, "End": True}),
        f"""
        PassStateEntered 0 A
        ExecutionFailed 2 {error("States.Runtime", MISSING)}
        """,
        MEASURED,
    ),
    "JSONPath, an intrinsic function's argument that is not there": Row(
        machine(
            A={"Type": "Pass", "Parameters": {"v.$": "States.Format('{}', $.nope)"}, "End": True}
        ),
        f"""
        PassStateEntered 0 A
        ExecutionFailed 2 {error("States.Runtime", within("A", 2, "The function 'States.Format('{}', $.nope)' had the following error: The JsonPath argument for the field '$.nope' could not be found in the input '{}'"))}
        """,
        "https://github.com/localstack/localstack/issues/9706",
    ),
    "JSONPath, ResultPath in what holds no fields": Row(
        machine(A={"Type": "Pass", "Result": 1, "ResultPath": "$.x", "End": True}),
        """
        PassStateEntered 0 A
        ExecutionFailed 2 {"error": "States.ResultPathMatchFailure"}
        """,
        f"{DG}/concepts-error-handling.html",
        "text",
    ),
    "JSONata, undefined": Row(
        jsonata(U={"Type": "Pass", "Output": {"v": "{% " + UNDEFINED + " %}"}, "End": True}),
        f"""
        PassStateEntered 0 U
        EvaluationFailed 2 {json.dumps(json.loads(UNDEFINED_OUTPUT.replace("#4", "#2")) | {"location": "Output/v", "state": "U"})}
        ExecutionFailed 3 {UNDEFINED_OUTPUT.replace("#4", "#2")}
        """,
        MEASURED,
    ),
    "JSONata, an error": Row(
        jsonata(A={"Type": "Pass", "Output": "{% $abs('x') %}", "End": True}),
        f"""
        PassStateEntered 0 A
        EvaluationFailed 2 {{"state": "A", "location": "Output"}}
        ExecutionFailed 3 {evaluation("A", 2, "Output", "$abs('x')", NO_NUMBER)}
        """,
        "https://github.com/floci-io/floci/issues/2736",
    ),
    "JSONata, once for each attempt": Row(
        jsonata(
            A=task(
                PUBLISH,
                Arguments={"TopicArn": "<topic>", "Message": "{% " + UNDEFINED + " %}"},
                Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}],
            )
        ),
        """
        TaskStateEntered 0 A
        EvaluationFailed 2 {"location": "Arguments/Message", "state": "A"}
        EvaluationFailed 3 {"location": "Arguments/Message", "state": "A"}
        ExecutionFailed 4 {"error": "States.QueryEvaluationError"}
        """,
        MEASURED,
    ),
    "JSONata, in a branch, caught": Row(
        parallel(
            plain(U={"Type": "Pass", "Output": {"v": "{% " + UNDEFINED + " %}"}, "End": True}),
            Catch=ALL,
        )
        | {"QueryLanguage": "JSONata"},
        f"""
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        PassStateEntered 3 U
        EvaluationFailed 4 {{"location": "Output/v", "state": "U"}}
        ParallelStateFailed 5
        ParallelStateExited 6 A {json.dumps({"output.Cause": json.loads(UNDEFINED_OUTPUT)["cause"]})}
        PassStateEntered 7 X
        PassStateExited 8 X
        ExecutionSucceeded 9
        """,
        MEASURED,
    ),
    "JSONata, a condition that is no boolean": Row(
        jsonata(
            A={"Type": "Choice", "Choices": [{"Condition": "{% 'yes' %}", "Next": "B"}]}, B=PASS
        ),
        """
        ChoiceStateEntered 0 A
        EvaluationFailed 2 {"location": "Choices[0]/Condition", "state": "A"}
        ExecutionFailed 3 {"error": "States.QueryEvaluationError"}
        """,
        f"{DG}/transforming-data.html",
    ),
    "JSONata, items that are no array": Row(
        map_of(plain(I=PASS), Items="{% $states.input.l %}") | {"QueryLanguage": "JSONata"},
        f"""
        MapStateEntered 0 A
        EvaluationFailed 2 {{"location": "Items", "state": "A"}}
        MapStateFailed 3
        ExecutionFailed 4 {evaluation("A", 2, "Items", "$states.input.l", "returned an unexpected result type. Expected 'array', but was 'number' for value: 1")}
        """,
        MEASURED,
        {"l": 1},
    ),
    "JSONata, variables are in the event": Row(
        jsonata(A={"Type": "Pass", "Assign": {"q": 'say "hi"\n', "n": "{% 1 + 1 %}"}, "End": True}),
        """
        PassStateEntered 0 A
        PassStateExited 2 A {"assignedVariables": {"q": "\\"say \\\\\\"hi\\\\\\"\\\\n\\"", "n": "2"}}
        ExecutionSucceeded 3
        """,
        f"{DG}/workflow-variables.html",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_history(name: str, lab: Laboratory, executions: dict[str, Future[str]]) -> None:
    check(ROWS[name], lab, executions[name].result())
