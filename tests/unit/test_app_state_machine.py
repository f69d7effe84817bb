"""Which way an execution goes: the definition run by moto's interpreter, its tasks played."""

import io
import itertools
import json
import queue
import time
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sns,
)

from tests.unit.test_app_template import MACHINE, sample

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts"
REMEDY = sample("ask_user")["validation"]
ALERT = {"action": "alert", "policyArn": "arn:p", "policyName": "p", "summary": "It is harmless."}
QUARANTINE = sample("ask_user")["quarantine"]
RESTORED = {"versionId": "v3"}
LAMBDA = ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"]


class FunctionError(Exception):
    """A played function raises: its error's name and message."""


class Aws:
    """Plays Lambda and SNS for the interpreter; what they answer is set by the test."""

    def __init__(self) -> None:
        self.answers = {
            "ValidatePolicy": REMEDY,
            "RevertPolicy": QUARANTINE,
            "AskUser": {"token": "..."},
            "PolicyChangerApprove": RESTORED,
        }
        self.tokens: queue.Queue[str] = queue.Queue()
        self.mails: list[dict] = []
        self.sns_is_down = False

    def invoke(self, FunctionName: str, Payload: bytes, **_) -> dict:  # noqa: N803 (AWS's names)
        name = FunctionName.rpartition(":")[2]
        if name == "AskUser":
            self.asked = json.loads(Payload)
            self.tokens.put(self.asked["token"])
        answer = self.answers[name]
        if isinstance(answer, FunctionError):
            report = {"errorType": answer.args[0], "errorMessage": "no"}
            return {"FunctionError": "Unhandled", "StatusCode": 200, **payload(report)}
        return {"StatusCode": 200, "ExecutedVersion": "$LATEST", **payload(answer)}

    def publish(self, **mail: str) -> dict:
        if self.sns_is_down:
            raise ClientError(
                {
                    "Error": {"Code": "InternalErrorException", "Message": "down"},
                    "ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "r"},
                },
                "Publish",
            )
        self.mails.append(mail)
        return {"MessageId": "m"}


def payload(answer: object) -> dict:
    return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def definition(deadline: int) -> str:
    """Fill the definition in, and take the retries out: they only cost time here."""
    text = MACHINE.read_text().replace("${AlertTopicArn}", TOPIC)
    text = text.replace("${ApprovalDeadlineSeconds}", str(deadline))
    for name in ("ValidatePolicy", "RevertPolicy", "AskUser", "PolicyChangerApprove"):
        arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
        text = text.replace(f"${{{name}Arn}}", arn)
    machine = json.loads(text)
    for state in machine["States"].values():
        state.pop("Retry", None)
    return json.dumps(machine)


class Execution:
    """An execution, and what became of it."""

    numbers = itertools.count()

    def __init__(self, states: object, event: dict, deadline: int) -> None:
        self.states = states
        number = next(self.numbers)
        machine = states.create_state_machine(
            name=f"m{number}",
            definition=definition(deadline),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
        )
        self.arn = states.start_execution(
            stateMachineArn=machine["stateMachineArn"], name=f"e{number}", input=json.dumps(event)
        )["executionArn"]

    def end(self) -> dict:
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up:
            described = self.states.describe_execution(executionArn=self.arn)
            if described["status"] != "RUNNING":
                return described
            time.sleep(0.02)
        raise AssertionError(f"{self.arn} does not end")

    def output(self) -> dict:
        described = self.end()
        assert described["status"] == "SUCCEEDED"
        return json.loads(described["output"])

    def failure(self) -> tuple[str, str]:
        described = self.end()
        assert described["status"] == "FAILED"
        return described["error"], described["cause"]

    def history(self) -> list[dict]:
        self.end()
        return self.states.get_execution_history(executionArn=self.arn)["events"]

    def path(self) -> list[str]:
        entered = (event.get("stateEnteredEventDetails") for event in self.history())
        return [details["name"] for details in entered if details]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    played = Aws()
    for module in (lambda_eval_utils, state_task_service_sns):
        monkeypatch.setattr(module, "boto_client_for", lambda **_: played)
    return played


@pytest.fixture
def start() -> Iterator[Callable[..., Execution]]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        states = boto3.client("stepfunctions", region_name="us-east-1")

        def start(event: dict | None = None, deadline: int = 600) -> Execution:
            return Execution(states, event or sample("policy_guard"), deadline)

        yield start


def answer(execution: Execution, aws: Aws, output: object) -> None:
    """Send the answer as soon as the execution waits for it."""
    token = aws.tokens.get(timeout=20)
    give_up = time.monotonic() + 20
    while True:
        try:
            execution.states.send_task_success(taskToken=token, output=json.dumps(output))
            return
        except ClientError:  # the mail can be out before the state waits
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


ASKED = ["ModifyState", "ValidatePolicy", "ChooseAction", "TempRemove", "AskUser"]


def test_approved(aws: Aws, start: Callable):
    execution = start()
    answer(execution, aws, {"action": "allow", "decidedBy": {"channel": "test"}})
    output = execution.output()
    assert execution.path() == [*ASKED, "UsersChoice", "Approved"]
    assert output["decision"]["decidedBy"] == {"channel": "test"}
    assert output["restored"] == RESTORED
    assert aws.mails == []


def test_denied(aws: Aws, start: Callable):
    execution = start()
    answer(execution, aws, {"action": "delete"})
    assert execution.output()["quarantine"] == QUARANTINE
    assert execution.path() == [*ASKED, "UsersChoice", "Denied"]


