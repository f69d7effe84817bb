"""The states API beside AWS's API reference: each rule with the page that it comes from.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_<operation>.html
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import json
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from helpers import localaws
from helpers.session import Session, connect
from tests.localaws.lessons import (
    DONE,
    FAIL,
    NEW,
    Lesson,
    Object,
    defined,
    eventually,
    permitted,
)

# --- machines ------------------------------------------------------------------------------


def test_the_same_machine_again_is_the_same_whatever_its_role_and_tags(lesson: Lesson) -> None:
    first = lesson.create(name="again", tags=[{"key": "a", "value": "1"}])
    other = permitted(lesson.aws, "other")
    assert lesson.create(name="again", roleArn=other, tags=[]) == first
    assert lesson.states.describe_state_machine(stateMachineArn=first)["roleArn"] == lesson.role
    for different in (
        {"definition": json.dumps(FAIL)},
        {"type": "EXPRESS"},
        {"tracingConfiguration": {"enabled": True}},
    ):
        told = lesson.refused(
            "create_state_machine", **{**NEW, "roleArn": lesson.role, "name": "again", **different}
        )
        assert told == ("StateMachineAlreadyExists", f"State Machine Already Exists: '{first}'")


def test_an_update_changes_the_revision_and_only_what_it_names(lesson: Lesson) -> None:
    states, machine = lesson.states, lesson.create()
    before = states.describe_state_machine(stateMachineArn=machine)
    changed = states.update_state_machine(stateMachineArn=machine, definition=json.dumps(FAIL))
    after = states.describe_state_machine(stateMachineArn=machine)
    assert "revisionId" not in before  # "The first revision ID ... is null."
    assert changed["revisionId"] == after["revisionId"]
    assert json.loads(after["definition"]) == FAIL
    kept = ("roleArn", "name", "creationDate", "type", "status", "tracingConfiguration")
    assert [after[key] for key in kept] == [before[key] for key in kept]
    code, _ = lesson.refused("update_state_machine", stateMachineArn=machine, definition="[]")
    assert code == "InvalidDefinition"
    assert json.loads(states.describe_state_machine(stateMachineArn=machine)["definition"]) == FAIL


def test_a_deletion_ends_what_runs_and_twice_is_no_error(lesson: Lesson) -> None:
    states = lesson.states
    machine = lesson.create(defined(Long={"Type": "Wait", "Seconds": 900, "End": True}))
    states.publish_state_machine_version(stateMachineArn=machine)
    states.start_execution(stateMachineArn=machine)
    for _ in range(2):
        states.delete_state_machine(stateMachineArn=machine)
    code, _ = lesson.refused("start_execution", stateMachineArn=machine)
    assert code == "StateMachineDoesNotExist"
    code, _ = lesson.refused("describe_state_machine", stateMachineArn=f"{machine}:1")
    assert code == "StateMachineDoesNotExist"


def _pages(call: Callable[..., Object], items: str, **arguments: Any) -> Iterator[Object]:
    token: Object = {}
    while True:
        page = call(**arguments, **token)
        assert len(page[items]) <= arguments["maxResults"]
        yield from page[items]
        if "nextToken" not in page:
            return
        assert not page["nextToken"].isdigit()
        token = {"nextToken": page["nextToken"]}


def test_lists_come_in_pages_that_deletions_do_not_move(lesson: Lesson) -> None:
    states = lesson.states
    made = [lesson.create() for _ in range(5)]
    everything = states.get_paginator("list_state_machines").paginate().search("stateMachines[]")
    assert [m["stateMachineArn"] for m in everything if m["stateMachineArn"] in made] == made
    pages = _pages(states.list_state_machines, "stateMachines", maxResults=2)
    seen = []
    for machine in pages:
        seen.append(machine["stateMachineArn"])
        if machine["stateMachineArn"] in made:
            states.delete_state_machine(stateMachineArn=machine["stateMachineArn"])
    assert [arn for arn in seen if arn in made] == made
    assert len(set(seen)) == len(seen)


def test_a_token_of_one_list_is_none_of_another(lesson: Lesson) -> None:
    for _ in range(2):
        lesson.create()
    token = lesson.states.list_state_machines(maxResults=1)["nextToken"]
    assert lesson.refused("list_activities", nextToken=token)[0] == "InvalidToken"


# --- activities ----------------------------------------------------------------------------


def test_an_activity_is_created_once_and_listed(lesson: Lesson) -> None:
    states = lesson.states
    arns = [states.create_activity(name=f"work{n}")["activityArn"] for n in range(3)]
    again = states.create_activity(name="work0", tags=[{"key": "a", "value": "b"}])
    described = states.describe_activity(activityArn=arns[0])
    assert again["activityArn"] == arns[0]
    assert again["creationDate"] == described["creationDate"]
    assert states.list_tags_for_resource(resourceArn=arns[0])["tags"] == []
    key = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/mine"}
    told = lesson.refused("create_activity", name="work0", encryptionConfiguration=key)
    assert told == ("ActivityAlreadyExists", f"Activity Already Exists: '{arns[0]}'")
    pages = _pages(states.list_activities, "activities", maxResults=1)
    assert [a["activityArn"] for a in pages if a["activityArn"] in arns] == arns
    for arn in arns * 2:
        states.delete_activity(activityArn=arn)
    assert lesson.refused("describe_activity", activityArn=arns[0])[0] == "ActivityDoesNotExist"


def _tasks(lesson: Lesson, count: int, activity: str) -> list[str]:
    """Start executions that each wait for a worker of the activity; their inputs are numbers."""
    machine = lesson.create(defined(Work={"Type": "Task", "Resource": activity, "End": True}))
    start = lesson.states.start_execution
    return [
        start(stateMachineArn=machine, input=str(number))["executionArn"] for number in range(count)
    ]


def test_each_task_goes_to_exactly_one_worker(lesson: Lesson) -> None:
    arn = lesson.states.create_activity(name=f"w{uuid.uuid4().hex}")["activityArn"]
    executions = _tasks(lesson, 12, arn)

    def work(name: int) -> list[int]:
        done = []
        for _ in range(3):
            task = lesson.states.get_activity_task(activityArn=arn, workerName=f"w{name}")
            lesson.states.send_task_success(taskToken=task["taskToken"], output=task["input"])
            done.append(int(task["input"]))
        return done

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = [number for numbers in pool.map(work, range(4)) for number in numbers]
    assert sorted(done) == list(range(12))
    for execution in executions:
        assert lesson.ended(execution)["status"] == "SUCCEEDED"


def test_a_worker_that_is_late_is_told_which_activity_it_was(lesson: Lesson) -> None:
    """https://github.com/radkawar/stackd testdata/aws/stepfunctions/redrive_execution.json"""
    arn = lesson.states.create_activity(name=f"w{uuid.uuid4().hex}")["activityArn"]
    execution = _tasks(lesson, 1, arn)[0]
    token = lesson.states.get_activity_task(activityArn=arn)["taskToken"]
    lesson.states.stop_execution(executionArn=execution)
    told = lesson.refused("send_task_success", taskToken=token, output="1")
    assert told == ("TaskTimedOut", f"Task Timed Out: '{arn}'")


