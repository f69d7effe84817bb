"""What each of the app's seven roles may do under enforced IAM, and that it may do no more.

Mallory tries them out: for the time of a test a role trusts her instead of its service, and she
assumes it. The calls that are allowed fail for another reason where they would change things.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from helpers import incident
from tests.app.guard import GOOD, Guard, granting

SERVICES = {
    "ValidatePolicyRole": "lambda.amazonaws.com",
    "RevertPolicyRole": "lambda.amazonaws.com",
    "AskUserRole": "lambda.amazonaws.com",
    "ReceiveUserRole": "lambda.amazonaws.com",
    "PolicyChangerApproveRole": "lambda.amazonaws.com",
    "PolicyGuardRole": "states.amazonaws.com",
    "PolicyGuardPolicyChangedRole": "events.amazonaws.com",
}
FUNCTIONS = [role.removesuffix("Role") for role in SERVICES if SERVICES[role].startswith("lambda")]
DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError")


class Roles:
    """The roles of the deployed app, with mallory in them."""

    def __init__(self, guard: Guard) -> None:
        self.guard, self.iam = guard, guard.aws.client("iam")
        self.mallory = incident.Mallory.hire(guard.aws)
        self.permission = {"UserName": self.mallory.USER, "PolicyName": "roles"}
        self.iam.put_user_policy(**self.permission, PolicyDocument=granting("sts:AssumeRole"))
        self.trust: dict[str, dict[str, Any]] = {}

    def described(self, role: str) -> dict[str, Any]:
        return self.iam.get_role(RoleName=self.guard.resource(role))["Role"]

    def assume(self, role: str) -> dict[str, str]:
        """Return a session's credentials, in boto3's words."""
        sts, arn = self.mallory.client("sts"), self.described(role)["Arn"]
        found = sts.assume_role(RoleArn=arn, RoleSessionName="mallory")["Credentials"]
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }

    def open(self, role: str) -> None:
        """Let a role trust mallory."""
        described = self.described(role)
        self.trust[described["RoleName"]] = described["AssumeRolePolicyDocument"]
        mallory = self.iam.get_user(UserName=self.mallory.USER)["User"]["Arn"]
        self._trust(described["RoleName"], {"AWS": mallory})

    def clients(self, role: str, services: set[str]) -> dict[str, BaseClient]:
        """Return clients that act as the role."""
        session = boto3.Session(**self.assume(role), region_name=self.guard.aws.region)
        endpoint = self.guard.aws.endpoint
        return {name: session.client(name, endpoint_url=endpoint) for name in services}

    def close(self) -> None:
        """Leave the roles and mallory as they were."""
        for name, document in self.trust.items():
            self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
        self.iam.delete_user_policy(**self.permission)
        incident.Mallory.dismiss(self.guard.aws)

    def _trust(self, name: str, principal: dict[str, str]) -> None:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))


@pytest.fixture
def roles(deployed: Guard) -> Iterator[Roles]:
    roles = Roles(deployed)
    yield roles
    roles.close()


@pytest.mark.parametrize(("role", "service"), SERVICES.items())
def test_a_role_is_its_service_s_alone(roles: Roles, role: str, service: str) -> None:
    (statement,) = roles.described(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"]["Service"] in (service, [service])
    assert list(statement["Principal"]) == ["Service"]
    refused = incident.attempt(roles.assume, role=role)
    assert refused.error == "AccessDenied"


# A call's arguments; what is in braces is filled in from the deployed app.
VERSION = {"PolicyArn": "{policy}", "VersionId": "v9"}
DOCUMENT = {"PolicyArn": "{policy}", "PolicyDocument": "no JSON"}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
MALLORY = {"UserName": incident.Mallory.USER}
PUBLISH = {"TopicArn": "{topic}", "Message": "from a test of the roles"}
ELSEWHERE = {**PUBLISH, "TopicArn": "{topic}-of-another"}
ANSWER = {"taskToken": "none", "output": "{}"}

ALLOWED: dict[str, list[tuple[str, str, dict[str, Any], str | None]]] = {
    "ValidatePolicyRole": [
        ("iam", "list_policies", {}, None),
        ("iam", "list_policy_versions", {"PolicyArn": "{policy}"}, None),
        ("iam", "get_policy_version", VERSION, "NoSuchEntity"),
    ],
    "RevertPolicyRole": [
        ("iam", "list_policies", {}, None),
        ("iam", "list_policy_versions", {"PolicyArn": "{policy}"}, None),
        ("iam", "get_policy_version", VERSION, "NoSuchEntity"),
        ("iam", "create_policy_version", DOCUMENT, "MalformedPolicyDocument"),
        ("iam", "delete_policy_version", VERSION, "NoSuchEntity"),
    ],
    "AskUserRole": [("sns", "publish", PUBLISH, None)],
    "ReceiveUserRole": [("stepfunctions", "send_task_success", ANSWER, "InvalidToken")],
    "PolicyChangerApproveRole": [
        ("iam", "list_policy_versions", {"PolicyArn": "{policy}"}, None),
        ("iam", "get_policy_version", VERSION, "NoSuchEntity"),
        ("iam", "create_policy_version", DOCUMENT, "MalformedPolicyDocument"),
        ("iam", "delete_policy_version", VERSION, "NoSuchEntity"),
        ("iam", "set_default_policy_version", VERSION, "NoSuchEntity"),
    ],
    "PolicyGuardRole": [
        ("lambda", "invoke", {"FunctionName": "{ValidatePolicy}"}, None),
        ("lambda", "invoke", {"FunctionName": "{RevertPolicy}"}, None),
        ("lambda", "invoke", {"FunctionName": "{AskUser}"}, None),
        ("lambda", "invoke", {"FunctionName": "{PolicyChangerApprove}"}, None),
        ("sns", "publish", PUBLISH, None),
    ],
    "PolicyGuardPolicyChangedRole": [
        (
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": "{machine}", "input": "no JSON"},
            "InvalidExecutionInput",
        ),
    ],
}

FORBIDDEN: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "ValidatePolicyRole": [
        ("iam", "create_policy_version", DOCUMENT),
        ("iam", "delete_policy_version", VERSION),
        ("iam", "set_default_policy_version", VERSION),
        ("iam", "list_policy_versions", {"PolicyArn": ADMINISTRATOR}),
        ("sns", "publish", PUBLISH),
    ],
    "RevertPolicyRole": [
        ("iam", "set_default_policy_version", VERSION),
        ("iam", "delete_policy", {"PolicyArn": "{policy}"}),
        ("iam", "attach_user_policy", {**MALLORY, "PolicyArn": ADMINISTRATOR}),
        ("iam", "detach_user_policy", {**MALLORY, "PolicyArn": "{policy}"}),
        ("iam", "create_policy_version", {**DOCUMENT, "PolicyArn": ADMINISTRATOR}),
    ],
    "AskUserRole": [
        ("sns", "publish", ELSEWHERE),
        ("sns", "subscribe", {"TopicArn": "{topic}", "Protocol": "email"}),
        ("stepfunctions", "send_task_success", ANSWER),
        ("iam", "list_policies", {}),
    ],
    "ReceiveUserRole": [
        ("stepfunctions", "stop_execution", {"executionArn": "{execution}"}),
        ("stepfunctions", "get_execution_history", {"executionArn": "{execution}"}),
        ("stepfunctions", "start_execution", {"stateMachineArn": "{machine}"}),
        ("stepfunctions", "send_task_failure", {"taskToken": "none"}),
        ("iam", "list_policies", {}),
    ],
    "PolicyChangerApproveRole": [
        ("iam", "create_user", {"UserName": "accomplice"}),
        ("iam", "create_policy", {"PolicyName": "another", "PolicyDocument": GOOD}),
        ("iam", "attach_user_policy", {**MALLORY, "PolicyArn": "{policy}"}),
        ("iam", "list_policies", {}),
        ("stepfunctions", "send_task_success", ANSWER),
    ],
    "PolicyGuardRole": [
        ("lambda", "invoke", {"FunctionName": "{ReceiveUser}"}),
        ("lambda", "update_function_code", {"FunctionName": "{AskUser}", "ZipFile": b""}),
        ("sns", "publish", ELSEWHERE),
        ("iam", "create_policy_version", DOCUMENT),
        ("stepfunctions", "start_execution", {"stateMachineArn": "{machine}"}),
    ],
    "PolicyGuardPolicyChangedRole": [
        ("stepfunctions", "start_execution", {"stateMachineArn": "{machine}-of-another"}),
        ("stepfunctions", "stop_execution", {"executionArn": "{execution}"}),
        ("lambda", "invoke", {"FunctionName": "{RevertPolicy}"}),
        ("iam", "list_policies", {}),
    ],
}


def filled(guard: Guard, arguments: dict[str, Any]) -> dict[str, Any]:
    """Fill in the names and ARNs of the deployed app."""
    policy = guard.made[-1]
    names = {
        "{policy}": policy.arn,
        "{topic}": guard.app.topic,
        "{machine}": guard.app.state_machine,
        "{execution}": policy.execution().arn,
        **{f"{{{name}}}": guard.resource(name) for name in FUNCTIONS},
    }

    def fill(value: Any) -> Any:
        for name, arn in names.items():
            value = value.replace(name, arn) if isinstance(value, str) else value
        return value

    return {name: fill(value) for name, value in arguments.items()}


@pytest.mark.parametrize("role", SERVICES)
def test_a_role_may_do_its_work_and_no_more(deployed: Guard, roles: Roles, role: str) -> None:
    deployed.policy(GOOD).execution().ended()
    roles.open(role)
    expected = [*ALLOWED[role], *((*call, "denied") for call in FORBIDDEN[role])]
    clients = roles.clients(role, {service for service, *_ in expected})
    for service, call, arguments, error in expected:
        tried = incident.attempt(getattr(clients[service], call), **filled(deployed, arguments))
        assert ("denied" if tried.error in DENIED else tried.error) == error, tried


def test_every_function_has_a_role_of_its_own(deployed: Guard, roles: Roles) -> None:
    for name in FUNCTIONS:
        function = deployed.aws.client("lambda").get_function_configuration(
            FunctionName=deployed.resource(name)
        )
        assert function["Role"] == roles.described(f"{name}Role")["Arn"]