def test_the_history_shows_the_events_of_aws(aws: Aws, start: Callable):
    execution = start()
    answer(execution, aws, {"action": "allow"})
    events = [event["type"] for event in execution.history()]
    task = ["TaskStateEntered", *LAMBDA, "TaskStateExited"]
    choice = ["ChoiceStateEntered", "ChoiceStateExited"]
    asking = ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    assert events == [
        "ExecutionStarted",
        *("PassStateEntered", "PassStateExited"),
        *(*task, *choice, *task),
        *("TaskStateEntered", *asking, "TaskStateExited"),
        *(*choice, *task),
        "ExecutionSucceeded",
    ]


def test_who_is_asked_is_told_everything(aws: Aws, start: Callable):
    execution = start()
    answer(execution, aws, {"action": "delete"})
    execution.end()
    assert aws.asked["incident"] == sample("ask_user")["incident"]
    assert aws.asked["validation"] == REMEDY
    assert aws.asked["quarantine"] == QUARANTINE
    assert aws.asked["deadlineSeconds"] == 600
    assert aws.asked["askedAt"].endswith("Z") or "+" in aws.asked["askedAt"]


def test_a_harmless_policy_is_only_told_about(aws: Aws, start: Callable):
    aws.answers["ValidatePolicy"] = ALERT
    execution = start()
    execution.output()
    assert execution.path() == [*ASKED[:3], "AllowWithNotification"]
    (mail,) = aws.mails
    assert mail["TopicArn"] == TOPIC
    assert mail["Message"].startswith("CreatePolicy changed the IAM policy arn:p.")
    assert ALERT["summary"] in mail["Message"]


@pytest.mark.parametrize("verdict", [{}, {"action": "???"}, [], "alert", None, {"action": None}])
def test_an_unclear_verdict_is_no_permission(aws: Aws, start: Callable, verdict: object):
    aws.answers["ValidatePolicy"] = verdict
    execution = start()
    answer(execution, aws, {"action": "delete"})
    execution.output()
    assert execution.path() == [*ASKED, "UsersChoice", "Denied"]


def test_a_failed_validation_still_quarantines(aws: Aws, start: Callable):
    aws.answers["ValidatePolicy"] = FunctionError("ClientError")
    execution = start()
    answer(execution, aws, {"action": "delete"})
    output = execution.output()
    assert execution.path() == [
        *("ModifyState", "ValidatePolicy", "TempRemove"),
        *("AskUser", "UsersChoice", "Denied"),
    ]
    assert output["validation"]["Error"] == "ClientError"


OF_OTHER_CALLS = [
    ("CreatePolicyVersion", {"responseElements": {"policyVersion": {"versionId": "v2"}}}),
    ("SetDefaultPolicyVersion", {"responseElements": None}),
    ("SetDefaultPolicyVersion", {}),
    ("CreatePolicyVersion", {"requestParameters": None}),
]


@pytest.mark.parametrize(("name", "fields"), OF_OTHER_CALLS)
def test_records_of_every_shape_get_through(aws: Aws, start: Callable, name: str, fields: dict):
    event = sample("policy_guard")
    del event["detail"]["responseElements"]
    event["detail"] |= {"eventName": name, **fields}
    execution = start(event)
    answer(execution, aws, {"action": "delete"})
    assert execution.output()["incident"]["eventName"] == name


FAILURES = [
    ("RevertPolicy", "QuarantineFailed", "IN FORCE"),
    ("AskUser", "AdministratorNotTold", "under quarantine"),
]


@pytest.mark.parametrize(("function", "error", "cause"), FAILURES)
def test_a_failed_step_raises_an_alarm(
    aws: Aws, start: Callable, function: str, error: str, cause: str
):
    aws.answers[function] = FunctionError("SomeError")
    execution = start()
    assert execution.failure()[0] == error
    assert cause in execution.failure()[1]
    assert execution.path()[-3:] == [error, "RaiseAlarm", "NeedsAttention"]
    (mail,) = aws.mails
    assert mail["Subject"] == f"Policy guard needs a person: {error}"
    for fact in (cause, "SomeError", execution.arn, sample("policy_guard")["detail"]["eventID"]):
        assert fact in mail["Message"]


def test_an_approval_that_cannot_be_carried_out_raises_an_alarm(aws: Aws, start: Callable):
    aws.answers["PolicyChangerApprove"] = FunctionError("PolicyChangedMeanwhileError")
    execution = start()
    answer(execution, aws, {"action": "allow"})
    assert execution.failure()[0] == "ApprovalFailed"
    assert "PolicyChangedMeanwhileError" in aws.mails[0]["Message"]


@pytest.mark.parametrize("sent", [{}, {"action": "ALLOW"}, {"action": None}, "allow", [], None, 1])
def test_an_unclear_answer_approves_nothing(aws: Aws, start: Callable, sent: object):
    execution = start()
    answer(execution, aws, sent)
    assert execution.failure()[0] == "AnswerNotUnderstood"
    assert "Approved" not in execution.path()
    assert len(aws.mails) == 1


def test_a_passed_deadline_leaves_it_quarantined_and_tells(aws: Aws, start: Callable):
    execution = start(deadline=1)
    error, cause = execution.failure()
    assert (error, "stays under quarantine" in cause) == ("DeadlinePassed", True)
    assert execution.path() == [*ASKED, "DeadlinePassed", "RaiseAlarm", "NeedsAttention"]
    assert cause in aws.mails[0]["Message"]


def test_an_alarm_that_nobody_hears_still_fails_with_its_cause(aws: Aws, start: Callable):
    aws.answers["RevertPolicy"] = FunctionError("SomeError")
    aws.sns_is_down = True
    assert start().failure()[0] == "QuarantineFailed"


def test_a_notification_that_nobody_gets_is_no_success(aws: Aws, start: Callable):
    aws.answers["ValidatePolicy"] = ALERT
    aws.sns_is_down = True
    assert start().failure()[0] == "AdministratorNotTold"
