"""The deployed guard as tests handle it: policies that change, and what comes of each change."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, unquote

from botocore.client import BaseClient

from helpers import approval, history, inbox, incident, stack
from helpers.session import Session
from tests.unit.test_app_template import load

PLACEHOLDER: str = load("managed_policy").PLACEHOLDER
NUMBERS = itertools.count(1)
LIMIT_SECONDS = 90  # only keeps a broken run from hanging


def granting(*actions: str) -> str:
    """Return a policy document that allows these actions, in a shape of its own."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


GOOD = granting("s3:GetObject")
BAD = granting("s3:GetObject", "s3:DeleteBucket")


def until(read: Callable[[], Any], what: str) -> Any:
    """Read again and again until there is something; return it."""
    give_up = time.monotonic() + LIMIT_SECONDS
    while not (found := read()):
        assert time.monotonic() < give_up, f"This never came: {what}"
        time.sleep(0.1)  # asking takes time too, from what is waited for
    return found


@dataclass(frozen=True)
class Guard:
    """The app, and the policies that a test has made."""

    aws: Session
    app: stack.App
    made: list[Policy] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)  # an execution's never changes

    def resource(self, logical_id: str) -> str:
        """Return the name or ARN of one of the stack's resources."""
        found = self.aws.client("cloudformation").describe_stack_resource(
            StackName=self.app.name, LogicalResourceId=logical_id
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def policy(
        self, document: str, *, name: str = "", path: str = "/", iam: BaseClient | None = None
    ) -> Policy:
        """Create a managed policy under a new name, as root or with the client of another."""
        iam, name = iam or self.aws.client("iam"), name or f"policy-{next(NUMBERS)}"
        created = iam.create_policy(PolicyName=name, Path=path, PolicyDocument=document)
        self.made.append(Policy(self, created["Policy"]["Arn"], iam))
        return self.made[-1]

    def executions(self, words: str = "") -> list[Execution]:
        """Return the executions with these words in their input, oldest first."""
        states = self.aws.client("stepfunctions")
        pages = states.get_paginator("list_executions").paginate(
            stateMachineArn=self.app.state_machine
        )
        found = [execution["executionArn"] for page in pages for execution in page["executions"]]
        for arn in found:
            if arn not in self.inputs:
                self.inputs[arn] = states.describe_execution(executionArn=arn)["input"]
        return [Execution(self, arn) for arn in reversed(found) if words in self.inputs[arn]]

    def clear(self) -> None:
        """Delete the policies that were made, and stop what waits for an answer about them."""
        states = self.aws.client("stepfunctions")
        for policy in self.made:
            for execution in policy.executions():
                states.stop_execution(executionArn=execution.arn)
            policy.delete()
        self.made.clear()

    @contextmanager
    def without(self, role: str, sid: str) -> Iterator[None]:
        """Take a statement out of a role's policy for a while."""
        iam, name = self.aws.client("iam"), self.resource(role)
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        # IAM takes no policy without a statement.
        idle = {"Effect": "Deny", "Action": "sts:GetFederationToken", "Resource": "*"}
        left = [s for s in document["Statement"] if s["Sid"] != sid]
        assert len(left) == len(document["Statement"]) - 1, f"{role} has no statement {sid}"
        less = {**document, "Statement": [*left, idle]}
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(less))
        try:
            yield
        finally:
            iam.put_role_policy(
                RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document)
            )

    @contextmanager
    def configured(self, function: str, **configuration: Any) -> Iterator[None]:
        """Give a function another configuration for a while."""
        functions, name = self.aws.client("lambda"), self.resource(function)
        before = functions.get_function_configuration(FunctionName=name)
        functions.update_function_configuration(FunctionName=name, **configuration)
        try:
            yield
        finally:
            functions.update_function_configuration(
                FunctionName=name, **{key: before[key] for key in configuration}
            )

    @contextmanager
    def busy(self, function: str) -> Iterator[None]:
        """Let every invocation of a function be throttled for a while."""
        functions, name = self.aws.client("lambda"), self.resource(function)
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        try:
            yield
        finally:
            functions.delete_function_concurrency(FunctionName=name)

    @contextmanager
    def deadline(self, seconds: int) -> Iterator[None]:
        """Deploy the app with another approval deadline for a while."""
        self._update(ApprovalDeadlineSeconds=str(seconds))
        try:
            yield
        finally:
            self._update(ApprovalDeadlineSeconds="86400")

    def _update(self, **parameters: str) -> None:
        self.aws.client("cloudformation").update_stack(
            StackName=self.app.name,
            UsePreviousTemplate=True,
            Parameters=stack.parameters(**parameters),
            Capabilities=[*stack.CAPABILITIES, "CAPABILITY_AUTO_EXPAND"],  # the SAM transform
        )
        stack.follow(self.aws, self.app.name)


