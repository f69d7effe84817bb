"""What the tests of CloudFormation share: a test's stacks, and the parts of templates."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from helpers.session import Session

Object = dict[str, Any]

MACHINE = "AWS::StepFunctions::StateMachine"
VERSION = "AWS::StepFunctions::StateMachineVersion"
ALIAS = "AWS::StepFunctions::StateMachineAlias"
ACTIVITY = "AWS::StepFunctions::Activity"
WAIT = "AWS::CloudFormation::WaitCondition"


def definition(result: Any = 1) -> Object:
    """Return a machine whose executions have this output."""
    return {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": result, "End": True}}}


@dataclass
class Stacks:
    """The stacks of one test, and what it looks at."""

    aws: Session
    role: str
    ids: list[str] = field(default_factory=list)

    @property
    def formation(self) -> Any:
        return self.aws.client("cloudformation")

    @property
    def states(self) -> Any:
        return self.aws.client("stepfunctions")

    def machine(self, result: Any = 1, **properties: Any) -> Object:
        """Return a resource of a machine."""
        return resource(MACHINE, RoleArn=self.role, Definition=definition(result), **properties)

    def begin(self, resources: Object, outputs: Object | None = None, **options: Any) -> str:
        """Have a stack created; return its id, and do not wait."""
        options.setdefault("StackName", f"s{uuid.uuid4().hex[:12]}")
        created = self.formation.create_stack(TemplateBody=template(resources, outputs), **options)
        self.ids.append(created["StackId"])
        return created["StackId"]

    def create(self, resources: Object, outputs: Object | None = None, **options: Any) -> str:
        """Create a stack that has to succeed; return its id."""
        stack_id = self.begin(resources, outputs, **options)
        assert self.settled(stack_id) == "CREATE_COMPLETE", self.reasons(stack_id)
        return stack_id

    def update(self, stack_id: str, resources: Object, outputs: Object | None = None) -> str:
        """Update a stack; return the status in which that ends."""
        body = template(resources, outputs)
        self.formation.update_stack(StackName=stack_id, TemplateBody=body)
        return self.settled(stack_id)

    def delete(self, stack_id: str) -> str:
        self.formation.delete_stack(StackName=stack_id)
        return self.settled(stack_id, lambda status: status.startswith("DELETE"))

    def settled(self, stack_id: str, accept: Callable[[str], bool] = bool) -> str:
        """Wait until nothing is done to a stack any more; return its status."""

        def status() -> str:
            return self.described(stack_id)["StackStatus"]

        return eventually(
            status, lambda found: not found.endswith("_IN_PROGRESS") and accept(found)
        )

    def described(self, stack_id: str) -> Object:
        return self.formation.describe_stacks(StackName=stack_id)["Stacks"][0]

    def outputs(self, stack_id: str) -> dict[str, str]:
        found = self.described(stack_id)["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def physical(self, stack_id: str) -> dict[str, str]:
        found = self.formation.describe_stack_resources(StackName=stack_id)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def events(self, stack_id: str) -> list[Object]:
        """Return a stack's events, oldest first."""
        pages = self.formation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def told(self, stack_id: str) -> list[tuple[str, str]]:
        """Return what the events say, as (logical id, status); the stack itself is "stack"."""
        return [
            ("stack" if own(event) else event["LogicalResourceId"], event["ResourceStatus"])
            for event in self.events(stack_id)
        ]

    def reasons(self, stack_id: str) -> dict[tuple[str, str], str]:
        return {
            (each["LogicalResourceId"], each["ResourceStatus"]): each["ResourceStatusReason"]
            for each in self.events(stack_id)
            if each.get("ResourceStatusReason")
        }

    def failure(self, stack_id: str, logical_id: str) -> str:
        """Return why a resource failed."""
        reasons = self.reasons(stack_id)
        return reasons.get((logical_id, "CREATE_FAILED")) or reasons[logical_id, "UPDATE_FAILED"]

    def run(self, machine: str) -> Any:
        """Run a machine; return its output."""
        execution = self.states.start_execution(stateMachineArn=machine)["executionArn"]
        return self.output(execution)

    def output(self, execution: str) -> Any:
        ended = eventually(
            lambda: self.states.describe_execution(executionArn=execution),
            lambda found: found["status"] != "RUNNING",
        )
        return json.loads(ended["output"])

    def exists(self, arn: str) -> bool:
        """Say whether there is a machine, version, alias or activity of this ARN."""
        try:
            if ":activity:" in arn:
                self.states.describe_activity(activityArn=arn)
            else:
                self.states.describe_state_machine(stateMachineArn=arn)
        except ClientError as error:
            if not error.response["Error"]["Code"].endswith("DoesNotExist"):
                raise
            return False
        return True

    def tags(self, arn: str) -> dict[str, str]:
        found = self.states.list_tags_for_resource(resourceArn=arn)["tags"]
        return {tag["key"]: tag["value"] for tag in found}

    def waiting(self, stack_id: str, logical_id: str = "Wait") -> None:
        """Wait until a stack waits for a signal."""
        eventually(
            lambda: self.told(stack_id), lambda told: (logical_id, "CREATE_IN_PROGRESS") in told
        )

    def signal(self, stack_id: str, status: str = "SUCCESS", logical_id: str = "Wait") -> None:
        """Let a stack go on that waits."""

        def sent() -> bool:
            try:
                self.formation.signal_resource(
                    StackName=stack_id, LogicalResourceId=logical_id, UniqueId="1", Status=status
                )
            except ClientError as error:
                if "is not waiting for signals" not in str(error):
                    raise
                return False
            return True

        eventually(sent, bool)


def own(event: Object) -> bool:
    """Say whether an event is of the stack itself."""
    return event["PhysicalResourceId"] == event["StackId"]


def eventually(look: Callable[[], Any], accept: Callable[[Any], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        seen = look()
        if accept(seen):
            return seen
        time.sleep(0.02)
    raise AssertionError(seen)


def resource(kind: str, **properties: Any) -> Object:
    given = {name: value for name, value in properties.items() if value is not None}
    return {"Type": kind, "Properties": given}


def after(logical_id: str, part: Object) -> Object:
    """Return a resource that comes after another."""
    return {**part, "DependsOn": logical_id}


def wait_condition() -> Object:
    """Return a resource that is complete when it is told so."""
    return {"Type": WAIT, "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT5M"}}}


def template(resources: Object, outputs: Object | None = None) -> str:
    values = {name: {"Value": value} for name, value in (outputs or {}).items()}
    return json.dumps({"Resources": resources, **({"Outputs": values} if values else {})})


def fresh(prefix: str = "n") -> str:
    return f"{prefix}{uuid.uuid4().hex[:12]}"


def trusting(aws: Session, name: str, service: str) -> str:
    """Make a role that trusts a service; return its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = aws.client("iam")
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    except iam.exceptions.EntityAlreadyExistsException:
        pass
    return iam.get_role(RoleName=name)["Role"]["Arn"]
