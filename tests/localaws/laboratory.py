"""What the tests of executions share: a role, two functions, a topic, an activity, a bucket."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.localaws.record import ACCOUNT
from helpers.session import Session

Document = dict[str, Any]
Events = list[Document]

ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")

DG = "https://docs.aws.amazon.com/step-functions/latest/dg"
API = "https://docs.aws.amazon.com/step-functions/latest/apireference"
# Histories that were recorded on AWS, in public repositories.
RECORDED = "https://github.com/localstack/localstack tests/aws/services/stepfunctions/v2"
REDRIVEN = "https://github.com/radkawar/stackd testdata/aws/stepfunctions/redrive_execution.json"
MEASURED = "https://github.com/floci-io/floci/pull/3167"

CODE = """
import time

def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    time.sleep(event.get("sleep", 0))
    return "x" * event["big"] if event.get("big") else event
"""


@dataclass(frozen=True)
class Laboratory:
    """Things that state machines work with, by the names that definitions use for them."""

    aws: Session
    role: str
    names: dict[str, str]

    def start(self, definition: Document, value: Any, name: str) -> str:
        """Create a machine and start it; return the execution."""
        states = self.aws.client("stepfunctions")
        machine = states.create_state_machine(
            name=name, definition=self.filled(json.dumps(definition)), roleArn=self.role
        )["stateMachineArn"]
        started = states.start_execution(stateMachineArn=machine, input=json.dumps(value))
        return started["executionArn"]

    def filled(self, text: str) -> str:
        """Replace ``<function>`` and the like by what they stand for."""
        for name, value in self.names.items():
            text = text.replace(f"<{name}>", value)
        return text

    def history(self, execution: str, *until: str) -> Events:
        """Wait for one of these events, or the end; return the history."""
        wanted = until or ENDS
        return self.until(execution, lambda seen: any(event["type"] in wanted for event in seen))

    def until(self, execution: str, accept: Callable[[Events], bool]) -> Events:
        """Wait for a history that is accepted, and return it."""
        states, deadline = self.aws.client("stepfunctions"), time.monotonic() + 60
        while time.monotonic() < deadline:
            events = states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
            if accept(events):
                return events
            time.sleep(0.05)
        raise AssertionError([event["type"] for event in events])

    def ended(self, execution: str) -> Document:
        """Wait until an execution runs no more; return its description."""
        states, deadline = self.aws.client("stepfunctions"), time.monotonic() + 60
        while time.monotonic() < deadline:
            told = states.describe_execution(executionArn=execution)
            if told["status"] != "RUNNING":
                return told
            time.sleep(0.05)
        raise AssertionError(told)

    def output(self, execution: str) -> Any:
        """Wait for the end; return the output, or the error and its cause."""
        end = self.history(execution)[-1]
        if end["type"] == "ExecutionSucceeded":
            return json.loads(end["executionSucceededEventDetails"]["output"])
        details = end[f"{end['type'][0].lower()}{end['type'][1:]}EventDetails"]
        return end["type"], details.get("error"), details.get("cause")


def furnish(aws: Session) -> Laboratory:
    """Make what is not there yet."""
    role = _role(aws)
    states, sns, s3 = (aws.client(name) for name in ("stepfunctions", "sns", "s3"))
    topic = sns.create_topic(Name="laboratory")["TopicArn"]
    activity = topic.replace(":sns:", ":states:").replace(":laboratory", ":activity:laboratory")
    for number in ("", *range(1, 10)):  # so that no two tests share a worker
        states.create_activity(name=f"laboratory{number}")
    # A bucket's name is everybody's; definitions name that of the server's own account.
    bucket = "laboratory" if aws.account == ACCOUNT else f"laboratory-{aws.account}"
    s3.create_bucket(Bucket=bucket)
    for key, body in (("list.json", b'[{"n": 1}, {"n": 2}]'), ("list.csv", b"a,b\n1,2\n3,4\n")):
        s3.put_object(Bucket=bucket, Key=f"in/{key}", Body=body)
    names = {
        "function": _function(aws, role, "laboratory", 30),
        "hasty": _function(aws, role, "hasty", 1),
        "closed": _closed(aws, role),
        "topic": topic,
        "activity": activity,
        "role": role,
        "child": _child(aws, role, "child", {"Type": "Pass", "Result": {"k": 1}, "End": True}),
        "broken": _child(aws, role, "broken", {"Type": "Fail", "Error": "E", "Cause": "C"}),
    }
    return Laboratory(aws, role, names)


def _role(aws: Session) -> str:
    iam = aws.client("iam")
    services = {"Service": ["states.amazonaws.com", "lambda.amazonaws.com"]}
    trust = {"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"}
    try:
        iam.create_role(RoleName="laboratory", AssumeRolePolicyDocument=_policy(trust))
    except iam.exceptions.EntityAlreadyExistsException:
        pass
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(RoleName="laboratory", PolicyName="all", PolicyDocument=_policy(everything))
    return iam.get_role(RoleName="laboratory")["Role"]["Arn"]


def _policy(statement: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _function(aws: Session, role: str, name: str, seconds: int) -> str:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", CODE)
    functions = aws.client("lambda")
    try:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=seconds,
        )
    except functions.exceptions.ResourceConflictException:
        pass
    return functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]


def _closed(aws: Session, role: str) -> str:
    """Make a function that is never let run."""
    arn = _function(aws, role, "closed", 1)
    aws.client("lambda").put_function_concurrency(
        FunctionName="closed", ReservedConcurrentExecutions=0
    )
    return arn


def _child(aws: Session, role: str, name: str, state: Document) -> str:
    return aws.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(machine(A=state)), roleArn=role
    )["stateMachineArn"]


def machine(language: str = "JSONPath", **states: Document) -> Document:
    """Return a definition that begins with the first of these states."""
    return {"QueryLanguage": language, "StartAt": next(iter(states)), "States": states}


def task(resource: str, **fields: Any) -> Document:
    """Return a Task state that ends, unless it says otherwise."""
    ending = {} if "Next" in fields else {"End": True}
    return {"Type": "Task", "Resource": resource, **ending, **fields}


Meanwhile = Callable[[Laboratory, str], None]


def eventually(look: Callable[[], Any]) -> Any:
    """Look again and again until there is something; return it."""
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found