def test_polls_that_are_cut_off_lose_no_task(lesson: Lesson) -> None:
    arn = lesson.states.create_activity(name=f"w{uuid.uuid4().hex}")["activityArn"]
    for _ in range(5):
        _cut_off(lesson.aws, arn)
    executions = _tasks(lesson, 6, arn)
    for execution in executions:
        look = functools.partial(lesson.types, execution)
        eventually(look, lambda seen: "ActivityScheduled" in seen)
    tasks = [lesson.states.get_activity_task(activityArn=arn) for _ in executions]
    assert sorted(task["input"] for task in tasks) == list("012345")


def _signed(aws: Session, operation: str, body: bytes) -> AWSRequest:
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AWSStepFunctions.{operation}",
    }
    request = AWSRequest("POST", aws.endpoint + "/", headers, body)
    SigV4Auth(aws.boto.get_credentials(), "states", "us-east-1").add_auth(request)
    return request


def _cut_off(aws: Session, activity: str) -> None:
    """Begin a long poll and close the connection while it waits."""
    body = json.dumps({"activityArn": activity}).encode()
    request = _signed(aws, "GetActivityTask", body)
    host, port = aws.endpoint.removeprefix("http://").split(":")
    head = "".join(f"{key}: {value}\r\n" for key, value in request.headers.items())
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n"
            f"{head}\r\n".encode()
            + body
        )
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


# --- executions ----------------------------------------------------------------------------


