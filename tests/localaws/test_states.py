"""The states API where the two libraries are joined: histories, tokens, stopping, refusals."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from helpers.session import Session

Events = list[dict[str, Any]]
WAIT = "arn:aws:states:::sns:publish.waitForTaskToken"


@pytest.fixture
def role(aws: Session) -> str:
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
    try:
        iam.create_role(RoleName="states", AssumeRolePolicyDocument=json.dumps(document))
    except iam.exceptions.EntityAlreadyExistsException:
        pass
    allow = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "arn:aws:sns:*:*:allowed"}
    iam.put_role_policy(
        RoleName="states",
        PolicyName="publish",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    return iam.get_role(RoleName="states")["Role"]["Arn"]


Start = Callable[..., str]


@pytest.fixture
def start(aws: Session, role: str, request: pytest.FixtureRequest) -> Start:
    """Create a state machine of the given states and start it; return the execution."""
    states = aws.client("stepfunctions")

    def begin(definition: dict[str, Any], **arguments: Any) -> str:
        machine = states.create_state_machine(
            name=f"m{abs(hash(json.dumps(definition)))}",
            definition=json.dumps(definition),
            roleArn=role,
        )["stateMachineArn"]
        return states.start_execution(stateMachineArn=machine, **arguments)["executionArn"]

    return begin


def _machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def _history(aws: Session, execution: str, until: str) -> Events:
    states = aws.client("stepfunctions")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = states.get_execution_history(executionArn=execution)["events"]
        if events and events[-1]["type"] == until:
            return events
        time.sleep(0.02)
    raise AssertionError([event["type"] for event in events])


def _waiting(aws: Session, topic: str = "allowed", **more: Any) -> dict[str, Any]:
    arn = aws.client("sns").create_topic(Name=topic)["TopicArn"]
    task = {"Type": "Task", "Resource": WAIT, "End": True, **more}
    task["Parameters"] = {"TopicArn": arn, "Message.$": "$$.Task.Token"}
    return _machine(Ask=task)


def _token(events: Events) -> str:
    scheduled = next(event for event in events if event["type"] == "TaskScheduled")
    return json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Message"]


def test_a_callback_has_the_events_that_aws_shows(aws: Session, start: Start) -> None:
    execution = start(_waiting(aws))
    token = _token(_history(aws, execution, "TaskSubmitted"))
    aws.client("stepfunctions").send_task_success(taskToken=token, output='{"answer": 42}')
    events = _history(aws, execution, "ExecutionSucceeded")
    assert [(event["type"], event["previousEventId"]) for event in events] == [
        ("ExecutionStarted", 0),
        ("TaskStateEntered", 0),
        ("TaskScheduled", 2),
        ("TaskStarted", 3),
        ("TaskSubmitted", 4),
        ("TaskSucceeded", 5),
        ("TaskStateExited", 6),
        ("ExecutionSucceeded", 7),
    ]
    assert [event["id"] for event in events] == list(range(1, 9))
    assert json.loads(events[-1]["executionSucceededEventDetails"]["output"]) == {"answer": 42}


def test_a_token_looks_like_aws_s(aws: Session, start: Start) -> None:
    """AWS's are base64, with characters that a URL must encode, and longer than a UUID."""
    token = _token(_history(aws, start(_waiting(aws)), "TaskSubmitted"))
    assert 300 < len(token) <= 1024
    assert set("+/=") & set(token)


def test_a_token_works_once(aws: Session, start: Start) -> None:
    states = aws.client("stepfunctions")
    execution = start(_waiting(aws))
    token = _token(_history(aws, execution, "TaskSubmitted"))
    states.send_task_success(taskToken=token, output="1")
    for again in (
        lambda: states.send_task_success(taskToken=token, output="2"),
        lambda: states.send_task_failure(taskToken=token),
        lambda: states.send_task_heartbeat(taskToken=token),
    ):
        with pytest.raises(states.exceptions.TaskTimedOut):
            again()
    events = _history(aws, execution, "ExecutionSucceeded")
    assert events[-1]["executionSucceededEventDetails"]["output"] == "1"


def test_two_answers_at_once_are_one(aws: Session, start: Start) -> None:
    states = aws.client("stepfunctions")
    token = _token(_history(aws, start(_waiting(aws)), "TaskSubmitted"))
    outcomes = []

    def answer() -> None:
        try:
            states.send_task_success(taskToken=token, output="1")
            outcomes.append("sent")
        except states.exceptions.TaskTimedOut:
            outcomes.append("closed")

    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["closed"] * 7 + ["sent"]


@pytest.mark.parametrize("token", ["no token", "AQCEAAAAKgAAAAMAAAAA", "x" * 1000])
def test_an_invented_token_is_invalid(aws: Session, token: str) -> None:
    states = aws.client("stepfunctions")
    with pytest.raises(states.exceptions.InvalidToken):
        states.send_task_success(taskToken=token, output="{}")


def test_an_answer_that_is_not_json_is_refused_and_the_task_waits_on(
    aws: Session, start: Start
) -> None:
    states = aws.client("stepfunctions")
    execution = start(_waiting(aws))
    token = _token(_history(aws, execution, "TaskSubmitted"))
    with pytest.raises(states.exceptions.InvalidOutput):
        states.send_task_success(taskToken=token, output="{not json")
    states.send_task_failure(taskToken=token, error="No", cause="because")
    events = _history(aws, execution, "ExecutionFailed")
    assert events[-1]["executionFailedEventDetails"] == {"error": "No", "cause": "because"}


