"""What a caller must be allowed: on AWS's ARNs, to hand on a role, and for what a stack does."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from helpers import laboratory, stack
from helpers.errors import WorkbookError
from helpers.incident import attempt
from helpers.session import Session

Statement = dict[str, Any]
_numbers = itertools.count(1)


class Clerk:
    """A user who is allowed what a test says."""

    def __init__(self, root: Session, *statements: Statement) -> None:
        self._root, self.name = root, f"clerk-{next(_numbers)}"
        iam = root.client("iam")
        iam.create_user(UserName=self.name)
        self.allow(*statements)
        key = iam.create_access_key(UserName=self.name)["AccessKey"]
        self._key = key["AccessKeyId"], key["SecretAccessKey"]

    def allow(self, *statements: Statement) -> None:
        """Allow this, and nothing that was allowed before."""
        document = {"Version": "2012-10-17", "Statement": [*statements, _allow("sts:Get*")]}
        self._root.client("iam").put_user_policy(
            UserName=self.name, PolicyName="may", PolicyDocument=json.dumps(document)
        )

    def leave(self) -> None:
        """Delete the user and all that is his."""
        iam = self._root.client("iam")
        iam.delete_access_key(UserName=self.name, AccessKeyId=self._key[0])
        iam.delete_user_policy(UserName=self.name, PolicyName="may")
        iam.delete_user(UserName=self.name)

    def client(self, service: str) -> Any:
        return self._root.client_of(service, *self._key)


def _allow(*actions: str, on: str | list[str] = "*", **condition: Any) -> Statement:
    allowed = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return {**allowed, "Condition": condition} if condition else allowed


def _refusal(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    assert refused.value.response["Error"]["Code"] in (
        *("AccessDenied", "AccessDeniedException", "AuthorizationError"),
    )
    return refused.value.response["Error"]["Message"]


# --- what a call is about --------------------------------------------------------------------

IAM, STATES = "arn:aws:iam::{account}:", "arn:aws:states:us-east-1:{account}:"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [_allow("s3:ListBucket")]})
# Service, call, its arguments, and the ARN of the service authorization reference.
CALLS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "a role to be made, with its path": (
        *("iam", "create_role"),
        {"RoleName": "subject", "Path": "/a/", "AssumeRolePolicyDocument": TRUST},
        f"{IAM}role/a/subject",
    ),
    "a role that is there": ("iam", "get_role", {"RoleName": "subject"}, f"{IAM}role/a/subject"),
    "a role that is not there": ("iam", "get_role", {"RoleName": "none"}, f"{IAM}role/none"),
    "a user to be made, with a path": (
        *("iam", "create_user"),
        {"UserName": "subject", "Path": "/a/"},
        f"{IAM}user/a/subject",
    ),
    "a user that is there": ("iam", "get_user", {"UserName": "subject"}, f"{IAM}user/a/subject"),
    "a policy to be made": (
        *("iam", "create_policy"),
        {"PolicyName": "subject", "Path": "/a/", "PolicyDocument": DOCUMENT},
        f"{IAM}policy/a/subject",
    ),
    "a rule of the default bus": (
        *("events", "put_rule"),
        {"Name": "subject", "EventPattern": '{"source": ["a"]}'},
        "arn:aws:events:us-east-1:{account}:rule/subject",
    ),
    "an activity": (
        "stepfunctions",
        "create_activity",
        {"name": "subject"},
        f"{STATES}activity:subject",
    ),
    "an activity's tags": (
        *("stepfunctions", "list_tags_for_resource"),
        {"resourceArn": f"{STATES}activity:subject"},
        f"{STATES}activity:subject",
    ),
    "a Map Run": (
        *("stepfunctions", "describe_map_run"),
        {"mapRunArn": f"{STATES}mapRun:m/l:1"},
        f"{STATES}mapRun:m/l:1",
    ),
    "a function": (
        *("lambda", "get_function"),
        {"FunctionName": "subject"},
        "arn:aws:lambda:us-east-1:{account}:function:subject",
    ),
}

MADE = (
    "a role to be made, with its path",
    "a user to be made, with a path",
    "a policy to be made",
    "a rule of the default bus",
    "an activity",
)


@pytest.fixture(scope="module")
def clerk(lasting_aws: Session) -> Iterator[Clerk]:
    clerk = Clerk(lasting_aws)
    yield clerk
    clerk.leave()


@pytest.fixture(scope="module")
def subjects(lasting_aws: Session) -> Iterator[None]:
    """What some calls ask for: made by root."""
    for name in MADE:
        service, call, arguments, _ = CALLS[name]
        getattr(lasting_aws.client(service), call)(**arguments)
    yield
    iam, account = lasting_aws.client("iam"), lasting_aws.account
    iam.delete_role(RoleName="subject")
    iam.delete_user(UserName="subject")
    iam.delete_policy(PolicyArn=f"arn:aws:iam::{account}:policy/a/subject")
    lasting_aws.client("events").delete_rule(Name="subject")
    activity = f"{STATES}activity:subject".format(account=account)
    lasting_aws.client("stepfunctions").delete_activity(activityArn=activity)


@pytest.mark.usefixtures("subjects")
@pytest.mark.parametrize("name", CALLS)
def test_a_policy_may_name_the_arn_of_aws_s_reference(
    name: str, clerk: Clerk, lasting_aws: Session
) -> None:
    """Allowed, the call gets as far as the service, whatever that says; on another ARN, it is not.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    service, call, given, pattern = CALLS[name]
    arn = pattern.format(account=lasting_aws.account)
    arguments = {key: text.replace("{account}", lasting_aws.account) for key, text in given.items()}
    made = getattr(clerk.client(service), call)
    clerk.allow(_allow("*", on=[f"{arn}-of-another", arn.replace("subject", "other") + "x"]))
    _refusal(made, **arguments)
    clerk.allow(_allow("*", on=arn))
    assert "not authorized" not in attempt(made, **arguments).message


