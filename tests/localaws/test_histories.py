"""Every state type and outcome leaves the events that AWS writes: one row each, with its source.

A line of a row is an event: type, previousEventId, the state's name if it has one, and those
details that matter, as JSON. ``<function>`` and the like are the laboratory's.
"""

# ruff: noqa: E501 - an event is a line

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from helpers.session import Session
from tests.localaws.laboratory import (
    API,
    DG,
    MEASURED,
    RECORDED,
    REDRIVEN,
    Document,
    Events,
    Laboratory,
    Meanwhile,
    furnish,
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


def _token(lab: Laboratory, execution: str) -> str:
    events = lab.history(execution, "TaskSubmitted")
    scheduled = next(event for event in events if event["type"] == "TaskScheduled")
    return json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Message"]


def _succeed(lab: Laboratory, execution: str) -> None:
    states = lab.aws.client("stepfunctions")
    states.send_task_success(taskToken=_token(lab, execution), output='{"a":1}')


def _fail(lab: Laboratory, execution: str) -> None:
    states = lab.aws.client("stepfunctions")
    states.send_task_failure(taskToken=_token(lab, execution), error="E", cause="C")


def _stop(lab: Laboratory, execution: str) -> None:
    lab.history(execution, "WaitStateEntered")
    lab.aws.client("stepfunctions").stop_execution(executionArn=execution, error="E", cause="C")


def _work(*steps: str) -> Meanwhile:
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
                    _settled(lab, execution, "ActivitySucceeded", steps[: steps.index(step) + 1])
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


def _redrive(lab: Laboratory, execution: str) -> None:
    lab.ended(execution)
    lab.aws.client("stepfunctions").redrive_execution(executionArn=execution)
    lab.ended(execution)


# --- definitions -------------------------------------------------------------------------


def _ask(**fields: Any) -> Document:
    parameters = {"TopicArn": "<topic>", "Message.$": "$$.Task.Token"}
    return machine(A=task(f"{PUBLISH}.waitForTaskToken", Parameters=parameters, **fields))


def _nested(pattern: str, child: str = "<child>") -> Document:
    parameters = {"StateMachineArn": child, "Input": {"a": 1}}
    return machine(A=task(START + pattern, Parameters=parameters))


def _choice(**fields: Any) -> Document:
    rule = {"Variable": "$.a", "NumericEquals": 1, "Next": "B"}
    default = {"C": PASS} if "Default" in fields else {}
    return machine(A={"Type": "Choice", "Choices": [rule], **fields}, B=PASS, **default)


def _parallel(*branches: Document, **fields: Any) -> Document:
    ending = {"Next": "X"} if "Catch" in fields else {"End": True}
    state = {"Type": "Parallel", "Branches": list(branches), **ending, **fields}
    return machine(A=state, X=PASS) if "Catch" in fields else machine(A=state)


def _map(processor: Document, **fields: Any) -> Document:
    ending = {"Next": "X"} if "Catch" in fields else {"End": True}
    state = {"Type": "Map", "ItemProcessor": processor, **ending, **fields}
    return machine(A=state, X=PASS) if "Catch" in fields else machine(A=state)


def _distributed(processor: Document, **fields: Any) -> Document:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    return _map({"ProcessorConfig": config, **processor}, Label="L", **fields)


def _reader(key: str, **config: Any) -> Document:
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": "laboratory", "Key": key},
    }


def _jsonata(**states: Document) -> Document:
    return machine("JSONata", **states)


def _plain(**states: Document) -> Document:
    """A machine inside another: it has no QueryLanguage of its own."""
    return {"StartAt": next(iter(states)), "States": states}


SECOND_FAILS = _plain(
    C={
        "Type": "Choice",
        "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Bad"}],
        "Default": "Ok",
    },
    Bad=FAIL,
    Ok=PASS,
)
WAIT = {"Type": "Wait", "Seconds": 1, "End": True}
LONG = _plain(Long={"Type": "Wait", "Seconds": 30, "End": True})
UNDEFINED = "$states.input.missing"
RETRY = {
    "ErrorEquals": ["ValueError"],
    "IntervalSeconds": 1,
    "MaxAttempts": 2,
    "BackoffRate": 1.5,
    "MaxDelaySeconds": 1,
    "JitterStrategy": "FULL",
}


def _in(state: str, entered: int, what: str) -> str:
    return f"An error occurred while executing the state '{state}' (entered at the event id #{entered}). {what}"


def _error(error: str, cause: str | None = None) -> str:
    return json.dumps({"error": error} | ({"cause": cause} if cause else {}))


MISSING = _in(
    "A",
    2,
    "The JSONPath '$.nope' specified for the field 'a.$' could not be found in the input '{}'",
)
THRESHOLD = _error(
    "States.ExceedToleratedFailureThreshold",
    "The specified tolerated failure threshold was exceeded",
)
TOO_BIG = (
    "The state/task '{}' returned a result with a size exceeding the maximum number of bytes "
    "service limit."
)


def _evaluation(state: str, entered: int, field: str, expression: str, what: str) -> str:
    cause = _in(
        state,
        entered,
        f"The JSONata expression '{expression}' specified for the field '{field}' {what}",
    )
    return _error("States.QueryEvaluationError", cause)


NO_NUMBER = (
    'threw an error during evaluation. T0410: Argument 1 of function "abs" does not match '
    "function signature"
)
UNDEFINED_OUTPUT = _evaluation("U", 4, "Output/v", UNDEFINED, "returned nothing (undefined).")

TRACE = '  File "/var/task/app.py", line 6, in handler\n    raise ValueError(event["fail"])\n'
FAILED_CALL = """
    TaskStateEntered 0 A
    LambdaFunctionScheduled 2 {"resource": "<function>", "input": {"fail": "no"}}
    LambdaFunctionStarted 3
    LambdaFunctionFailed 4 {"error": "ValueError"}
"""