def test_a_deadline_closes_the_token(aws: Session, start: Start) -> None:
    states = aws.client("stepfunctions")
    # The token is read afterwards: a busy computer may take longer to publish it than this.
    events = _history(aws, start(_waiting(aws, TimeoutSeconds=1)), "ExecutionFailed")
    assert "TaskTimedOut" in [event["type"] for event in events]
    with pytest.raises(states.exceptions.TaskTimedOut):
        states.send_task_success(taskToken=_token(events), output="{}")


def test_a_stopped_execution_ends_and_its_token_is_closed(aws: Session, start: Start) -> None:
    states = aws.client("stepfunctions")
    execution = start(_waiting(aws))
    token = _token(_history(aws, execution, "TaskSubmitted"))
    states.stop_execution(executionArn=execution, error="Enough", cause="by hand")
    events = _history(aws, execution, "ExecutionAborted")
    assert events[-1]["executionAbortedEventDetails"] == {"error": "Enough", "cause": "by hand"}
    described = states.describe_execution(executionArn=execution)
    assert (described["status"], described["error"]) == ("ABORTED", "Enough")
    with pytest.raises(states.exceptions.TaskTimedOut):
        states.send_task_success(taskToken=token, output="{}")
    time.sleep(0.3)
    assert _history(aws, execution, "ExecutionAborted") == events


def test_a_state_machine_may_do_only_what_its_role_may(aws: Session, start: Start) -> None:
    events = _history(aws, start(_waiting(aws, topic="forbidden")), "ExecutionFailed")
    failed = next(event for event in events if event["type"] == "TaskFailed")
    assert "not authorized to perform: sns:Publish" in failed["taskFailedEventDetails"]["cause"]


def test_jsonata_and_variables(aws: Session, start: Start) -> None:
    definition = {
        "QueryLanguage": "JSONata",
        **_machine(
            Sum={
                "Type": "Pass",
                "Assign": {"total": "{% $sum($states.input.prices) %}"},
                "Next": "Double",
            },
            Double={"Type": "Pass", "Output": "{% $total * 2 %}", "End": True},
        ),
    }
    execution = start(definition, input='{"prices": [1, 2, 3]}')
    events = _history(aws, execution, "ExecutionSucceeded")
    assert events[-1]["executionSucceededEventDetails"]["output"] == "12"


def test_the_same_name_and_input_is_the_same_execution_while_it_runs(
    aws: Session, start: Start
) -> None:
    states = aws.client("stepfunctions")
    first = start(_waiting(aws), name="once", input='{"a": 1}')
    assert start(_waiting(aws), name="once", input='{"a": 1}') == first
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        start(_waiting(aws), name="once", input='{"a": 2}')
    states.stop_execution(executionArn=first)
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        start(_waiting(aws), name="once", input='{"a": 1}')


def test_executions_without_a_name_get_their_own_and_are_listed_newest_first(
    aws: Session, start: Start
) -> None:
    definition = _machine(Done={"Type": "Succeed"})
    started = []
    for _ in range(3):
        started.append(start(definition))
        _history(aws, started[-1], "ExecutionSucceeded")
    states = aws.client("stepfunctions")
    machine = states.describe_execution(executionArn=started[0])["stateMachineArn"]
    listed = states.list_executions(stateMachineArn=machine)["executions"]
    assert [found["executionArn"] for found in listed] == started[::-1]


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("{", "INVALID_JSON_DESCRIPTION"),
        ("[]", "Expected value of type Object"),
        ('{"StartAt": "A", "States": {}}', "at least one state"),
        ('{"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}', "MISSING_TRANSITION_TARGET"),
        ('{"StartAt": "A", "States": {"A": {"Type": "Nonsense"}}}', "SCHEMA_VALIDATION_FAILED"),
    ],
)
def test_a_definition_that_cannot_run_is_refused(
    aws: Session, role: str, definition: str, words: str
) -> None:
    states = aws.client("stepfunctions")
    with pytest.raises(states.exceptions.InvalidDefinition, match=words):
        states.create_state_machine(name="broken", definition=definition, roleArn=role)


def test_input_that_is_not_json_is_refused(aws: Session, start: Start) -> None:
    states = aws.client("stepfunctions")
    with pytest.raises(states.exceptions.InvalidExecutionInput):
        start(_machine(Done={"Type": "Succeed"}), input="{not json")


def test_an_activity_is_polled_by_a_worker(aws: Session, start: Start) -> None:
    states = aws.client("stepfunctions")
    arn = states.create_activity(name="carry")["activityArn"]
    work = {"Type": "Task", "Resource": arn, "End": True}
    execution = start(_machine(Carry=work), input='{"box": 1}')
    task = states.get_activity_task(activityArn=arn, workerName="me")
    assert json.loads(task["input"]) == {"box": 1}
    states.send_task_success(taskToken=task["taskToken"], output='"there"')
    events = _history(aws, execution, "ExecutionSucceeded")
    assert [event["type"] for event in events[2:5]] == [
        "ActivityScheduled",
        "ActivityStarted",
        "ActivitySucceeded",
    ]
    assert events[3]["activityStartedEventDetails"] == {"workerName": "me"}
