"""The template and the state machine, before anything is deployed."""

import importlib
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from cfnlint import api as cfnlint
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

APP = Path(__file__).resolve().parents[2] / "app"
TEMPLATE = APP / "template.yaml"
MACHINE = APP / "statemachine" / "policy_guard.asl.json"
FUNCTIONS = [
    "ask_user",
    "policy_changer_approve",
    "receive_user",
    "revert_policy",
    "validate_policy",
]
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "RESTRICTED_ACTIONS": "s3:DeleteBucket,s3:DeleteObject",
    "API_URL": "https://abc123.execute-api.us-east-1.amazonaws.com/Prod",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:alerts",
}


def load(name: str) -> ModuleType:
    """Import a module of app/functions as Lambda does: that folder is where imports begin."""
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    sys.path.insert(0, str(APP / "functions"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(APP / "functions"))
        os.environ.clear()
        os.environ.update(before)


def sample(name: str) -> dict:
    """Read a function's sample event, afresh."""
    return json.loads((APP / "events" / f"{name}.json").read_text())


class NoManagedPolicies:
    def load(self) -> dict:
        return {}


@pytest.fixture(scope="module")
def template() -> dict:
    return yaml_parse(TEMPLATE.read_text())


@pytest.fixture(scope="module")
def expanded() -> dict:
    """Return what CloudFormation sees after the SAM transform, all code being in S3."""
    packaged = yaml_parse(TEMPLATE.read_text())
    for resource in packaged["Resources"].values():
        properties = resource["Properties"]
        if "CodeUri" in properties:
            properties["CodeUri"] = "s3://bucket/code.zip"
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = {"Bucket": "bucket", "Key": "machine.json"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return transform(packaged, {}, NoManagedPolicies())


@pytest.fixture(scope="module")
def machine() -> dict:
    return json.loads(MACHINE.read_text())


def test_it_expands_to_the_21_resources_of_the_episode(expanded: dict):
    kinds = {name: r["Type"].removeprefix("AWS::") for name, r in expanded["Resources"].items()}
    deployment = next(name for name in kinds if name.startswith("ServerlessRestApiDeployment"))
    assert kinds == {
        "ValidatePolicy": "Lambda::Function",
        "ValidatePolicyRole": "IAM::Role",
        "RevertPolicy": "Lambda::Function",
        "RevertPolicyRole": "IAM::Role",
        "AskUser": "Lambda::Function",
        "AskUserRole": "IAM::Role",
        "ReceiveUser": "Lambda::Function",
        "ReceiveUserRole": "IAM::Role",
        "ReceiveUserAllowPermissionProd": "Lambda::Permission",
        "ReceiveUserDenyPermissionProd": "Lambda::Permission",
        "PolicyChangerApprove": "Lambda::Function",
        "PolicyChangerApproveRole": "IAM::Role",
        "ServerlessRestApi": "ApiGateway::RestApi",
        deployment: "ApiGateway::Deployment",
        "ServerlessRestApiProdStage": "ApiGateway::Stage",
        "PolicyGuard": "StepFunctions::StateMachine",
        "PolicyGuardRole": "IAM::Role",
        "PolicyGuardPolicyChanged": "Events::Rule",
        "PolicyGuardPolicyChangedRole": "IAM::Role",
        "AlertTopic": "SNS::Topic",
        "AlertSubscription": "SNS::Subscription",
    }
    assert len(kinds) == 21


def test_cfn_lint_has_nothing_to_say():
    matches = cfnlint.lint_file(TEMPLATE)
    assert [str(match) for match in matches] == []


def exists_with_this_case(path: Path) -> bool:
    """Tell whether a path is there letter for letter: not every file system minds the case."""
    return all(
        part.name in os.listdir(part.parent)  # noqa: PTH208 (iterdir would follow the given case)
        for part in (path, *path.parents)
        if part != part.parent
    )


def test_every_uri_of_the_template_exists(template: dict):
    uris = [
        resource["Properties"][key]
        for resource in template["Resources"].values()
        for key in ("CodeUri", "DefinitionUri")
        if key in resource["Properties"]
    ]
    assert len(uris) == 6
    assert [uri for uri in uris if not exists_with_this_case(APP / uri)] == []


def test_every_handler_exists(template: dict):
    handlers = [
        resource["Properties"]["Handler"]
        for resource in template["Resources"].values()
        if "Handler" in resource["Properties"]
    ]
    assert sorted(handler.split(".")[0] for handler in handlers) == FUNCTIONS
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        assert callable(getattr(load(module), name))


@pytest.mark.parametrize("name", [*FUNCTIONS, "policy_guard"])
def test_every_function_has_a_sample_event(name: str):
    assert sample(name)


def test_every_substitution_is_used_and_none_is_missing(template: dict):
    given = set(template["Resources"]["PolicyGuard"]["Properties"]["DefinitionSubstitutions"])
    assert set(re.findall(r"\$\{(\w+)\}", MACHINE.read_text())) == given


def test_roles_hold_no_wildcard_beyond_what_aws_asks_for(expanded: dict):
    wide = {
        statement["Action"]
        for resource in expanded["Resources"].values()
        for policy in resource["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == "*"
    }
    # Neither has a resource type in the service authorization reference.
    assert wide == {"states:SendTaskSuccess", "iam:ListPolicies"}


def test_the_rule_leaves_out_failed_calls_and_its_own(expanded: dict):
    detail = expanded["Resources"]["PolicyGuardPolicyChanged"]["Properties"]["EventPattern"][
        "detail"
    ]
    assert detail["eventName"] == ["CreatePolicy", "CreatePolicyVersion", "SetDefaultPolicyVersion"]
    assert detail["errorCode"] == [{"exists": False}]
    issuer = detail["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"]
    own = [
        {"Fn::GetAtt": [role, "Arn"]} for role in ("RevertPolicyRole", "PolicyChangerApproveRole")
    ]
    assert issuer == [{"exists": False}, {"anything-but": own}]


PATTERN = yaml_parse(TEMPLATE.read_text())["Parameters"]["restrictedActions"]["AllowedPattern"]


@pytest.mark.parametrize(
    "text", ["s3:DeleteBucket", "s3:a, kms:*,", "*", "ec2:Terminate?nstances", " s3:a ,s3-x:b"]
)
def test_a_readable_list_of_actions_can_be_deployed(text: str):
    assert re.fullmatch(PATTERN, text)
    assert load("validate_policy.policy_grants").parse_restricted(text)


@pytest.mark.parametrize("text", ["", " ", ",", "DeleteBucket", "s3:", ":x", "s3:a;s3:b", "s3:a:b"])
def test_an_unreadable_list_of_actions_stops_the_deployment(text: str):
    assert not re.fullmatch(PATTERN, text)


# --- the state machine ---


def test_the_states_of_the_episode_are_there(machine: dict):
    episode = {
        "ModifyState", "ValidatePolicy", "ChooseAction", "AllowWithNotification", "TempRemove",
        "AskUser", "UsersChoice", "Approved", "Denied",
    }  # fmt: skip
    assert episode <= machine["States"].keys()


def following(state: dict) -> set[str]:
    branches = [*state.get("Choices", []), *state.get("Catch", [])]
    names = {state.get("Next"), state.get("Default"), *(branch["Next"] for branch in branches)}
    return names - {None}


def test_every_state_can_be_reached(machine: dict):
    reached, waiting = set(), [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += following(machine["States"][name])
    assert reached == machine["States"].keys()


def tasks(machine: dict) -> dict:
    return {n: state for n, state in machine["States"].items() if state["Type"] == "Task"}


def test_every_task_retries_catches_and_ends(machine: dict):
    for name, task in tasks(machine).items():
        assert any(catch["ErrorEquals"] == ["States.ALL"] for catch in task["Catch"]), name
        assert task.get("TimeoutSeconds") or task.get("TimeoutSecondsPath"), name
        retries = [retry for retry in task["Retry"] if retry.get("MaxAttempts") != 0]
        assert retries, name
        for retry in retries:
            assert retry["JitterStrategy"] == "FULL", name
            assert {"IntervalSeconds", "BackoffRate", "MaxDelaySeconds"} <= retry.keys(), name


def test_a_passed_deadline_is_not_asked_about_again(machine: dict):
    retried = {e for retry in machine["States"]["AskUser"]["Retry"] for e in retry["ErrorEquals"]}
    # States.TaskFailed would also match what a person sends with SendTaskFailure.
    assert not retried & {"States.Timeout", "States.ALL", "States.TaskFailed"}


def test_a_task_waits_longer_than_its_function(machine: dict, template: dict):
    longest = template["Globals"]["Function"]["Timeout"]
    waits = [task["TimeoutSeconds"] for task in tasks(machine).values() if "TimeoutSeconds" in task]
    assert all(wait > longest for wait in waits)
