"""Each state type but Parallel and Map, each outcome: the events that AWS writes, with their source."""

# ruff: noqa: E501 - an event is a line

from __future__ import annotations

import json
from concurrent.futures import Future

import pytest

from tests.localaws.histories import (
    ALL,
    EVERYTHING,
    FAIL,
    FAILED_CALL,
    INVOKE,
    MISSING,
    PASS,
    PUBLISH,
    RETRY,
    TOO_BIG,
    TRACE,
    WHOLE,
    Row,
    ask,
    check,
    choice,
    error,
    fail,
    jsonata,
    nested,
    stop,
    succeed,
    within,
    work,
)
from tests.localaws.laboratory import (
    API,
    DG,
    MEASURED,
    RECORDED,
    Laboratory,
    machine,
    task,
)

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
        jsonata(
            A={"Type": "Pass", "Output": WHOLE, "Next": "B"},
            B={"Type": "Pass", "Output": "{% $states.input & 'x' %}", "End": True},
        ),
        f"""
        PassStateEntered 0 A
        PassStateExited 2 A
        PassStateEntered 3 B
        ExecutionFailed 4 {error("States.DataLimitExceeded", TOO_BIG.format("B"))}
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
    "Task, events:putEvents, failing": Row(
        machine(
            A=task(
                "arn:aws:states:::events:putEvents",
                Parameters={"Entries": [{"Source": "aws.s3", "DetailType": "d", "Detail": "{}"}]},
            )
        ),
        """
        TaskStateEntered 0 A
        TaskScheduled 2 {"resourceType": "events", "resource": "putEvents"}
        TaskStarted 3
        TaskFailed 4 {"error": "EventBridge.FailedEntry", "cause.FailedEntryCount": 1, "cause.Entries": [{"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}]}
        ExecutionFailed 5 {"error": "EventBridge.FailedEntry", "cause.FailedEntryCount": 1}
        """,
        f"{RECORDED}/services/test_events_task_service.snapshot.json",
    ),
    "Task, a path that is not there": Row(
        machine(A=task("<function>", Parameters={"a.$": "$.nope"}, Catch=ALL), X=PASS),
        f"""
        TaskStateEntered 0 A
        ExecutionFailed 2 {error("States.Runtime", MISSING)}
        """,
        MEASURED,
    ),
    "Task, an answer that is too big": Row(
        machine(A=task("<function>")),
        f"""
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        LambdaFunctionFailed 4 {error("States.DataLimitExceeded", TOO_BIG.format("<function>"))}
        ExecutionFailed 5 {error("States.DataLimitExceeded", TOO_BIG.format("<function>"))}
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
        ExecutionFailed 5 {error("States.DataLimitExceeded", TOO_BIG.format("<function>"))}
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
        ask(),
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
        meanwhile=succeed,
    ),
    "Callback, failure": Row(
        ask(),
        """
        TaskStateEntered 0 A
        TaskScheduled 2
        TaskStarted 3
        TaskSubmitted 4
        TaskFailed 5 {"error": "E", "cause": "C", "resource": "publish.waitForTaskToken"}
        ExecutionFailed 6 {"error": "E", "cause": "C"}
        """,
        f"{RECORDED}/callback/test_callback.snapshot.json",
        meanwhile=fail,
    ),
    "Callback, timeout": Row(
        ask(TimeoutSeconds=20),  # a busy computer takes a while to publish
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
        ask(HeartbeatSeconds=1, TimeoutSeconds=60),
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
        work("take", "beat 1", "succeed 1"),
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
        meanwhile=work("take", "fail {}"),
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
        meanwhile=work("take"),
    ),
    "Activity, that is not there": Row(
        machine(A=task("<activity>-none")),
        f"""
        TaskStateEntered 0 A
        ExecutionFailed 2 {error("States.Runtime", within("A", 2, "The activity <activity>-none does not exist."))}
        """,
        f"{RECORDED}/activities/test_activities.snapshot.json",
    ),
    # --- nested executions
    "Nested, request and response": Row(
        nested(""),
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
        nested(".sync"),
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
        nested(".sync:2"),
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
        nested(".sync", "<broken>"),
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
        choice(Default="C"),
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
        choice(Default="C"),
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
        choice(),
        f"""
        ChoiceStateEntered 0 A
        ExecutionFailed 2 {error("States.Runtime", within("A", 2, "Failed to transition out of the state. The state does not point to a next state."))}
        """,
        MEASURED,
        {"a": 2},
    ),
    "Choice, a path that is not there": Row(
        choice(Default="C"),
        f"""
        ChoiceStateEntered 0 A
        ExecutionFailed 2 {error("States.Runtime", within("A", 2, "Invalid path '$.a': The choice state's condition path references an invalid value."))}
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
        {**machine(A=task("<function>")), "TimeoutSeconds": 20},
        """
        TaskStateEntered 0 A
        LambdaFunctionScheduled 2
        LambdaFunctionStarted 3
        ExecutionTimedOut 0 {"error": "States.Timeout"}
        """,
        "https://github.com/floci-io/floci/pull/2782",
        {"sleep": 25},
    ),
    "StopExecution": Row(
        machine(A={"Type": "Wait", "Seconds": 30, "End": True}),
        """
        WaitStateEntered 0 A
        ExecutionAborted 0 {"error": "E", "cause": "C"}
        """,
        f"{API}/API_StopExecution.html",
        meanwhile=stop,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_history(name: str, lab: Laboratory, executions: dict[str, Future[str]]) -> None:
    check(ROWS[name], lab, executions[name].result())