@dataclass(frozen=True)
class Policy:
    """A managed policy, changed by the owner of `iam`."""

    guard: Guard
    arn: str
    iam: BaseClient

    @property
    def name(self) -> str:
        """Its name, without the path."""
        return self.arn.rpartition("/")[2]

    def add(self, document: str, *, default: bool) -> str:
        """Create a version; return its id."""
        created = self.iam.create_policy_version(
            PolicyArn=self.arn, PolicyDocument=document, SetAsDefault=default
        )
        return created["PolicyVersion"]["VersionId"]

    def put_in_force(self, version: str) -> None:
        """Make a version the default."""
        self.iam.set_default_policy_version(PolicyArn=self.arn, VersionId=version)

    def remove(self, version: str) -> None:
        """Delete a version."""
        self.iam.delete_policy_version(PolicyArn=self.arn, VersionId=version)

    def delete(self) -> None:
        """Delete the policy with all its versions, if it is there."""
        incident.delete_policy(self.guard.aws, self.arn)

    def texts(self) -> dict[str, str]:
        """Return the documents by version, to the byte."""
        return {v["VersionId"]: self._text(v["VersionId"]) for v in self._versions()}

    def in_force(self) -> str:
        """Return the document of the default version."""
        (default,) = [v["VersionId"] for v in self._versions() if v["IsDefaultVersion"]]
        return self._text(default)

    def execution(self, number: int = 1) -> Execution:
        """Return the execution of the number-th change, waiting until it has started."""
        found = until(lambda: self.executions()[number - 1 :], f"execution {number}, {self.arn}")
        return found[0]

    def executions(self) -> list[Execution]:
        """Return the executions about this policy so far, oldest first."""
        return self.guard.executions(json.dumps(self.arn))

    def _versions(self) -> list[dict[str, Any]]:
        iam = self.guard.aws.client("iam")
        try:
            return iam.list_policy_versions(PolicyArn=self.arn)["Versions"]
        except iam.exceptions.NoSuchEntityException:
            return []

    def _text(self, version: str) -> str:
        # botocore parses a document, which loses its spaces: here it is read before that.
        texts: list[str] = []

        def keep(parsed: dict[str, Any], **_: Any) -> None:
            texts.append(unquote(parsed["PolicyVersion"]["Document"], errors="strict"))

        events = self.guard.aws.client("iam").meta.events
        events.register_first("after-call.iam.GetPolicyVersion", keep)
        try:
            self.guard.aws.client("iam").get_policy_version(PolicyArn=self.arn, VersionId=version)
        finally:
            events.unregister("after-call.iam.GetPolicyVersion", keep)
        return texts[0]


@dataclass(frozen=True)
class Execution:
    """What the guard does about one change."""

    guard: Guard
    arn: str

    def events(self) -> list[dict[str, Any]]:
        """Return the history so far."""
        return history.events(self.guard.aws.client("stepfunctions"), self.arn)

    def described(self) -> dict[str, Any]:
        """Return its status, input and output, and error and cause where it failed."""
        return self.guard.aws.client("stepfunctions").describe_execution(executionArn=self.arn)

    def path(self) -> list[str]:
        """Return the states entered, in order."""
        entered = (event.get("stateEnteredEventDetails") for event in self.events())
        return [details["name"] for details in entered if details]

    def largest_state(self) -> int:
        """Return the size of the largest input or output of a state, in bytes."""
        entered = [event.get("stateEnteredEventDetails", {}) for event in self.events()]
        exited = [event.get("stateExitedEventDetails", {}) for event in self.events()]
        texts = [d.get("input", "") for d in entered] + [d.get("output", "") for d in exited]
        return max(len(text.encode()) for text in texts)

    def tries(self, state: str) -> int:
        """Count how often the task of a state was begun."""
        events = self.events()
        begun = ("LambdaFunctionScheduled", "TaskScheduled")
        return sum(
            name == state and event["type"] in begun
            for name, event in zip(history.attribute(events), events, strict=True)
        )

    def settled(self) -> Execution:
        """Wait until it asks a person or has ended; return itself."""

        states = self.guard.aws.client("stepfunctions")

        def last_event() -> str:
            newest = states.get_execution_history(
                executionArn=self.arn, reverseOrder=True, maxResults=1
            )
            return newest["events"][0]["type"] if newest["events"] else ""

        until(
            lambda: self.described()["status"] != "RUNNING" or last_event() == "TaskSubmitted",
            f"the question or the end of {self.arn}",
        )
        return self

    def asked(self) -> Execution:
        """Wait until it asks a person, which it must; return itself."""
        self.settled()
        assert self.path()[-1] == "AskUser", (self.path(), self.described())
        return self

    def token(self) -> str:
        """Return the token of its question."""
        return approval.token(self.asked().events())

    def quarantine(self) -> dict[str, Any]:
        """Return what the quarantine has left, as the question was entered with it."""
        entered = [event.get("stateEnteredEventDetails", {}) for event in self.asked().events()]
        (asking,) = [details for details in entered if details.get("name") == "AskUser"]
        return json.loads(asking["input"])["quarantine"]

    def again(self) -> Execution:
        """Start another execution with the same event, as EventBridge may."""
        started = self.guard.aws.client("stepfunctions").start_execution(
            stateMachineArn=self.guard.app.state_machine, input=self.described()["input"]
        )
        return Execution(self.guard, started["executionArn"])

    def mail(self) -> inbox.Mail:
        """Return the mail that asks, found by its token."""
        link = quote_plus(self.token())
        return until(
            lambda: next((m for m in inbox.mails(self.guard.aws) if link in m.text), None),
            f"the mail of {self.arn}",
        )

    def report(self) -> inbox.Mail:
        """Return the mail that tells of a harmless policy, or of a failure."""
        (mail,) = [m for m in inbox.mails(self.guard.aws) if self.arn in m.text]
        return mail

    def answer(self, *, allow: bool) -> Execution:
        """Answer the question once it is asked, and wait for the end; return itself."""
        approval.decide(self.guard.aws, self.token(), allow=allow)
        return self.ended()

    def ended(self) -> Execution:
        """Wait until it has ended; return itself."""
        until(lambda: self.described()["status"] != "RUNNING", f"the end of {self.arn}")
        return self

    def output(self) -> dict[str, Any]:
        """Wait for the end, which must be a success; return the output."""
        described = self.ended().described()
        assert described["status"] == "SUCCEEDED", described
        return json.loads(described["output"])

    def failure(self) -> tuple[str, str]:
        """Wait for the end, which must be a failure; return error and cause."""
        described = self.ended().described()
        assert described["status"] == "FAILED", described
        return described["error"], described["cause"]