def test_executions_are_listed_by_status_and_in_pages(lesson: Lesson) -> None:
    states = lesson.states
    choice = {"Variable": "$", "IsString": True, "Next": "No"}
    machine = lesson.create(
        defined(
            Ask={"Type": "Choice", "Choices": [choice], "Default": "Done"},
            No=FAIL["States"]["No"],
            Done={"Type": "Succeed"},
        )
    )
    started = []
    for given in ("1", '"a"', "2", '"b"', "3"):
        arn = states.start_execution(stateMachineArn=machine, input=given)["executionArn"]
        lesson.ended(arn)
        started.append(arn)
    arguments = {"stateMachineArn": machine, "maxResults": 2}
    every = list(_pages(states.list_executions, "executions", **arguments))
    assert [item["executionArn"] for item in every] == started[::-1]
    assert {item["redriveCount"] for item in every} == {0}
    failed = _pages(states.list_executions, "executions", statusFilter="FAILED", **arguments)
    assert [item["executionArn"] for item in failed] == [started[3], started[1]]


def test_a_history_comes_in_pages_both_ways_and_without_data(lesson: Lesson) -> None:
    history = lesson.states.get_execution_history
    states = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(4)}
    execution = lesson.run(defined(**states, S4={"Type": "Pass", "End": True}), input='{"a": 1}')
    ids = list(range(1, 13))
    for reverse in (False, True):
        arguments = {"executionArn": execution, "maxResults": 5, "reverseOrder": reverse}
        events = list(_pages(history, "events", **arguments))
        assert [event["id"] for event in events] == (ids[::-1] if reverse else ids)
    bare = history(executionArn=execution, includeExecutionData=False)["events"]
    assert "input" not in bare[0]["executionStartedEventDetails"]
    token = history(executionArn=execution, maxResults=5)["nextToken"]
    other = {"executionArn": lesson.run(DONE), "maxResults": 5, "nextToken": token}
    assert lesson.refused("get_execution_history", **other)[0] == "InvalidToken"


def test_a_description_says_whether_a_redrive_is_possible(lesson: Lesson) -> None:
    told = lesson.ended(lesson.start(DONE, input='{"a": 1}'))
    assert (told["status"], told["output"]) == ("SUCCEEDED", '{"a":1}')
    assert (told["redriveCount"], told["redriveStatus"]) == (0, "NOT_REDRIVABLE")
    assert told["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    told = lesson.ended(lesson.start(FAIL))
    assert (told["error"], told["cause"]) == ("No", "because")
    assert told["redriveStatus"] == "REDRIVABLE"
    assert not {"output", "redriveStatusReason", "redriveDate"} & set(told)


def test_an_execution_stays_what_it_was_started_with(lesson: Lesson) -> None:
    states = lesson.states
    machine = lesson.create(defined(Wait={"Type": "Wait", "Seconds": 1, "End": True}))
    version = states.publish_state_machine_version(stateMachineArn=machine)
    version = version["stateMachineVersionArn"]
    running = states.start_execution(stateMachineArn=machine)["executionArn"]
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(FAIL))
    pinned = states.start_execution(stateMachineArn=version)["executionArn"]
    latest = states.start_execution(stateMachineArn=machine)["executionArn"]
    for execution, status, first in (
        (running, "SUCCEEDED", "Wait"),
        (pinned, "SUCCEEDED", "Wait"),
        (latest, "FAILED", "No"),
    ):
        assert lesson.ended(execution)["status"] == status
        told = states.describe_state_machine_for_execution(executionArn=execution)
        assert (told["stateMachineArn"], told["name"]) == (machine, machine.split(":")[-1])
        assert json.loads(told["definition"])["StartAt"] == first
    events = states.get_execution_history(executionArn=pinned)["events"]
    assert events[0]["executionStartedEventDetails"]["stateMachineVersionArn"] == version


def test_an_alias_shares_executions_out_by_weight(lesson: Lesson) -> None:
    states, machine = lesson.states, lesson.create(defined(Old={"Type": "Succeed"}))
    old = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    new = json.dumps(defined(New={"Type": "Succeed"}))
    states.update_state_machine(stateMachineArn=machine, definition=new)
    new = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    routes = [{"stateMachineVersionArn": old, "weight": 50}]
    routes.append({"stateMachineVersionArn": new, "weight": 50})
    alias = states.create_state_machine_alias(name="CANARY", routingConfiguration=routes)
    arn = alias["stateMachineAliasArn"]
    seen = set()
    for _ in range(64):  # all of one version: once in 2**63 runs of this test
        execution = states.start_execution(stateMachineArn=arn)["executionArn"]
        told = states.describe_execution(executionArn=execution)
        assert told["stateMachineAliasArn"] == arn
        seen.add(told["stateMachineVersionArn"])
    assert seen == {old, new}


