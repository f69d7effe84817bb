"""The states API beside AWS's API reference: each rule with the page that it comes from.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_<operation>.html
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers import localaws
from helpers.session import Session, connect

Object = dict[str, Any]
DONE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
FAIL = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "No", "Cause": "because"}}}
STATES = "arn:aws:states:us-east-1:123456789012"
SERVICE = {"Service": "states.amazonaws.com"}


def _machine(**states: Object) -> Object:
    return {"StartAt": next(iter(states)), "States": states}


def _role(aws: Session, name: str, *statements: Object) -> str:
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": SERVICE, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    except iam.exceptions.EntityAlreadyExistsException:
        pass
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=policy)
    return f"arn:aws:iam::123456789012:role/{name}"


class Lesson:
    """A client without botocore's own checks, and what most tests make with it."""

    def __init__(self, aws: Session) -> None:
        self.aws = aws
        config = Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            inject_host_prefix=False,
            max_pool_connections=64,
        )
        self.states = aws.boto.client("stepfunctions", endpoint_url=aws.endpoint, config=config)
        publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
        self.role = _role(aws, "states-api", publish)

    def create(self, definition: Object | str = DONE, **more: Any) -> str:
        text = definition if isinstance(definition, str) else json.dumps(definition)
        arguments = {"name": f"m{uuid.uuid4().hex}", "definition": text, "roleArn": self.role}
        return self.states.create_state_machine(**{**arguments, **more})["stateMachineArn"]

    def start(self, definition: Object = DONE, **more: Any) -> str:
        machine = self.create(definition)
        return self.states.start_execution(stateMachineArn=machine, **more)["executionArn"]

    def run(self, definition: Object, **more: Any) -> str:
        execution = self.start(definition, **more)
        self.ended(execution)
        return execution

    def ended(self, execution: str, status: str | None = None) -> Object:
        return _eventually(
            lambda: self.states.describe_execution(executionArn=execution),
            lambda told: told["status"] == status if status else told["status"] != "RUNNING",
        )

    def types(self, execution: str) -> list[str]:
        events = self.states.get_execution_history(executionArn=execution)["events"]
        return [event["type"] for event in events]

    def refused(self, operation: str, **arguments: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as error:
            getattr(self.states, operation)(**arguments)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        told = error.value.response["Error"]
        return told["Code"], told["Message"]


def _eventually(look: Callable[[], Any], accept: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        seen = look()
        if accept(seen):
            return seen
        time.sleep(0.02)
    raise AssertionError(seen)


@pytest.fixture(scope="module")
def lesson(state: Path) -> Lesson:
    return Lesson(connect("local", state=state))


# --- what every operation refuses ---------------------------------------------------------

NOWHERE = f"{STATES}:stateMachine:nowhere"
RUN = f"{STATES}:execution:nowhere:run"
WORK = f"{STATES}:activity:nowhere"
TEXT = json.dumps(DONE)
ANY_ROLE = "arn:aws:iam::123456789012:role/states-api"
NEW = {"definition": TEXT, "roleArn": ANY_ROLE}

REFUSED: list[tuple[str, Object, str, str]] = [
    # operation, arguments, code, words of the message
    ("create_state_machine", {**NEW, "name": "a b"}, "InvalidName", "Invalid Name: 'a b'"),
    ("create_state_machine", {**NEW, "name": "a*"}, "InvalidName", "Invalid Name: 'a*'"),
    (
        "create_state_machine",
        {**NEW, "name": "a" * 81},
        "ValidationException",
        f"1 validation error detected: Value '{'a' * 81}' at 'name' failed to satisfy constraint: "
        "Member must have length less than or equal to 80",
    ),
    (
        "create_state_machine",
        {"name": "a"},
        "ValidationException",
        "2 validation errors detected: Value null at 'definition' failed to satisfy constraint: "
        "Member must not be null; Value null at 'roleArn' failed",
    ),
    (
        "create_state_machine",
        {**NEW, "name": "a", "type": "FAST"},
        "ValidationException",
        "Member must satisfy enum value set: [STANDARD, EXPRESS]",
    ),
    ("create_state_machine", {**NEW, "name": "a", "roleArn": "me"}, "InvalidArn", "'me'"),
    ("create_state_machine", {**NEW, "name": "a", "definition": "{"}, "InvalidDefinition", "JSON"),
    (
        "create_state_machine",
        {**NEW, "name": "a", "tags": [{"key": f"k{n}", "value": ""} for n in range(51)]},
        "TooManyTags",
        "50",
    ),
    (
        "create_state_machine",
        {**NEW, "name": 7},
        "SerializationException",
        "NUMBER_VALUE can not be converted to a String",
    ),
    ("update_state_machine", {"stateMachineArn": NOWHERE}, "MissingRequiredParameter", ""),
    (
        "update_state_machine",
        {"stateMachineArn": NOWHERE, "definition": TEXT},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{NOWHERE}'",
    ),
    (
        "update_state_machine",
        {"stateMachineArn": "nothing", "definition": TEXT},
        "InvalidArn",
        "Invalid Arn: 'Invalid ARN prefix: nothing'",
    ),
    (
        "describe_state_machine",
        {"stateMachineArn": NOWHERE},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{NOWHERE}'",
    ),
    (
        "describe_state_machine",
        {"stateMachineArn": WORK},
        "InvalidArn",
        "Invalid Arn: 'Resource type not valid in this context: activity'",
    ),
    ("delete_state_machine", {"stateMachineArn": "x"}, "InvalidArn", "Invalid ARN prefix: x"),
    ("list_state_machines", {"nextToken": "x"}, "InvalidToken", "Invalid Token: 'Invalid token'"),
    (
        "list_state_machines",
        {"maxResults": 1001},
        "ValidationException",
        "Member must have value less than or equal to 1000",
    ),
    ("list_activities", {"nextToken": "x"}, "InvalidToken", "Invalid token"),
    ("list_executions", {}, "ValidationException", "stateMachineArn"),
    ("list_executions", {"stateMachineArn": NOWHERE}, "StateMachineDoesNotExist", NOWHERE),
    ("list_executions", {"mapRunArn": f"{STATES}:mapRun:m/l:x"}, "ResourceNotFound", "Map Run"),
    (
        "list_executions",
        {"stateMachineArn": NOWHERE, "statusFilter": "DONE"},
        "ValidationException",
        "enum value set",
    ),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{NOWHERE}'",
    ),
    ("start_execution", {"stateMachineArn": RUN}, "InvalidArn", "not valid in this context"),
    ("start_execution", {"stateMachineArn": NOWHERE, "name": "a:b"}, "InvalidName", "'a:b'"),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE, "name": "a" * 81},
        "ValidationException",
        "length less than or equal to 80",
    ),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE, "input": "{no"},
        "InvalidExecutionInput",
        "Invalid State Machine Execution Input: '",
    ),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE, "input": json.dumps("a" * 262_144)},
        "ValidationException",
        "Value at 'input' failed to satisfy constraint: "
        "Member must have length less than or equal to 262144",
    ),
    (
        "start_execution",
        # 262,144 is a number of bytes in UTF-8, and these are two each
        {"stateMachineArn": NOWHERE, "input": json.dumps("é" * 140_000, ensure_ascii=False)},
        "InvalidExecutionInput",
        "262144",
    ),
    ("start_sync_execution", {"stateMachineArn": NOWHERE}, "StateMachineDoesNotExist", NOWHERE),
    (
        "stop_execution",
        {"executionArn": RUN},
        "ExecutionDoesNotExist",
        f"Execution Does Not Exist: '{RUN}'",
    ),
    ("describe_execution", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("describe_execution", {"executionArn": NOWHERE}, "InvalidArn", "statemachine"),
    ("get_execution_history", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("describe_state_machine_for_execution", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("redrive_execution", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("list_map_runs", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("create_activity", {"name": "a?"}, "InvalidName", "Invalid Name: 'a?'"),
    ("describe_activity", {"activityArn": WORK}, "ActivityDoesNotExist", WORK),
    ("describe_activity", {"activityArn": NOWHERE}, "InvalidArn", "statemachine"),
    ("delete_activity", {"activityArn": "x"}, "InvalidArn", "x"),
    ("get_activity_task", {"activityArn": WORK}, "ActivityDoesNotExist", WORK),
    ("send_task_success", {"taskToken": "x", "output": "{}"}, "InvalidToken", "Invalid Token"),
    ("send_task_success", {"taskToken": "x", "output": "{"}, "InvalidOutput", "Invalid Output"),
    (
        "send_task_success",
        {"taskToken": "x", "output": json.dumps("a" * 262_144)},
        "ValidationException",
        "Value at 'output' failed",
    ),
    ("send_task_failure", {"taskToken": "x"}, "InvalidToken", "Invalid Token"),
    (
        "send_task_failure",
        {"taskToken": "x", "error": "e" * 257},
        "ValidationException",
        "less than or equal to 256",
    ),
    ("send_task_heartbeat", {"taskToken": "x"}, "InvalidToken", "Invalid Token"),
    ("send_task_heartbeat", {}, "ValidationException", "Value null at 'taskToken'"),
    (
        "tag_resource",
        {"resourceArn": NOWHERE, "tags": [{"key": "a", "value": "b"}]},
        "ResourceNotFound",
        NOWHERE,
    ),
    ("untag_resource", {"resourceArn": NOWHERE, "tagKeys": ["a"]}, "ResourceNotFound", NOWHERE),
    ("list_tags_for_resource", {"resourceArn": RUN}, "InvalidArn", "execution"),
    ("list_state_machine_versions", {"stateMachineArn": "x"}, "InvalidArn", "x"),
    ("test_state", {"definition": "{"}, "InvalidDefinition", "INVALID_JSON_DESCRIPTION"),
    ("test_state", {"definition": '{"Type": "Wait"}'}, "InvalidDefinition", "Seconds"),
    (
        "test_state",
        {"definition": '{"Type": "Succeed"}', "input": "{"},
        "InvalidExecutionInput",
        "",
    ),
]


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "words"),
    REFUSED,
    ids=[f"{operation}-{code}-{n}" for n, (operation, _, code, _) in enumerate(REFUSED)],
)
def test_it_is_refused_as_on_aws(
    lesson: Lesson, operation: str, arguments: Object, code: str, words: str
) -> None:
    told, message = lesson.refused(operation, **arguments)
    assert told == code
    assert words in message


# --- machines ------------------------------------------------------------------------------


def test_the_same_machine_again_is_the_same_whatever_its_role_and_tags(lesson: Lesson) -> None:
    first = lesson.create(name="again", tags=[{"key": "a", "value": "1"}])
    other = _role(lesson.aws, "other")
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
    assert changed["revisionId"] == after["revisionId"] != before["revisionId"]
    assert json.loads(after["definition"]) == FAIL
    kept = ("roleArn", "name", "creationDate", "type", "status", "tracingConfiguration")
    assert [after[key] for key in kept] == [before[key] for key in kept]
    code, _ = lesson.refused("update_state_machine", stateMachineArn=machine, definition="[]")
    assert code == "InvalidDefinition"
    assert json.loads(states.describe_state_machine(stateMachineArn=machine)["definition"]) == FAIL


def test_a_deletion_ends_what_runs_and_twice_is_no_error(lesson: Lesson) -> None:
    states = lesson.states
    machine = lesson.create(_machine(Long={"Type": "Wait", "Seconds": 900, "End": True}))
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
    pages = _pages(states.list_activities, "activities", maxResults=1)
    assert [a["activityArn"] for a in pages if a["activityArn"] in arns] == arns
    for arn in arns * 2:
        states.delete_activity(activityArn=arn)
    assert lesson.refused("describe_activity", activityArn=arns[0])[0] == "ActivityDoesNotExist"


def _tasks(lesson: Lesson, count: int, activity: str) -> list[str]:
    """Start executions that each wait for a worker of the activity; their inputs are numbers."""
    machine = lesson.create(_machine(Work={"Type": "Task", "Resource": activity, "End": True}))
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


def test_polls_that_are_cut_off_lose_no_task(lesson: Lesson) -> None:
    arn = lesson.states.create_activity(name=f"w{uuid.uuid4().hex}")["activityArn"]
    for _ in range(5):
        _cut_off(lesson.aws, arn)
    executions = _tasks(lesson, 6, arn)
    for execution in executions:
        look = functools.partial(lesson.types, execution)
        _eventually(look, lambda seen: "ActivityScheduled" in seen)
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
        _machine(
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
    execution = lesson.run(_machine(**states, S4={"Type": "Pass", "End": True}), input='{"a": 1}')
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
    machine = lesson.create(type="EXPRESS")
    starts = [lesson.states.start_execution(stateMachineArn=machine, name="same") for _ in range(2)]
    assert starts[0]["executionArn"] != starts[1]["executionArn"]
    for start in starts:
        assert lesson.ended(start["executionArn"])["status"] == "SUCCEEDED"


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


# --- redrives ------------------------------------------------------------------------------


def _half(lesson: Lesson, topic: str) -> Object:
    """A machine whose second state can be made to work between two attempts."""
    publish = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": topic, "Message.$": "$word"},
        "ResultPath": None,
        "End": True,
    }
    prepare = {"Type": "Pass", "Assign": {"word": "it's said"}, "Result": 1, "Next": "Tell"}
    return _machine(Prepare=prepare, Tell=publish)


def test_a_redrive_goes_on_at_the_state_that_failed(lesson: Lesson) -> None:
    states, sns = lesson.states, lesson.aws.client("sns")
    topic = f"arn:aws:sns:us-east-1:123456789012:t{uuid.uuid4().hex}"
    execution = lesson.run(_half(lesson, topic))
    assert lesson.types(execution)[-1] == "ExecutionFailed"
    before = states.get_execution_history(executionArn=execution)["events"]
    sns.create_topic(Name=topic.rsplit(":")[-1])
    date = states.redrive_execution(executionArn=execution)["redriveDate"]
    told = lesson.ended(execution, "SUCCEEDED")
    assert (told["redriveCount"], told["redriveDate"]) == (1, date)
    assert (told["redriveStatus"], told["output"]) == ("NOT_REDRIVABLE", "1")
    assert not {"error", "cause"} & set(told)
    events = states.get_execution_history(executionArn=execution)["events"]
    assert events[: len(before)] == before
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    redriven, *rest = events[len(before) :]
    assert redriven["type"] == "ExecutionRedriven"
    assert redriven["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert [event["type"] for event in rest if "Task" in event["type"]][-2:] == [
        "TaskSucceeded",
        "TaskStateExited",
    ]
    scheduled = next(event for event in rest if event["type"] == "TaskScheduled")
    message = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Message"]
    assert message == "it's said"


def test_a_redrive_may_fail_again_and_be_redriven_again(lesson: Lesson) -> None:
    execution = lesson.run(FAIL)
    for count in (1, 2):
        lesson.states.redrive_execution(executionArn=execution)
        told = lesson.ended(execution, "FAILED")
        assert (told["redriveCount"], told["redriveStatus"]) == (count, "REDRIVABLE")
    assert lesson.types(execution).count("ExecutionRedriven") == 2


def test_a_redrive_takes_the_definition_of_then(lesson: Lesson) -> None:
    execution = lesson.run(FAIL)
    machine = lesson.states.describe_execution(executionArn=execution)["stateMachineArn"]
    lesson.states.update_state_machine(stateMachineArn=machine, definition=json.dumps(DONE))
    lesson.states.redrive_execution(executionArn=execution)
    assert lesson.ended(execution)["status"] == "FAILED"


def test_a_redrive_with_the_same_client_token_is_one(lesson: Lesson) -> None:
    execution = lesson.run(FAIL)
    redrive = lesson.states.redrive_execution
    first = redrive(executionArn=execution, clientToken="once")["redriveDate"]
    lesson.ended(execution)
    assert redrive(executionArn=execution, clientToken="once")["redriveDate"] == first
    assert lesson.types(execution).count("ExecutionRedriven") == 1


def test_a_stopped_execution_is_redriven_too(lesson: Lesson) -> None:
    execution = lesson.start(_machine(Long={"Type": "Wait", "Seconds": 900, "End": True}))
    told = lesson.refused("redrive_execution", executionArn=execution)
    reason = "Execution is RUNNING and cannot be redriven"
    assert told == ("ExecutionNotRedrivable", reason)
    _eventually(lambda: lesson.types(execution), lambda types: "WaitStateEntered" in types)
    lesson.states.stop_execution(executionArn=execution)
    lesson.states.redrive_execution(executionArn=execution)
    described = lesson.states.describe_execution(executionArn=execution)
    assert (described["status"], described["redriveStatus"]) == ("RUNNING", "NOT_REDRIVABLE")
    lesson.states.stop_execution(executionArn=execution)
    assert lesson.ended(execution)["status"] == "ABORTED"


def test_an_execution_is_stopped_at_once_even_before_it_began(lesson: Lesson) -> None:
    states = lesson.states
    machine = lesson.create(_machine(Long={"Type": "Wait", "Seconds": 900, "End": True}))
    for _ in range(20):
        execution = states.start_execution(stateMachineArn=machine)["executionArn"]
        stopped = states.stop_execution(executionArn=execution)["stopDate"]
        told = states.describe_execution(executionArn=execution)
        assert (told["status"], told["stopDate"]) == ("ABORTED", stopped)
        assert lesson.types(execution)[-1] == "ExecutionAborted"


def test_what_has_succeeded_is_not_redriven(lesson: Lesson) -> None:
    told = lesson.refused("redrive_execution", executionArn=lesson.run(DONE))
    assert told[0] == "ExecutionNotRedrivable"


# --- validation ----------------------------------------------------------------------------

TARGET, SCHEMA = "MISSING_TRANSITION_TARGET", "SCHEMA_VALIDATION_FAILED"
END = {"End": True}
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:f"
TASK = {"Type": "Task", "Resource": LAMBDA}
JSONATA = {"QueryLanguage": "JSONata"}

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
        _machine(
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
        _machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}),
        [("MISSING_END_STATE", None, "Workflow has no terminal state")],
    ),
    "a choice to nowhere": (
        _machine(
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
        _machine(T={**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "X"}], **END}),
        [(TARGET, "/States/T/Catch[0]/Next", "Missing 'Next' target: X")],
    ),
    "an unknown type": (_machine(A={"Type": "Tsak", **END}), [(SCHEMA, "/States/A/Type", "Task")]),
    "no type": (_machine(A=END), [(SCHEMA, "/States/A", "These fields are required: [Type]")]),
    "neither Next nor End": (
        _machine(A={"Type": "Pass"}, B={"Type": "Succeed"}),
        [(TARGET, "/States/B", "not reachable"), (SCHEMA, "/States/A", "[Next, End]")],
    ),
    "a retry where none is": (
        # https://github.com/floci-io/floci/issues/2735 has AWS's words
        _machine(A={"Type": "Pass", "Retry": [], "Catch": [], "TimeoutSeconds": 1, **END}),
        [
            (SCHEMA, "/States/A", "Field 'Retry' is not supported"),
            (SCHEMA, "/States/A", "Field 'Catch' is not supported"),
            (SCHEMA, "/States/A", "Field 'TimeoutSeconds' is not supported"),
        ],
    ),
    "no resource": (_machine(A={"Type": "Task", **END}), [(SCHEMA, "/States/A", "[Resource]")]),
    "a resource that is no ARN": (
        # https://github.com/aws/aws-sam-cli-app-templates/issues/185
        _machine(A={"Type": "Task", "Resource": "${F}", **END}),
        [(SCHEMA, "/States/A/Resource", "Value is not a valid resource ARN")],
    ),
    "an unknown integration": (
        _machine(A={"Type": "Task", "Resource": "arn:aws:states:::sns:shout", **END}),
        [(SCHEMA, "/", "arn:aws:states:::sns:shout")],
    ),
    "a path that is none": (
        _machine(A={"Type": "Pass", "Parameters": {"a": {"x.$": "x"}}, **END}),
        [(SCHEMA, "/States/A/Parameters/a", "'x.$' must be a valid JSONPath or a valid intrinsic")],
    ),
    "an InputPath that is none": (
        _machine(A={"Type": "Pass", "InputPath": "detail", **END}),
        [(SCHEMA, "/States/A/InputPath", "JSONPath")],
    ),
    "a wait of many kinds": (
        _machine(A={"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", **END}),
        [(SCHEMA, "/States/A", "One and only one of these fields is required: [Seconds")],
    ),
    "a wait of text": (
        _machine(A={"Type": "Wait", "Seconds": "1", **END}),
        [(SCHEMA, "/States/A/Seconds", "integer")],
    ),
    "a timeout of nothing": (
        _machine(A={**TASK, "TimeoutSeconds": 0, **END}),
        [(SCHEMA, "/States/A/TimeoutSeconds", "positive integer")],
    ),
    "a heartbeat after the timeout": (
        _machine(A={**TASK, "TimeoutSeconds": 5, "HeartbeatSeconds": 5, **END}),
        [(SCHEMA, "/States/A/HeartbeatSeconds", "smaller")],
    ),
    "a choice without a comparison": (
        _machine(
            A={"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "B"}]}, B={"Type": "Fail"}
        ),
        [(SCHEMA, "/States/A/Choices[0]", "comparison")],
    ),
    "a choice without a variable, deep inside": (
        _machine(
            A={
                "Type": "Choice",
                "Choices": [{"And": [{"Not": {"IsNull": True}}], "Next": "B"}],
            },
            B={"Type": "Fail"},
        ),
        [(SCHEMA, "/States/A/Choices[0]/And[0]/Not[0]", "[Variable]")],
    ),
    "States.ALL among others": (
        _machine(A={**TASK, "Retry": [{"ErrorEquals": ["States.ALL", "X"]}], **END}),
        [(SCHEMA, "/States/A/Retry[0]/ErrorEquals", "alone")],
    ),
    "a mistake in a branch": (
        _machine(P={"Type": "Parallel", "Branches": [DONE, FAIL, {"StartAt": "A"}], **END}),
        [(SCHEMA, "/States/P/Branches[2]", "[States]")],
    ),
    "a map without a processor": (
        _machine(M={"Type": "Map", **END}),
        [(SCHEMA, "/States/M", "[ItemProcessor, Iterator]")],
    ),
    "a name twice": (
        _machine(Done={"Type": "Map", "ItemProcessor": DONE, **END}),
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
        _machine(A={"Type": "Pass", "Output": 1, **END}),
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
        {**JSONATA, **_machine(A={"Type": "Pass", "QueryLanguage": "JSONPath", **END})},
        [(SCHEMA, "/States/A", "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata'")],
    ),
    "a language for the items": (
        _machine(M={"Type": "Map", "ItemProcessor": {**JSONATA, **DONE}, **END}),
        [(SCHEMA, "/States/M/ItemProcessor", "Field 'QueryLanguage' is not supported")],
    ),
    "JSONPath in JSONata": (
        {**JSONATA, **_machine(A={"Type": "Pass", "ResultPath": "$.a", **END})},
        [(SCHEMA, "/States/A", "'ResultPath' is only supported for the 'JSONPath'")],
    ),
    "no JSONata": (
        {**JSONATA, **_machine(A={"Type": "Pass", "Output": {"v": ["{% 1 + %}"]}, **END})},
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


DOUBTFUL = _machine(
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
    text = json.dumps(_machine(A={"Type": "Task", "Resource": resource, **END}))
    validate = lesson.states.validate_state_machine_definition
    told = validate(definition=text, type="EXPRESS")
    assert told["result"] == "FAIL"
    assert told["diagnostics"][0]["location"] == "/States/A/Resource"
    found = validate(definition=text)["diagnostics"]
    assert "/States/A/Resource" not in [each.get("location") for each in found]


# --- one state alone -----------------------------------------------------------------------

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
    branch = _machine(Inner={"Type": "Pass", "Output": "{% $states.input * 2 %}", **END})
    machine = {**JSONATA, **_machine(P={"Type": "Parallel", "Branches": [branch], **END})}
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
    nobody = _role(lesson.aws, "nobody")
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


# --- EventBridge ---------------------------------------------------------------------------


def test_eventbridge_is_told_of_each_change_of_status(lesson: Lesson) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    aws = lesson.aws
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="status")["QueueUrl"]
    queue = "arn:aws:sqs:us-east-1:123456789012:status"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    long = _machine(Long={"Type": "Wait", "Seconds": 900, "End": True})
    machines = {name: lesson.create(d) for name, d in (("d", DONE), ("f", FAIL), ("l", long))}
    late = lesson.create({**long, "TimeoutSeconds": 1})
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [*machines.values(), late]},
    }
    events.put_rule(Name="status", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="status", Targets=[{"Id": "queue", "Arn": queue}])
    start = lesson.states.start_execution
    runs = {name: start(stateMachineArn=arn)["executionArn"] for name, arn in machines.items()}
    runs["t"] = start(stateMachineArn=late)["executionArn"]
    lesson.states.stop_execution(executionArn=runs["l"], error="Stop", cause="by hand")
    seen: dict[tuple[str, str], Object] = {}

    def receive() -> int:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            detail = event["detail"]
            assert event["resources"] == [detail["executionArn"]]
            seen[detail["executionArn"], detail["status"]] = detail
        return len(seen)

    _eventually(receive, lambda count: count == 8)
    events.remove_targets(Rule="status", Ids=["queue"])
    events.delete_rule(Name="status")
    running = seen[runs["d"], "RUNNING"]
    assert isinstance(running["startDate"], int)
    expected = {
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
    assert expected.items() <= running.items()
    succeeded = seen[runs["d"], "SUCCEEDED"]
    assert (succeeded["output"], succeeded["outputDetails"]) == ("{}", {"included": True})
    assert succeeded["stopDate"] >= succeeded["startDate"]
    failed = seen[runs["f"], "FAILED"]
    assert (failed["error"], failed["cause"]) == ("No", "because")
    assert (failed["redriveStatus"], failed["redriveStatusReason"]) == ("REDRIVABLE", None)
    aborted = seen[runs["l"], "ABORTED"]
    assert (aborted["error"], aborted["redriveStatus"]) == ("Stop", "REDRIVABLE")
    assert seen[runs["t"], "TIMED_OUT"]["output"] is None


# --- many at once --------------------------------------------------------------------------

FIRST_CALLS = 64


def first_calls(aws: Session) -> list[str]:
    """Create and start many different machines at once; return their executions."""
    lesson = Lesson(aws)

    def call(number: int) -> str:
        states = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(number % 5)}
        last = {f"S{number % 5}": {"Type": "Pass", "Result": number, "End": True}}
        return lesson.start(_machine(**states, **last), name=f"first{number}")

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