def test_which_policy_is_attached_is_a_condition(clerk: Clerk, lasting_aws: Session) -> None:
    attach = clerk.client("iam").attach_user_policy
    this = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    clerk.allow(_allow("iam:AttachUserPolicy", ArnEquals={"iam:PolicyARN": this}))
    attach(UserName=clerk.name, PolicyArn=this)
    other = "arn:aws:iam::aws:policy/AdministratorAccess"
    _refusal(attach, UserName=clerk.name, PolicyArn=other)
    lasting_aws.client("iam").detach_user_policy(UserName=clerk.name, PolicyArn=this)


# --- a role that is handed on ----------------------------------------------------------------

DEFINITION = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})


@pytest.mark.parametrize("service", ["states", "lambda"])
def test_who_hands_on_a_role_must_be_allowed_to(
    service: str, clerk: Clerk, lasting_aws: Session
) -> None:
    role = laboratory.role(lasting_aws)
    calls: dict[str, tuple[Any, dict[str, Any]]] = {
        "states": (
            clerk.client("stepfunctions").create_state_machine,
            {"name": "passed", "definition": DEFINITION, "roleArn": role},
        ),
        "lambda": (
            clerk.client("lambda").create_function,
            {
                "FunctionName": "passed",
                "Runtime": laboratory.RUNTIME,
                "Role": role,
                "Handler": "app.lambda_handler",
                "Code": {"ZipFile": laboratory._archive("def lambda_handler(e, c): return e\n")},
            },
        ),
    }
    call, arguments = calls[service]
    creation = _allow("states:*", "lambda:*")
    clerk.allow(creation)
    assert f"iam:PassRole on resource: {role}" in _refusal(call, **arguments)
    to_another = {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}
    clerk.allow(creation, _allow("iam:PassRole", on=role, **to_another))
    assert "iam:PassRole" in _refusal(call, **arguments)
    to_this = {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    clerk.allow(creation, _allow("iam:PassRole", on=role, **to_this))
    call(**arguments)
    if service == "states":
        arn = f"{STATES}stateMachine:passed".format(account=lasting_aws.account)
        update = clerk.client("stepfunctions").update_state_machine
        clerk.allow(creation)
        assert "iam:PassRole" in _refusal(update, stateMachineArn=arn, roleArn=role)
        lasting_aws.client("stepfunctions").delete_state_machine(stateMachineArn=arn)
    else:
        update = clerk.client("lambda").update_function_configuration
        update(FunctionName="passed", Role=role)
        clerk.allow(creation)
        update(FunctionName="passed", Timeout=4)
        assert "iam:PassRole" in _refusal(update, FunctionName="passed", Role=role)
        lasting_aws.client("lambda").delete_function(FunctionName="passed")


def test_no_function_takes_a_role_of_another_account(aws: Session) -> None:
    functions, role = aws.client("lambda"), laboratory.role(aws)
    foreign = role.replace(aws.account, "000000000002")
    arguments = {
        "FunctionName": "foreign",
        "Runtime": laboratory.RUNTIME,
        "Handler": "app.lambda_handler",
        "Code": {"ZipFile": laboratory._archive("def lambda_handler(e, c): return e\n")},
    }
    words = "Cross-account pass role is not allowed."
    assert _refusal(functions.create_function, **arguments, Role=foreign) == words
    functions.create_function(**arguments, Role=role)
    update = functions.update_function_configuration
    assert _refusal(update, FunctionName="foreign", Role=foreign) == words
    functions.delete_function(FunctionName="foreign")


# --- stacks ----------------------------------------------------------------------------------

TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


def _wait(aws: Session, name: str) -> str:
    """Follow a stack to its end; return its reason where it failed."""
    try:
        stack.follow(aws, name, 1)
    except WorkbookError as error:
        return str(error)
    return ""


def test_what_a_stack_makes_and_deletes_its_caller_must_be_allowed(
    clerk: Clerk, lasting_aws: Session
) -> None:
    stacks, name = clerk.client("cloudformation"), f"permits-{next(_numbers)}"
    clerk.allow(_allow("cloudformation:*"))
    stacks.create_stack(StackName=name, TemplateBody=TEMPLATE, OnFailure="DO_NOTHING")
    assert "is not authorized to perform: sns:CreateTopic" in _wait(lasting_aws, name)
    lasting_aws.client("cloudformation").delete_stack(StackName=name)
    name = f"permits-{next(_numbers)}"
    topic = f"arn:aws:sns:us-east-1:{lasting_aws.account}:{name}-Topic-*"
    may = _allow("sns:CreateTopic", "sns:GetTopicAttributes", on=topic)
    clerk.allow(_allow("cloudformation:*"), may)
    stacks.create_stack(StackName=name, TemplateBody=TEMPLATE)
    assert _wait(lasting_aws, name) == ""
    stacks.delete_stack(StackName=name)
    assert "is not authorized to perform: sns:DeleteTopic" in _wait(lasting_aws, name)
    lasting_aws.client("cloudformation").delete_stack(StackName=name)


WHATEVER = """
import itertools, json, os
os.environ.update(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_SECRET_ACCESS_KEY="none")
import helpers.localaws.imports
from helpers.localaws import stack_permits
whole = {
    "Tags": [1], "Policies": [1], "ManagedPolicyArns": ["a"], "Role": "r", "RoleArn": "r",
    "Code": {"S3Bucket": "b", "S3Key": "k"}, "DefinitionS3Location": {"Bucket": "b", "Key": "k"},
    "Targets": [{"RoleArn": "r"}], "Subscription": [1], "Topics": ["t"], "MethodSettings": [1],
}
kinds = [value for value in stack_permits._creation.__code__.co_consts
         if isinstance(value, str) and value.startswith("AWS::")]
print(json.dumps({kind: [
    sorted({call[0] for call in stack_permits._creation(kind, "n", whole)}),
    sorted({call[0] for call in stack_permits._deletion(kind, "n", whole)}),
] for kind in kinds}))
"""


def test_what_is_asked_for_is_what_aws_s_handlers_call() -> None:
    """The schemas that cfn-lint brings are AWS's: each lists what its handlers may call."""
    done = subprocess.run(
        [sys.executable, "-c", WHATEVER], capture_output=True, text=True, check=True
    )
    asked = json.loads(done.stdout)
    assert len(asked) == 10
    for kind, (creation, deletion) in asked.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        handlers = schema["handlers"]
        allowed = {*handlers["create"]["permissions"], *handlers["delete"]["permissions"]}
        tagging = schema.get("tagging", {}).get("permissions", [])
        assert creation, kind
        assert deletion, kind
        assert set(creation) <= allowed | set(tagging), kind
        assert set(deletion) <= allowed, kind