def test_an_input_is_shown_as_it_was_sent(lesson: Lesson) -> None:
    sent = '{ "a" : 1 }'
    execution = lesson.run(
        defined(A={"Type": "Pass", "Next": "B"}, B=DONE["States"]["Done"]), input=sent
    )
    events = lesson.states.get_execution_history(executionArn=execution)["events"]
    entered = [event["stateEnteredEventDetails"]["input"] for event in (events[1], events[3])]
    assert entered == [sent, '{"a":1}']
    assert events[0]["executionStartedEventDetails"]["input"] == sent


def test_a_version_and_an_alias_start_executions(lesson: Lesson) -> None:
    states, machine = lesson.states, lesson.create()
    version = states.publish_state_machine_version(stateMachineArn=machine)
    version = version["stateMachineVersionArn"]
    route = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = states.create_state_machine_alias(name="PROD", routingConfiguration=route)
    alias = alias["stateMachineAliasArn"]
    execution = states.start_execution(stateMachineArn=alias)["executionArn"]
    told = lesson.ended(execution)
    assert (told["stateMachineVersionArn"], told["stateMachineAliasArn"]) == (version, alias)
    assert told["stateMachineArn"] == machine
    listed = states.list_executions(stateMachineArn=alias)["executions"]
    assert [item["executionArn"] for item in listed] == [execution]


# --- Express -------------------------------------------------------------------------------


def test_an_express_execution_is_answered_with_its_end(lesson: Lesson) -> None:
    machine = lesson.create(type="EXPRESS")
    for name in ("same", "same"):  # an Express execution's name may come again
        told = lesson.states.start_sync_execution(
            stateMachineArn=machine, name=name, input='{"a": 1}'
        )
        assert (told["status"], told["output"], told["name"]) == ("SUCCEEDED", '{"a":1}', "same")
        assert told["executionArn"].startswith(machine.replace(":stateMachine:", ":express:"))
        assert told["billingDetails"]["billedMemoryUsedInMB"] == 64
        assert told["billingDetails"]["billedDurationInMilliseconds"] % 100 == 0
    refused = lesson.refused("list_executions", stateMachineArn=machine)
    assert refused[0] == "StateMachineTypeNotSupported"


def test_an_express_execution_that_fails_is_no_error_of_the_call(lesson: Lesson) -> None:
    machine = lesson.create(FAIL, type="EXPRESS")
    told = lesson.states.start_sync_execution(stateMachineArn=machine)
    assert (told["status"], told["error"], told["cause"]) == ("FAILED", "No", "because")
    assert "output" not in told


def test_an_express_execution_runs_by_itself_too(lesson: Lesson) -> None:
    """https://github.com/localstack/localstack
    tests/aws/services/stepfunctions/v2/test_sfn_api_express.snapshot.json"""
    sqs = lesson.aws.client("sqs")
    url = sqs.create_queue(QueueName=f"q{uuid.uuid4().hex}")["QueueUrl"]
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    role = permitted(lesson.aws, "states-api-send", send)
    parameters = {"QueueUrl": url, "MessageBody.$": "$$.Execution.Name"}
    resource = "arn:aws:states:::sqs:sendMessage"
    tell = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}
    machine = lesson.create(defined(Tell=tell), type="EXPRESS", roleArn=role)
    starts = [lesson.states.start_execution(stateMachineArn=machine, name="same") for _ in range(2)]
    executions = {start["executionArn"] for start in starts}
    assert len(executions) == 2
    for execution in executions:
        for operation in ("describe_execution", "get_execution_history", "stop_execution"):
            words = "Invalid Arn: 'Resource type not valid in this context: express'"
            assert lesson.refused(operation, executionArn=execution) == ("InvalidArn", words)
    told: list[str] = []

    def receive() -> list[str]:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        told.extend(message["Body"] for message in got)
        return told

    eventually(receive, lambda seen: seen == ["same", "same"])


def test_a_standard_machine_has_no_synchronous_executions(lesson: Lesson) -> None:
    told = lesson.refused("start_sync_execution", stateMachineArn=lesson.create())
    assert told[0] == "StateMachineTypeNotSupported"


# --- tags ----------------------------------------------------------------------------------


def test_tags_are_added_changed_and_removed(lesson: Lesson) -> None:
    states = lesson.states
    arn = lesson.create(tags=[{"key": "a", "value": "1"}])
    states.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b"}])
    states.untag_resource(resourceArn=arn, tagKeys=["a", "not there"])
    tags = states.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"key": "b", "value": ""}]
    many = [{"key": f"k{n}", "value": ""} for n in range(50)]
    assert lesson.refused("tag_resource", resourceArn=arn, tags=many)[0] == "TooManyTags"
    assert states.list_tags_for_resource(resourceArn=arn)["tags"] == tags