ROWS = {
    # --- Pass, Succeed, Fail
    "Pass": Row(
        machine(A={"Type": "Pass", "Result": {"b": 1}, "ResultPath": "$.a", "End": True}),
        """
        PassStateEntered 0 A {"input": {}}
        PassStateExited 2 A {"output": {"a": {"b": 1}}}
        ExecutionSucceeded 3 {"output": {"a": {"b": 1}}}
        """,
        f"{DG}/state-pass.html",
    ),
    "Succeed": Row(
        machine(A={"Type": "Succeed"}),
        """
        SucceedStateEntered 0 A
        SucceedStateExited 2 A
        ExecutionSucceeded 3 {"output": {}}
        """,
        f"{DG}/state-succeed.html",
    ),
    "Fail with Error and Cause": Row(
        machine(A=FAIL),
        """
        FailStateEntered 0 A
        ExecutionFailed 2 {"error": "E", "cause": "C"}
        """,
        f"{DG}/state-fail.html",
    ),
    "Fail with ErrorPath and CausePath": Row(
        machine(A={"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('c {}', $.e)"}),
        """
        FailStateEntered 0 A
        ExecutionFailed 2 {"error": "boom", "cause": "c boom"}
        """,
        f"{DG}/state-fail.html",
        {"e": "boom"},
    ),
    "Pass, an output that is too big": Row(
        _jsonata(
            A={"Type": "Pass", "Output": WHOLE, "Next": "B"},
            B={"Type": "Pass", "Output": "{% $states.input & 'x' %}", "End": True},
        ),
        f"""
        PassStateEntered 0 A
        PassStateExited 2 A
        PassStateEntered 3 B
        ExecutionFailed 4 {_error("States.DataLimitExceeded", TOO_BIG.format("B"))}
        """,
        f"{DG}/concepts-error-handling.html",
    ),
    # --- Task
    "Task, Lambda ARN": Row(
        machine(A=task("<function>")),
        """
        TaskStateEntered 0 A {"input": {"x": 1}}
        LambdaFunctionScheduled 2 {"resource": "<function>", "input": {"x": 1}}
        LambdaFunctionStarted 3
        LambdaFunctionSucceeded 4 {"output": {"x": 1}}
        TaskStateExited 5 A {"output": {"x": 1}}
        ExecutionSucceeded 6 {"output": {"x": 1}}
        """,
        f"{RECORDED}/services/test_lambda_task.snapshot.json",
        {"x": 1},
    ),
    "Task, Lambda ARN, failing": Row(
        machine(A=task("<function>")),
        FAILED_CALL
        + f"""ExecutionFailed 5 {{"error": "ValueError", "cause.errorMessage": "no", "cause.stackTrace": {json.dumps([TRACE])}}}""",
        f"{RECORDED}/error_handling/test_task_lambda.snapshot.json",
        {"fail": "no"},
    ),
    "Task, lambda:invoke": Row(
        machine(A=task(INVOKE, Parameters={"FunctionName": "<function>", "Payload.$": "$"})),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resourceType": "lambda", "resource": "invoke", "region": "us-east-1", "parameters": {"FunctionName": "<function>", "Payload": {"x": 1}}}
        TaskStarted 3 {"resourceType": "lambda", "resource": "invoke"}
        TaskSucceeded 4 {"resourceType": "lambda", "resource": "invoke", "output.SdkHttpMetadata.HttpStatusCode": 200}
        TaskStateExited 5 A {"output.ExecutedVersion": "$LATEST", "output.Payload": {"x": 1}, "output.StatusCode": 200, "output.SdkHttpMetadata.HttpHeaders.Content-Length": "8"}
        ExecutionSucceeded 6
        """,
        f"{RECORDED}/services/test_lambda_task_service.snapshot.json",
        {"x": 1},
    ),
    "Task, sns:publish": Row(
        machine(A=task(PUBLISH, Parameters={"TopicArn": "<topic>", "Message": {"a": 1}})),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resourceType": "sns", "resource": "publish", "parameters": {"TopicArn": "<topic>", "Message": {"a": 1}}}
        TaskStarted 3 {"resourceType": "sns", "resource": "publish"}
        TaskSucceeded 4 {"resourceType": "sns", "resource": "publish", "output.SdkHttpMetadata.AllHttpHeaders.Content-Type": ["text/xml"]}
        TaskStateExited 5 A {"output.SdkHttpMetadata.HttpStatusCode": 200}
        ExecutionSucceeded 6
        """,
        f"{RECORDED}/services/test_sns_task_service.snapshot.json",
    ),
    "Task, AWS SDK integration": Row(
        machine(
            A=task(
                "arn:aws:states:::aws-sdk:iam:getRole",
                Parameters={"RoleName": "laboratory"},
                ResultSelector={"Arn.$": "$.Role.Arn"},
            )
        ),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resourceType": "aws-sdk:iam", "resource": "getRole", "parameters": {"RoleName": "laboratory"}}
        TaskStarted 3 {"resourceType": "aws-sdk:iam", "resource": "getRole"}
        TaskSucceeded 4 {"resourceType": "aws-sdk:iam", "resource": "getRole"}
        TaskStateExited 5 A {"output": {"Arn": "<role>"}}
        ExecutionSucceeded 6 {"output": {"Arn": "<role>"}}
        """,
        f"{DG}/supported-services-awssdk.html",
    ),
    "Task, AWS SDK integration, failing": Row(
        machine(A=task("arn:aws:states:::aws-sdk:iam:getRole", Parameters={"RoleName": "no"})),
        """
        TaskStateEntered 0 A
        TaskScheduled 2
        TaskStarted 3
        TaskFailed 4 {"error": "Iam.NoSuchEntityException", "resourceType": "aws-sdk:iam", "resource": "getRole"}
        ExecutionFailed 5 {"error": "Iam.NoSuchEntityException"}
        """,
        f"{DG}/supported-services-awssdk.html",
    ),
    "Task, a path that is not there": Row(
        machine(A=task("<function>", Parameters={"a.$": "$.nope"}, Catch=ALL), X=PASS),
        f"""
        TaskStateEntered 0 A
        ExecutionFailed 2 {_error("States.Runtime", MISSING)}
        """,
        MEASURED,
    ),
    "Task, an answer that is too big": Row(
        machine(A=task("<function>")),
        f"""
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        LambdaFunctionFailed 4 {_error("States.DataLimitExceeded", TOO_BIG.format("<function>"))}
        ExecutionFailed 5 {_error("States.DataLimitExceeded", TOO_BIG.format("<function>"))}
        """,
        f"{RECORDED}/error_handling/test_states_errors.snapshot.json",
        {"big": 300_000},
    ),
    "Task, an answer that is too big passes the wildcards": Row(
        machine(A=task("<function>", Retry=EVERYTHING, Catch=ALL, Next="X"), X=PASS),
        f"""
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        LambdaFunctionFailed 4
        ExecutionFailed 5 {_error("States.DataLimitExceeded", TOO_BIG.format("<function>"))}
        """,
        f"{DG}/concepts-error-handling.html",
        {"big": 300_000},
    ),
    "Task, an answer that is too big, caught by its name": Row(
        machine(
            A=task(
                "<function>",
                Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "X"}],
                Next="X",
            ),
            X=PASS,
        ),
        """
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        LambdaFunctionFailed 4
        TaskStateExited 5 A {"output.Error": "States.DataLimitExceeded"}
        PassStateEntered 6 X
        PassStateExited 7 X
        ExecutionSucceeded 8
        """,
        f"{DG}/concepts-error-handling.html",
        {"big": 300_000},
    ),
    "Task, a function that is not there": Row(
        machine(A=task("<function>-not")),
        """
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2 {"resource": "<function>-not"}
        LambdaFunctionStarted 3
        LambdaFunctionFailed 4 {"error": "Lambda.ResourceNotFoundException"}
        ExecutionFailed 5 {"error": "Lambda.ResourceNotFoundException"}
        """,
        f"{DG}/concepts-error-handling.html",
    ),
    "Task, more calls than the function's concurrency": Row(
        machine(A=task("<closed>")),
        """
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        LambdaFunctionFailed 4 {"error": "Lambda.TooManyRequestsException"}
        ExecutionFailed 5 {"error": "Lambda.TooManyRequestsException"}
        """,
        f"{DG}/concepts-error-handling.html",
    ),
    # --- callbacks
    "Callback, success": Row(
        _ask(),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resourceType": "sns", "resource": "publish.waitForTaskToken"}
        TaskStarted 3 {"resourceType": "sns", "resource": "publish.waitForTaskToken"}
        TaskSubmitted 4 {"resourceType": "sns", "resource": "publish.waitForTaskToken"}
        TaskSucceeded 5 {"resource": "publish.waitForTaskToken", "output": {"a": 1}}
        TaskStateExited 6 A {"output": {"a": 1}}
        ExecutionSucceeded 7 {"output": {"a": 1}}
        """,
        f"{RECORDED}/callback/test_callback.snapshot.json",
        meanwhile=_succeed,
    ),
    "Callback, failure": Row(
        _ask(),
        """
        TaskStateEntered 0 A
        TaskScheduled 2
        TaskStarted 3
        TaskSubmitted 4
        TaskFailed 5 {"error": "E", "cause": "C", "resource": "publish.waitForTaskToken"}
        ExecutionFailed 6 {"error": "E", "cause": "C"}
        """,
        f"{RECORDED}/callback/test_callback.snapshot.json",
        meanwhile=_fail,
    ),
    "Callback, timeout": Row(
        _ask(TimeoutSeconds=20),  # a busy computer takes a while to publish
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"timeoutInSeconds": 20}
        TaskStarted 3
        TaskSubmitted 4
        TaskTimedOut 5 {"error": "States.Timeout", "resource": "publish.waitForTaskToken"}
        ExecutionFailed 6 {"error": "States.Timeout"}
        """,
        f"{RECORDED}/callback/test_callback.snapshot.json",
    ),
    "Callback, missed heartbeat": Row(
        _ask(HeartbeatSeconds=1, TimeoutSeconds=60),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"timeoutInSeconds": 60, "heartbeatInSeconds": 1}
        TaskStarted 3
        TaskSubmitted 4
        TaskTimedOut 5 {"error": "States.Timeout"}
        ExecutionFailed 6 {"error": "States.Timeout"}
        """,
        f"{RECORDED}/timeouts/test_heartbeats.snapshot.json",
    ),
    # --- activities
    "Activity, success": Row(
        machine(A=task("<activity>1", HeartbeatSeconds=30, TimeoutSeconds=60)),
        """
        TaskStateEntered 0 A
        ActivityScheduled 2 {"resource": "<activity>1", "input": 1, "timeoutInSeconds": 60, "heartbeatInSeconds": 30}
        ActivityStarted 3 {"workerName": "me"}
        ActivitySucceeded 4 {"output": 10}
        TaskStateExited 5 A {"output": 10}
        ExecutionSucceeded 6 {"output": 10}
        """,
        f"{RECORDED}/activities/test_activities.snapshot.json",
        1,
        _work("take", "beat 1", "succeed 1"),
    ),
    "Activity, failure": Row(
        machine(A=task("<activity>2")),
        """
        TaskStateEntered 0 A
        ActivityScheduled 2
        ActivityStarted 3
        ActivityFailed 4 {"error": "E", "cause": "C"}
        ExecutionFailed 5 {"error": "E", "cause": "C"}
        """,
        f"{RECORDED}/activities/test_activities.snapshot.json",
        meanwhile=_work("take", "fail {}"),
    ),
    "Activity, that no worker takes": Row(
        machine(A=task("<activity>3", TimeoutSeconds=1)),
        """
        TaskStateEntered 0 A
        ActivityScheduled 2 {"timeoutInSeconds": 1}
        ActivityTimedOut 3 {"error": "States.Timeout"}
        ExecutionFailed 4 {"error": "States.Timeout"}
        """,
        f"{API}/API_ActivityTimedOutEventDetails.html",
    ),
    "Activity, missed heartbeat": Row(
        machine(
            A=task(
                "<activity>4",
                HeartbeatSeconds=1,
                TimeoutSeconds=60,
                Catch=[{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "X"}],
            ),
            X=PASS,
        ),
        """
        TaskStateEntered 0 A
        ActivityScheduled 2
        ActivityStarted 3
        ActivityTimedOut 4 {"error": "States.Timeout"}
        TaskStateExited 5 A {"output": {"Error": "States.Timeout", "Cause": ""}}
        PassStateEntered 6 X
        PassStateExited 7 X
        ExecutionSucceeded 8
        """,
        f"{DG}/concepts-error-handling.html",
        meanwhile=_work("take"),
    ),
    "Activity, that is not there": Row(
        machine(A=task("<activity>-none")),
        f"""
        TaskStateEntered 0 A
        ExecutionFailed 2 {_error("States.Runtime", _in("A", 2, "The activity <activity>-none does not exist."))}
        """,
        f"{RECORDED}/activities/test_activities.snapshot.json",
    ),
    # --- nested executions
    "Nested, request and response": Row(
        _nested(""),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resourceType": "states", "resource": "startExecution", "parameters": {"StateMachineArn": "<child>", "Input": {"a": 1}}}
        TaskStarted 3 {"resourceType": "states", "resource": "startExecution"}
        TaskSucceeded 4 {"resourceType": "states", "resource": "startExecution"}
        TaskStateExited 5 A
        ExecutionSucceeded 6
        """,
        f"{RECORDED}/services/test_sfn_task_service.snapshot.json",
    ),
    "Nested, .sync": Row(
        _nested(".sync"),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resource": "startExecution.sync"}
        TaskStarted 3 {"resource": "startExecution.sync"}
        TaskSubmitted 4 {"resource": "startExecution.sync"}
        TaskSucceeded 5 {"resource": "startExecution.sync"}
        TaskStateExited 6 A {"output.Output": "{\\"k\\":1}", "output.Status": "SUCCEEDED"}
        ExecutionSucceeded 7
        """,
        f"{RECORDED}/services/test_sfn_task_service.snapshot.json",
    ),
    "Nested, .sync:2": Row(
        _nested(".sync:2"),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resource": "startExecution.sync:2"}
        TaskStarted 3
        TaskSubmitted 4
        TaskSucceeded 5
        TaskStateExited 6 A {"output.Output": {"k": 1}, "output.Input": {"a": 1}}
        ExecutionSucceeded 7
        """,
        f"{DG}/connect-stepfunctions.html",
    ),
    "Nested, .sync, failing": Row(
        _nested(".sync", "<broken>"),
        """
        TaskStateEntered 0 A
        TaskScheduled 2
        TaskStarted 3
        TaskSubmitted 4
        TaskFailed 5 {"error": "States.TaskFailed", "resource": "startExecution.sync", "cause.Error": "E", "cause.Status": "FAILED"}
        ExecutionFailed 6 {"error": "States.TaskFailed"}
        """,
        f"{RECORDED}/error_handling/test_task_service_sfn.snapshot.json",
    ),
    # --- Choice
    "Choice, a rule matches": Row(
        _choice(Default="C"),
        """
        ChoiceStateEntered 0 A
        ChoiceStateExited 2 A
        PassStateEntered 3 B
        PassStateExited 4 B
        ExecutionSucceeded 5
        """,
        f"{DG}/state-choice.html",
        {"a": 1},
    ),
    "Choice, the default": Row(
        _choice(Default="C"),
        """
        ChoiceStateEntered 0 A
        ChoiceStateExited 2 A
        PassStateEntered 3 C
        PassStateExited 4 C
        ExecutionSucceeded 5
        """,
        f"{DG}/state-choice.html",
        {"a": 2},
    ),
    "Choice, no rule matches": Row(
        _choice(),
        f"""
        ChoiceStateEntered 0 A
        ExecutionFailed 2 {_error("States.Runtime", _in("A", 2, "Failed to transition out of the state. The state does not point to a next state."))}
        """,
        MEASURED,
        {"a": 2},
    ),
    "Choice, a path that is not there": Row(
        _choice(Default="C"),
        f"""
        ChoiceStateEntered 0 A
        ExecutionFailed 2 {_error("States.Runtime", _in("A", 2, "Invalid path '$.a': The choice state's condition path references an invalid value."))}
        """,
        f"{DG}/state-choice.html",
        {"b": 1},
    ),
    # --- Wait
    **{
        f"Wait, {next(iter(until))}": Row(
            machine(A={"Type": "Wait", **until, "End": True}),
            """
            WaitStateEntered 0 A
            WaitStateExited 2 A
            ExecutionSucceeded 3
            """,
            f"{DG}/state-wait.html",
            {"s": 1, "t": "2020-01-01T00:00:00Z"},
        )
        for until in (
            {"Seconds": 1},
            {"SecondsPath": "$.s"},
            {"Timestamp": "2020-01-01T00:00:00Z"},
            {"TimestampPath": "$.t"},
        )
    },
    # --- Parallel
    "Parallel": Row(
        _parallel(_plain(B1=PASS), _plain(B2=WAIT)),  # it ends last
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        PassStateEntered 3 B1
        PassStateExited 4 B1
        WaitStateEntered 3 B2
        WaitStateExited 6 B2
        ParallelStateSucceeded 7
        ParallelStateExited 7 A {"output": [{"x": "a"}, {"x": "a"}]}
        ExecutionSucceeded 9
        """,
        MEASURED,
        {"x": "a"},
        any_order=True,
    ),
    "Parallel, one fails, the other waits": Row(
        _parallel(LONG, _plain(W={"Type": "Wait", "Seconds": 2, "Next": "Bad"}, Bad=FAIL)),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        WaitStateEntered 3 Long
        WaitStateEntered 3 W
        WaitStateExited 5 W
        FailStateEntered 6 Bad
        WaitStateAborted 7
        ParallelStateFailed 7
        ExecutionFailed 9 {"error": "E", "cause": "C"}
        """,
        MEASURED,
        any_order=True,
    ),
    "Parallel, a task fails and is caught": Row(
        _parallel(_plain(B=task("<function>")), Catch=[{**ALL[0], "ResultPath": "$.e"}]),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        TaskStateEntered 3 B
        LambdaFunctionScheduled 4
        LambdaFunctionStarted 5
        LambdaFunctionFailed 6 {"error": "ValueError"}
        TaskStateAborted 7
        ParallelStateFailed 7
        ParallelStateExited 9 A {"output.e.Error": "ValueError", "output.fail": "no"}
        PassStateEntered 10 X
        PassStateExited 11 X
        ExecutionSucceeded 12
        """,
        MEASURED,
        {"fail": "no"},
    ),
    "Parallel, a timeout in a branch is caught by its name": Row(
        _parallel(
            _plain(B=task("<function>", TimeoutSeconds=1)),
            Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "X"}],
        ),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        TaskStateEntered 3 B
        LambdaFunctionScheduled 4 {"timeoutInSeconds": 1}
        LambdaFunctionStarted 5
        LambdaFunctionTimedOut 6 {"error": "States.Timeout"}
        TaskStateAborted 7
        ParallelStateFailed 7
        ParallelStateExited 9 A
        PassStateEntered 10 X
        PassStateExited 11 X
        ExecutionSucceeded 12
        """,
        f"{DG}/concepts-error-handling.html",
        {"sleep": 4},
    ),
    "Parallel, tried again": Row(
        _parallel(
            _plain(Bad=FAIL),
            Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}],
        ),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        FailStateEntered 3 Bad
        ParallelStateStarted 4
        FailStateEntered 5 Bad
        ParallelStateFailed 6
        ExecutionFailed 7 {"error": "E", "cause": "C"}
        """,
        MEASURED,
    ),
    "Parallel, an output that is too big": Row(
        _parallel(_plain(B={"Type": "Pass", "Output": WHOLE, "End": True}), Catch=ALL)
        | {"QueryLanguage": "JSONata"},
        f"""
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        PassStateEntered 3 B
        PassStateExited 4 B
        ParallelStateSucceeded 5
        ExecutionFailed 5 {_error("States.DataLimitExceeded", TOO_BIG.format("A"))}
        """,
        f"{DG}/concepts-error-handling.html",
    ),
    "Parallel, a runtime error passes its Catch": Row(
        _parallel(
            _plain(B={"Type": "Pass", "Parameters": {"a.$": "$.nope"}, "End": True}), Catch=ALL
        ),
        f"""
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        PassStateEntered 3 B
        ExecutionFailed 4 {_error("States.Runtime", MISSING.replace("'A'", "'B'").replace("#2", "#4"))}
        """,
        MEASURED,
    ),
    # --- Map
    "Map": Row(
        _map(_plain(I=PASS), MaxConcurrency=1, ItemsPath="$.items"),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 2}
        MapIterationStarted 3 A {"index": 0}
        PassStateEntered 4 I {"input": 1}
        PassStateExited 5 I
        MapIterationSucceeded 6 A {"index": 0}
        MapIterationStarted 6 A {"index": 1}
        PassStateEntered 8 I {"input": 2}
        PassStateExited 9 I
        MapIterationSucceeded 10 A {"index": 1}
        MapStateSucceeded 11
        MapStateExited 11 A {"output": [1, 2]}
        ExecutionSucceeded 13
        """,
        f"{RECORDED}/scenarios/test_base_scenarios.snapshot.json",
        {"items": [1, 2]},
    ),
    "Map, no items": Row(
        _map(_plain(I=PASS)),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 0}
        MapStateSucceeded 3
        MapStateExited 3 A {"output": []}
        ExecutionSucceeded 5
        """,
        MEASURED,
        [],
    ),
    "Map, an iteration fails": Row(
        _map(SECOND_FAILS, MaxConcurrency=1),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 3}
        MapIterationStarted 3 A {"index": 0}
        ChoiceStateEntered 4 C
        ChoiceStateExited 5 C
        PassStateEntered 6 Ok
        PassStateExited 7 Ok
        MapIterationSucceeded 8 A {"index": 0}
        MapIterationStarted 8 A {"index": 1}
        ChoiceStateEntered 10 C
        ChoiceStateExited 11 C
        FailStateEntered 12 Bad
        MapIterationFailed 13 A {"index": 1}
        MapStateFailed 13
        ExecutionFailed 15 {"error": "E", "cause": "C"}
        """,
        MEASURED,
        [1, 2, 3],
    ),
    "Map, a task fails, the others are aborted": Row(
        _map(
            _plain(W={"Type": "Wait", "SecondsPath": "$.wait", "Next": "F"}, F=task("<function>"))
        ),
        """
        MapStateEntered 0 A
        MapStateStarted 2
        MapIterationStarted 3 A {"index": 0}
        WaitStateEntered 4 W
        MapIterationStarted 3 A {"index": 1}
        WaitStateEntered 6 W
        WaitStateExited 5 W
        TaskStateEntered 8 F
        LambdaFunctionScheduled 9
        LambdaFunctionStarted 10
        LambdaFunctionFailed 11
        MapIterationFailed 12 A {"index": 0}
        TaskStateAborted 12
        MapIterationAborted 12 A {"index": 1}
        WaitStateAborted 12
        MapStateFailed 12
        ExecutionFailed 17 {"error": "ValueError"}
        """,
        f"{RECORDED}/timeouts/test_timeouts.snapshot.json",
        [{"wait": 1, "fail": "no"}, {"wait": 30}],
        any_order=True,
    ),
    "Map, caught": Row(
        _map(_plain(Bad=FAIL), Catch=[{"ErrorEquals": ["E"], "Next": "X"}]),
        """
        MapStateEntered 0 A
        MapStateStarted 2
        MapIterationStarted 3 A
        FailStateEntered 4 Bad
        MapIterationFailed 5 A
        MapStateFailed 5
        MapStateExited 7 A {"output": {"Error": "E", "Cause": "C"}}
        PassStateEntered 8 X
        PassStateExited 9 X
        ExecutionSucceeded 10
        """,
        f"{RECORDED}/scenarios/test_base_scenarios.snapshot.json",
        [1],
    ),
    # --- Distributed Map
    **{
        f"Distributed Map, {name}": Row(
            _distributed(processor, **fields),
            f"""
            MapStateEntered 0 A
            MapStateStarted 2 {json.dumps({"length": length})}
            MapRunStarted 3
            MapRunSucceeded 4
            MapStateSucceeded 5
            MapStateExited 5 A {json.dumps({"output": output})}
            ExecutionSucceeded 7
            """,
            source,
            [1, 2, 3],
        )
        for name, processor, fields, length, output, source in (
            ("all succeed", _plain(I=PASS), {}, 3, [1, 2, 3], f"{DG}/state-map-distributed.html"),
            (
                "a batch at a time",
                _plain(I=PASS),
                {"ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"k.$": "$[0]"}}},
                3,
                [
                    {"BatchInput": {"k": 1}, "Items": [1, 2]},
                    {"BatchInput": {"k": 1}, "Items": [3]},
                ],
                f"{DG}/input-output-itembatcher.html",
            ),
            (
                "a failure tolerated by percentage",
                SECOND_FAILS,
                {"ToleratedFailurePercentage": 50},
                3,
                [1, 3],
                f"{DG}/state-map-distributed.html#maprun-fail-threshold",
            ),
            (
                "a failure tolerated by count",
                SECOND_FAILS,
                {"ToleratedFailureCount": 1},
                3,
                [1, 3],
                f"{DG}/state-map-distributed.html#maprun-fail-threshold",
            ),
            (
                "items from JSON in S3",
                _plain(I=PASS),
                {"ItemReader": _reader("in/list.json", InputType="JSON")},
                0,
                [{"n": 1}, {"n": 2}],
                f"{DG}/input-output-itemreader.html",
            ),
            (
                "items from CSV in S3",
                _plain(I=PASS),
                {
                    "ItemReader": _reader(
                        "in/list.csv", InputType="CSV", CSVHeaderLocation="FIRST_ROW"
                    )
                },
                0,
                [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}],
                f"{DG}/input-output-itemreader.html",
            ),
        )
    },
    **{
        f"Distributed Map, {name}": Row(
            _distributed(SECOND_FAILS, **fields),
            f"""
            MapStateEntered 0 A
            MapStateStarted 2
            MapRunStarted 3
            MapRunFailed 4 {THRESHOLD}
            MapStateFailed 5
            ExecutionFailed 6 {THRESHOLD}
            """,
            f"{DG}/state-map-distributed.html#maprun-fail-threshold",
            [1, 2, 3],
        )
        for name, fields in (
            ("a failure", {}),
            ("more failures than tolerated", {"ToleratedFailurePercentage": 10}),
        )
    },
    "Distributed Map, nothing to read": Row(
        _distributed(_plain(I=PASS), ItemReader=_reader("in/none", InputType="JSON")),
        """
        MapStateEntered 0 A
        MapStateStarted 2
        MapRunStarted 3
        MapRunFailed 4 {"error": "States.ItemReaderFailed"}
        MapStateFailed 5
        ExecutionFailed 6 {"error": "States.ItemReaderFailed"}
        """,
        f"{DG}/concepts-error-handling.html",
    ),
    # --- Retry and Catch
    "Retry, used up": Row(
        machine(A=task("<function>", Retry=[RETRY])),
        FAILED_CALL
        + """
        LambdaFunctionScheduled 5
        LambdaFunctionStarted 6
        LambdaFunctionFailed 7 {"error": "ValueError"}
        LambdaFunctionScheduled 8
        LambdaFunctionStarted 9
        LambdaFunctionFailed 10 {"error": "ValueError"}
        ExecutionFailed 11 {"error": "ValueError"}
        """,
        f"{RECORDED}/error_handling/test_task_lambda.snapshot.json",
        {"fail": "no"},
    ),
    "Retry, then Catch with ResultPath": Row(
        machine(
            A=task(
                "<function>",
                Retry=[{**RETRY, "MaxAttempts": 1}],
                Catch=[{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.e", "Next": "X"}],
            ),
            X=PASS,
        ),
        FAILED_CALL
        + """
        LambdaFunctionScheduled 5
        LambdaFunctionStarted 6
        LambdaFunctionFailed 7
        TaskStateExited 8 A {"output.e.Error": "ValueError", "output.fail": "no"}
        PassStateEntered 9 X
        PassStateExited 10 X
        ExecutionSucceeded 11
        """,
        f"{RECORDED}/error_handling/test_task_lambda.snapshot.json",
        {"fail": "no"},
    ),
    # --- timeouts and the end from outside
    "Timeout of a Task, Lambda ARN": Row(
        machine(A=task("<function>", TimeoutSeconds=1)),
        """
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2 {"timeoutInSeconds": 1}
        LambdaFunctionStarted 3
        LambdaFunctionTimedOut 4 {"error": "States.Timeout"}
        ExecutionFailed 5 {"error": "States.Timeout"}
        """,
        f"{RECORDED}/timeouts/test_timeouts.snapshot.json",
        {"sleep": 4},
    ),
    "Timeout of a Task, lambda:invoke": Row(
        machine(
            A=task(
                INVOKE,
                Parameters={"FunctionName": "<function>", "Payload.$": "$"},
                TimeoutSeconds=1,
            )
        ),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"timeoutInSeconds": 1}
        TaskStarted 3
        TaskTimedOut 4 {"error": "States.Timeout", "resource": "invoke", "resourceType": "lambda"}
        ExecutionFailed 5 {"error": "States.Timeout"}
        """,
        f"{RECORDED}/timeouts/test_timeouts.snapshot.json",
        {"sleep": 4},
    ),
    "Timeout of the function itself": Row(
        machine(A=task("<hasty>")),
        """
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        LambdaFunctionFailed 4 {"error": "Sandbox.Timedout"}
        ExecutionFailed 5 {"error": "Sandbox.Timedout"}
        """,
        f"{DG}/concepts-error-handling.html",
        {"sleep": 4},
    ),
    "Timeout of the execution": Row(
        {**machine(A=task("<function>")), "TimeoutSeconds": 1},
        """
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        ExecutionTimedOut 0 {"error": "States.Timeout"}
        """,
        "https://github.com/floci-io/floci/pull/2782",
        {"sleep": 4},
    ),
    "StopExecution": Row(
        machine(A={"Type": "Wait", "Seconds": 30, "End": True}),
        """
        WaitStateEntered 0 A
        ExecutionAborted 0 {"error": "E", "cause": "C"}
        """,
        f"{API}/API_StopExecution.html",
        meanwhile=_stop,
    ),
    # --- redrives
    "Redrive, a task": Row(
        machine(S={"Type": "Pass", "Next": "A"}, A=task("<activity>5")),
        """
        PassStateEntered 0 S
        PassStateExited 2 S
        TaskStateEntered 3 A
        ActivityScheduled 4
        ActivityStarted 5
        ActivityFailed 6
        ExecutionFailed 7 {"error": "E", "cause": "C"}
        ExecutionRedriven 8 {"redriveCount": 1}
        ActivityScheduled 4
        ActivityStarted 10
        ActivitySucceeded 11
        TaskStateExited 12 A {"output": 10}
        ExecutionSucceeded 13 {"output": 10}
        """,
        REDRIVEN,
        1,
        _work("take", "fail 1", "redrive", "take", "succeed 1"),
    ),
    "Redrive, after StopExecution": Row(
        machine(A=task("<activity>6")),
        """
        TaskStateEntered 0 A
        ActivityScheduled 2
        ExecutionAborted 0 {"error": "E", "cause": "C"}
        ExecutionRedriven 4 {"redriveCount": 1}
        ActivityScheduled 2
        ActivityStarted 6
        ActivitySucceeded 7
        TaskStateExited 8 A
        ExecutionSucceeded 9
        """,
        REDRIVEN,
        1,
        _work("stop", "redrive", "take", "succeed 1"),
    ),
    "Redrive, a Fail state": Row(
        machine(A=FAIL),
        """
        FailStateEntered 0 A
        ExecutionFailed 2
        ExecutionRedriven 3 {"redriveCount": 1}
        ExecutionFailed 4 {"error": "E", "cause": "C"}
        """,
        REDRIVEN,
        meanwhile=_redrive,
    ),
    "Redrive, a Parallel: what failed and what was aborted": Row(
        _parallel(
            *(
                _plain(**{name: task("<activity>7", InputPath=f"$.{name}")})
                for name in ("Done", "Failed", "Aborted")
            )
        ),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        TaskStateEntered 3 Done
        ActivityScheduled 4
        TaskStateEntered 3 Failed
        ActivityScheduled 6
        TaskStateEntered 3 Aborted
        ActivityScheduled 8
        ActivityStarted 5
        ActivityStarted 7
        ActivityStarted 9
        ActivitySucceeded 10
        TaskStateExited 13 Done
        ActivityFailed 11
        TaskStateAborted 15
        TaskStateAborted 15
        ParallelStateFailed 15
        ExecutionFailed 18
        ExecutionRedriven 19 {"redriveCount": 1}
        ActivityScheduled 6
        ActivityScheduled 8
        ActivityStarted 21
        ActivityStarted 22
        ActivitySucceeded 23
        TaskStateExited 25 Failed
        ActivitySucceeded 24
        TaskStateExited 27 Aborted
        ParallelStateSucceeded 28
        ParallelStateExited 28 A {"output": [10, 20, 30]}
        ExecutionSucceeded 30
        """,
        REDRIVEN,
        {"Done": 1, "Failed": 2, "Aborted": 3},
        _work(
            *("take", "take", "take", "succeed 1", "fail 2"),
            *("redrive", "take", "take", "succeed 2", "succeed 3"),
        ),
        any_order=True,
    ),
    "Redrive, a Map: what failed and what had not begun": Row(
        _map(_plain(I=task("<activity>8")), MaxConcurrency=1),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 3}
        MapIterationStarted 3 A {"index": 0}
        TaskStateEntered 4 I
        ActivityScheduled 5
        ActivityStarted 6
        ActivitySucceeded 7
        TaskStateExited 8 I
        MapIterationSucceeded 9 A {"index": 0}
        MapIterationStarted 9 A {"index": 1}
        TaskStateEntered 11 I
        ActivityScheduled 12
        ActivityStarted 13
        ActivityFailed 14
        MapIterationFailed 15 A {"index": 1}
        TaskStateAborted 15
        MapStateFailed 15
        ExecutionFailed 18
        ExecutionRedriven 19 {"redriveCount": 1}
        ActivityScheduled 12
        ActivityStarted 21
        ActivitySucceeded 22
        TaskStateExited 23 I
        MapIterationSucceeded 24 A {"index": 1}
        MapIterationStarted 24 A {"index": 2}
        TaskStateEntered 26 I
        ActivityScheduled 27
        ActivityStarted 28
        ActivitySucceeded 29
        TaskStateExited 30 I
        MapIterationSucceeded 31 A {"index": 2}
        MapStateSucceeded 32
        MapStateExited 32 A {"output": [10, 20, 30]}
        ExecutionSucceeded 34
        """,
        REDRIVEN,
        [1, 2, 3],
        _work(
            *("take", "succeed 1", "take", "fail 2"),
            *("redrive", "take", "succeed 2", "take", "succeed 3"),
        ),
    ),
    "Redrive, a Map Run": Row(
        _distributed(_plain(I=task("<activity>9"))),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 1}
        MapRunStarted 3
        MapRunFailed 4 {"error": "States.ExceedToleratedFailureThreshold"}
        MapStateFailed 5
        ExecutionFailed 6
        ExecutionRedriven 7 {"redriveCount": 1}
        MapRunRedriven 3 {"redriveCount": 1}
        MapRunSucceeded 9
        MapStateSucceeded 10
        MapStateExited 9 A {"output": [10]}
        ExecutionSucceeded 12
        """,
        REDRIVEN.replace("execution", "map"),
        [1],
        _work("take", "fail 1", "redrive", "take", "succeed 1"),
    ),
    # --- failures of paths and expressions
    "JSONPath, a path that is not there": Row(
        machine(A={"Type": "Pass", "Parameters": {"a.$": "$.nope"}, "End": True}),
        f"""
        PassStateEntered 0 A
        ExecutionFailed 2 {_error("States.Runtime", MISSING)}
        """,
        MEASURED,
    ),
    "JSONPath, an intrinsic function's argument that is not there": Row(
        machine(
            A={"Type": "Pass", "Parameters": {"v.$": "States.Format('{}', $.nope)"}, "End": True}
        ),
        f"""
        PassStateEntered 0 A
        ExecutionFailed 2 {_error("States.Runtime", _in("A", 2, "The function 'States.Format('{}', $.nope)' had the following error: The JsonPath argument for the field '$.nope' could not be found in the input '{}'"))}
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
        _jsonata(U={"Type": "Pass", "Output": {"v": "{% " + UNDEFINED + " %}"}, "End": True}),
        f"""
        PassStateEntered 0 U
        EvaluationFailed 2 {json.dumps(json.loads(UNDEFINED_OUTPUT.replace("#4", "#2")) | {"location": "Output/v", "state": "U"})}
        ExecutionFailed 3 {UNDEFINED_OUTPUT.replace("#4", "#2")}
        """,
        MEASURED,
    ),
    "JSONata, an error": Row(
        _jsonata(A={"Type": "Pass", "Output": "{% $abs('x') %}", "End": True}),
        f"""
        PassStateEntered 0 A
        EvaluationFailed 2 {{"state": "A", "location": "Output"}}
        ExecutionFailed 3 {_evaluation("A", 2, "Output", "$abs('x')", NO_NUMBER)}
        """,
        "https://github.com/floci-io/floci/issues/2736",
    ),
    "JSONata, once for each attempt": Row(
        _jsonata(
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
        _parallel(
            _plain(U={"Type": "Pass", "Output": {"v": "{% " + UNDEFINED + " %}"}, "End": True}),
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
        _jsonata(
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
        _map(_plain(I=PASS), Items="{% $states.input.l %}") | {"QueryLanguage": "JSONata"},
        f"""
        MapStateEntered 0 A
        EvaluationFailed 2 {{"location": "Items", "state": "A"}}
        MapStateFailed 3
        ExecutionFailed 4 {_evaluation("A", 2, "Items", "$states.input.l", "returned an unexpected result type. Expected 'array', but was 'number' for value: 1")}
        """,
        MEASURED,
        {"l": 1},
    ),
    "JSONata, variables are in the event": Row(
        _jsonata(
            A={"Type": "Pass", "Assign": {"q": 'say "hi"\n', "n": "{% 1 + 1 %}"}, "End": True}
        ),
        """
        PassStateEntered 0 A
        PassStateExited 2 A {"assignedVariables": {"q": "\\"say \\\\\\"hi\\\\\\"\\\\n\\"", "n": "2"}}
        ExecutionSucceeded 3
        """,
        f"{DG}/workflow-variables.html",
    ),
}


# --- comparing ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(lasting_aws: Session) -> Laboratory:
    lab = furnish(lasting_aws)
    states = lab.aws.client("stepfunctions")
    for number in range(1, 10):
        states.create_activity(name=f"laboratory{number}")
    return lab


@pytest.fixture(scope="module")
def executions(lab: Laboratory) -> Iterator[dict[str, Future[str]]]:
    """All rows, started side by side: many of them wait."""
    numbers = itertools.count()

    def run(row: Row) -> str:
        value = {} if row.input is None else row.input
        execution = lab.start(row.definition, value, f"history{next(numbers)}")
        if row.meanwhile:
            row.meanwhile(lab, execution)
        return execution

    with ThreadPoolExecutor(16) as pool:
        yield {name: pool.submit(run, each) for name, each in ROWS.items()}


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
        value = value[field]
    return value


def _chains(events: list[tuple[str, int, str | None]]) -> list[Any]:
    """Each event with the one it follows from, in an order that does not depend on time."""
    names = {number: (kind, name or "") for number, (kind, _, name) in enumerate(events, 2)}
    before = {number: previous for number, (_, previous, _) in enumerate(events, 2)}
    return sorted((names[number], names.get(before[number], ("", ""))) for number in names)


@pytest.mark.parametrize("name", ROWS)
def test_history(name: str, lab: Laboratory, executions: dict[str, Future[str]]) -> None:
    row = ROWS[name]
    expected = _expected(lab.filled(row.events))
    events: Events = lab.history(executions[name].result())
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


def _agree(found: Document, details: Document) -> bool:
    """Whether an event has these details."""
    return all(_value(found, path) == value for path, value in details.items())
