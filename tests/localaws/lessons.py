"""What the tests of the states API share: a client that checks nothing, and what it makes."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers.session import Session

Object = dict[str, Any]
DONE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
FAIL = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "No", "Cause": "because"}}}
STATES = "arn:aws:states:us-east-1:123456789012"
END = {"End": True}
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:f"
TASK = {"Type": "Task", "Resource": LAMBDA}
JSONATA = {"QueryLanguage": "JSONata"}
TEXT = json.dumps(DONE)
ANY_ROLE = "arn:aws:iam::123456789012:role/states-api"
NEW = {"definition": TEXT, "roleArn": ANY_ROLE}
SERVICE = {"Service": "states.amazonaws.com"}


def defined(**states: Object) -> Object:
    return {"StartAt": next(iter(states)), "States": states}


def permitted(aws: Session, name: str, *statements: Object) -> str:
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
        self.role = permitted(aws, "states-api", publish)

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
        return eventually(
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


def eventually(look: Callable[[], Any], accept: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        seen = look()
        if accept(seen):
            return seen
        time.sleep(0.02)
    raise AssertionError(seen)