# --- EventBridge ---------------------------------------------------------------------------


UNTIL_THEN = {  # what an event says of an execution that has just begun
    "input": "{}",
    "inputDetails": {"included": True},
    "output": None,
    "outputDetails": None,
    "stopDate": None,
    "stateMachineVersionArn": None,
    "stateMachineAliasArn": None,
    "redriveCount": 0,
    "redriveDate": None,
    "redriveStatus": "NOT_REDRIVABLE",
    "redriveStatusReason": "Execution is RUNNING and cannot be redriven",
    "error": None,
    "cause": None,
}
Statuses = dict[tuple[str, str], Object]


@contextlib.contextmanager
def _announced(aws: Session, machines: list[str]) -> Iterator[Callable[[], Statuses]]:
    """Look at what EventBridge tells of these machines: details by execution and status."""
    sqs, events = aws.client("sqs"), aws.client("events")
    name = f"status{uuid.uuid4().hex}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    sender = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
    statement = {**sender, "Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": machines},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue}])
    seen: Statuses = {}

    def receive() -> Statuses:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            detail = event["detail"]
            assert event["resources"] == [detail["executionArn"]]
            assert (detail["executionArn"], detail["status"]) not in seen
            seen[detail["executionArn"], detail["status"]] = detail
        return seen

    yield receive
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)
    sqs.delete_queue(QueueUrl=url)


def test_eventbridge_is_told_of_each_change_of_status(lesson: Lesson) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    long = defined(Long={"Type": "Wait", "Seconds": 900, "End": True})
    definitions = {"done": DONE, "fails": FAIL, "long": long, "late": {**long, "TimeoutSeconds": 1}}
    machines = {name: lesson.create(definition) for name, definition in definitions.items()}
    with _announced(lesson.aws, list(machines.values())) as receive:
        start = lesson.states.start_execution
        runs = {name: start(stateMachineArn=arn)["executionArn"] for name, arn in machines.items()}
        lesson.states.stop_execution(executionArn=runs["long"], error="Stop", cause="by hand")
        seen = eventually(receive, lambda seen: len(seen) == 8)
    running = seen[runs["done"], "RUNNING"]
    assert isinstance(running["startDate"], int)
    assert UNTIL_THEN.items() <= running.items()
    succeeded = seen[runs["done"], "SUCCEEDED"]
    assert (succeeded["output"], succeeded["outputDetails"]) == ("{}", {"included": True})
    assert succeeded["stopDate"] >= succeeded["startDate"]
    failed = seen[runs["fails"], "FAILED"]
    assert (failed["error"], failed["cause"]) == ("No", "because")
    assert (failed["redriveStatus"], failed["redriveStatusReason"]) == ("REDRIVABLE", None)
    aborted = seen[runs["long"], "ABORTED"]
    assert (aborted["error"], aborted["redriveStatus"]) == ("Stop", "REDRIVABLE")
    assert seen[runs["late"], "TIMED_OUT"]["output"] is None


# --- many at once --------------------------------------------------------------------------

FIRST_CALLS = 64


def first_calls(aws: Session) -> list[str]:
    """Create and start many different machines at once; return their executions."""
    lesson = Lesson(aws)

    def call(number: int) -> str:
        states = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(number % 5)}
        last = {f"S{number % 5}": {"Type": "Pass", "Result": number, "End": True}}
        return lesson.start(defined(**states, **last), name=f"first{number}")

    with concurrent.futures.ThreadPoolExecutor(FIRST_CALLS) as pool:
        executions = list(pool.map(call, range(FIRST_CALLS)))
    for number, execution in enumerate(executions):
        told = lesson.ended(execution)
        assert (told["status"], told.get("output")) == ("SUCCEEDED", str(number))
    return executions


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for bytecode: twenty starts read it, also where Python is told to write none."""
    return str(tmp_path_factory.mktemp("bytecode"))


@pytest.mark.parametrize("server", range(20))
def test_the_first_calls_of_a_fresh_server_may_come_all_at_once(
    tmp_path: Path, server: int, compiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the moment that it answers: whatever is not ready by then would fail now and then."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", compiled)
    state = tmp_path / f"{server}.json"
    aws = connect("local", state=state)
    try:
        assert len(set(first_calls(aws))) == FIRST_CALLS
    finally:
        localaws.stop(state)
