"""The template and the state machine, before anything is deployed."""

import importlib
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cfnlint import api as cfnlint
from hypothesis import given, settings
from hypothesis import strategies as st
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from helpers.localaws.validation import diagnose

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


SETTINGS = ("Disabled", "Active")
NOTHING = {"Ref": "AWS::NoValue"}


class NoManagedPolicies:
    def load(self) -> dict:
        return {}


@pytest.fixture(scope="module")
def template() -> dict:
    return yaml_parse(TEMPLATE.read_text())


def transformed(operations: str) -> dict:
    """Return what CloudFormation gets from the SAM transform, all code being in S3."""
    packaged = yaml_parse(TEMPLATE.read_text())
    for resource in packaged["Resources"].values():
        properties = resource["Properties"]
        if "CodeUri" in properties:
            properties["CodeUri"] = "s3://bucket/code.zip"
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = {"Bucket": "bucket", "Key": "machine.json"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return transform(packaged, {"Operations": operations}, NoManagedPolicies())


def created(operations: str) -> dict:
    """Return the resources that CloudFormation creates: its conditions are decided, too."""
    expanded = transformed(operations)
    holds = {
        name: operations == condition["Fn::Equals"][1]
        for name, condition in expanded["Conditions"].items()
        if condition["Fn::Equals"][0] == {"Ref": "Operations"}
    }
    assert holds.keys() == expanded["Conditions"].keys()
    return {
        name: decided(resource, holds)
        for name, resource in expanded["Resources"].items()
        if "Condition" not in resource or holds[resource["Condition"]]
    }


def decided(node: Any, holds: dict[str, bool]) -> Any:
    """Replace each Fn::If by the side that counts, and leave out what AWS::NoValue stands for."""
    if isinstance(node, dict) and node.keys() == {"Fn::If"}:
        condition, then, otherwise = node["Fn::If"]
        return decided(then if holds[condition] else otherwise, holds)
    if isinstance(node, dict):
        parts = {key: decided(value, holds) for key, value in node.items()}
        return {key: value for key, value in parts.items() if value != NOTHING}
    if isinstance(node, list):
        items = [decided(value, holds) for value in node]
        return [item for item in items if item != NOTHING]
    return node


@pytest.fixture(scope="module")
def expanded() -> dict:
    """Return the resources of the app as the lessons deploy it."""
    return created("Disabled")


@pytest.fixture(scope="module")
def operated() -> dict:
    """Return the resources of the app with Operations on."""
    return created("Active")


@pytest.fixture(scope="module")
def machine() -> dict:
    return json.loads(MACHINE.read_text())


def filled() -> str:
    """Return the definition as CloudFormation hands it over: all substitutions made."""
    functions = ("ValidatePolicy", "RevertPolicy", "AskUser", "PolicyChangerApprove")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:app"
    values = dict.fromkeys((f"{name}Arn" for name in functions), arn)
    values |= {"AlertTopicArn": ENVIRONMENT["TOPIC_ARN"], "ApprovalDeadlineSeconds": "86400"}
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], MACHINE.read_text())


def kinds_of(resources: dict) -> dict[str, str]:
    return {name: part["Type"].removeprefix("AWS::") for name, part in resources.items()}


def test_it_expands_to_the_21_resources_of_the_episode(expanded: dict):
    kinds = kinds_of(expanded)
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
        "AlertTopicPolicy": "SNS::TopicPolicy",
    }
    assert len(kinds) == 21


def test_with_operations_off_nothing_of_it_is_left(expanded: dict):
    text = json.dumps(expanded)
    for trace in ("Fn::If", "TracingConfig", "LoggingConfig", "xray", "Disabled", "logs:"):
        assert trace not in text, trace
    (target,) = expanded["PolicyGuardPolicyChanged"]["Properties"]["Targets"]
    assert target["DeadLetterConfig"] == {}  # EventBridge asks for no Arn, and CloudFormation not


def test_operations_adds_and_takes_nothing_away(expanded: dict, operated: dict):
    before, after = kinds_of(expanded), kinds_of(operated)
    assert before.items() <= after.items()
    assert {name: after[name] for name in after.keys() - before.keys()} == {
        "DeadLetters": "SQS::Queue",
        "DeadLettersPolicy": "SQS::QueuePolicy",
        "ExecutionLogs": "Logs::LogGroup",
        "FunctionLogs": "Logs::LogGroup",
        "ExecutionFailedAlarm": "CloudWatch::Alarm",
        "ExecutionTimedOutAlarm": "CloudWatch::Alarm",
        "ExecutionStoppedAlarm": "CloudWatch::Alarm",
        "DeadLettersAlarm": "CloudWatch::Alarm",
        "AnswerFailedAlarm": "CloudWatch::Alarm",
    }


def of_kind(resources: dict, kind: str) -> list[dict]:
    """Return the properties of all resources of a type."""
    return [part["Properties"] for part in resources.values() if part["Type"] == f"AWS::{kind}"]


def test_executions_and_functions_are_logged_and_traced(operated: dict):
    machine = operated["PolicyGuard"]["Properties"]
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    # The data of an execution holds the token, and with it the right to decide.
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    for function in of_kind(operated, "Lambda::Function"):
        assert function["TracingConfig"] == {"Mode": {"Ref": "Operations"}}
        assert function["LoggingConfig"] == {"LogGroup": {"Ref": "FunctionLogs"}}
    assert all(group["RetentionInDays"] for group in of_kind(operated, "Logs::LogGroup"))


def test_only_the_functions_may_trace_and_only_with_operations(expanded: dict, operated: dict):
    def managed(resources: dict) -> set[str]:
        roles = of_kind(resources, "IAM::Role")
        arns = {arn for role in roles for arn in role.get("ManagedPolicyArns", [])}
        return {arn.rpartition("/")[2] for arn in arns}

    assert managed(expanded) == {"AWSLambdaBasicExecutionRole"}
    assert managed(operated) == {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}


def test_every_alarm_tells_the_administrator_of_what_exists(operated: dict):
    alarms = of_kind(operated, "CloudWatch::Alarm")
    assert {alarm["MetricName"] for alarm in alarms} == {
        "ExecutionsFailed",
        "ExecutionsTimedOut",
        "ExecutionsAborted",
        "ApproximateNumberOfMessagesVisible",
        "5XXError",
    }
    for alarm in alarms:
        assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}]
        assert alarm["AlarmDescription"]
        # No data is no trouble: most of the time nothing happens.
        assert alarm["TreatMissingData"] == "notBreaching"
    values = {json.dumps(d["Value"]) for alarm in alarms for d in alarm["Dimensions"]}
    assert values == {
        json.dumps({"Ref": "PolicyGuard"}),
        json.dumps({"Fn::GetAtt": ["DeadLetters", "QueueName"]}),
        json.dumps({"Ref": "AWS::StackName"}),  # SAM names the API so
        json.dumps("Prod"),
    }
    api = operated["ServerlessRestApi"]["Properties"]["Body"]["info"]["title"]
    assert api == {"Ref": "AWS::StackName"}


@pytest.mark.parametrize(
    ("policy", "service"),
    [
        ("AlertTopicPolicy", "cloudwatch.amazonaws.com"),
        ("DeadLettersPolicy", "events.amazonaws.com"),
    ],
)
def test_only_one_service_may_and_only_for_this_account(operated: dict, policy: str, service: str):
    (statement,) = operated[policy]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": service}
    assert "aws:SourceArn" in json.dumps(statement["Condition"])


def test_undelivered_events_go_where_the_rule_may_send_them(operated: dict):
    (target,) = operated["PolicyGuardPolicyChanged"]["Properties"]["Targets"]
    queue = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": queue}
    (statement,) = operated["DeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == queue
    rule = {"Fn::GetAtt": ["PolicyGuardPolicyChanged", "Arn"]}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}


def test_the_page_cannot_take_the_concurrency_of_a_quarantine(expanded: dict):
    (every,) = expanded["ServerlessRestApiProdStage"]["Properties"]["MethodSettings"]
    assert (every["ResourcePath"], every["HttpMethod"]) == ("/*", "*")
    assert 0 < every["ThrottlingRateLimit"] <= every["ThrottlingBurstLimit"] <= 100


def test_cfn_lint_has_nothing_to_say():
    matches = cfnlint.lint_file(TEMPLATE)
    assert [str(match) for match in matches] == []


def lint(operations: str, definition: str) -> list[str]:
    """Return what cfn-lint says of the transformed template with the definition in it."""
    expanded = transformed(operations)
    machine = expanded["Resources"]["PolicyGuard"]["Properties"]
    del machine["DefinitionS3Location"]
    machine["DefinitionString"] = definition
    # The transform was made for one setting; where it left the Ref, cfn-lint would try the other.
    resources = json.dumps(expanded["Resources"]).replace(
        json.dumps({"Ref": "Operations"}), json.dumps(operations)
    )
    expanded["Resources"] = json.loads(resources)
    return [str(match) for match in cfnlint.lint(json.dumps(expanded))]


@pytest.mark.parametrize("operations", SETTINGS)
def test_cfn_lint_has_nothing_to_say_of_what_is_deployed(operations: str):
    assert lint(operations, MACHINE.read_text()) == []


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


def wide_actions(resources: dict) -> set[str]:
    """Return the actions that the app's own policies allow on every resource."""
    statements = [
        statement
        for resource in resources.values()
        for policy in resource["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == "*"
    ]
    actions = [statement["Action"] for statement in statements]
    return {name for some in actions for name in ([some] if isinstance(some, str) else some)}


def test_roles_hold_no_wildcard_beyond_what_aws_asks_for(expanded: dict, operated: dict):
    # Neither has a resource type in the service authorization reference.
    always = {"states:SendTaskSuccess", "iam:ListPolicies"}
    assert wide_actions(expanded) == always
    assert {name.partition(":")[0] for name in wide_actions(operated) - always} == {"logs", "xray"}


def test_the_rule_leaves_out_failed_calls_and_its_own(expanded: dict):
    detail = expanded["PolicyGuardPolicyChanged"]["Properties"]["EventPattern"]["detail"]
    assert detail["eventName"] == ["CreatePolicy", "CreatePolicyVersion", "SetDefaultPolicyVersion"]
    assert detail["errorCode"] == [{"exists": False}]
    issuer = detail["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"]
    own = [
        {"Fn::GetAtt": [role, "Arn"]} for role in ("RevertPolicyRole", "PolicyChangerApproveRole")
    ]
    assert issuer == [{"exists": False}, {"anything-but": own}]


# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-template-publishing-applications-metadata-properties.html
PUBLISHED = {
    "Name": (140, r"[a-zA-Z0-9\-]+"),
    "Description": (256, r".+"),
    "Author": (127, r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?"),
    "SpdxLicenseId": (127, r"MIT"),
    "LicenseUrl": (255, r"[\w./]+"),
    "ReadmeUrl": (255, r"[\w./]+"),
    "SemanticVersion": (127, r"\d+\.\d+\.\d+"),
}


def test_the_application_can_be_published(template: dict):
    metadata = dict(template["Metadata"]["AWS::ServerlessRepo::Application"])
    labels = metadata.pop("Labels")
    assert 1 <= len(labels) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", label) for label in labels)
    assert metadata.keys() == PUBLISHED.keys()
    for name, (longest, pattern) in PUBLISHED.items():
        assert len(metadata[name]) <= longest, name
        assert re.fullmatch(pattern, metadata[name]), name
    project = tomllib.loads((APP.parent / "pyproject.toml").read_text())["project"]
    assert metadata["SemanticVersion"] == project["version"]
    assert metadata["SpdxLicenseId"] == project["license"]
    for name in ("LicenseUrl", "ReadmeUrl"):
        assert exists_with_this_case(APP / metadata[name]), name
    assert (APP / "LICENSE").read_text() == (APP.parent / "LICENSE").read_text()


def test_every_parameter_is_explained_where_it_is_asked_for(template: dict):
    parameters = template["Parameters"]
    asked = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in asked["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(asked["ParameterLabels"]) == sorted(parameters)
    for name, parameter in parameters.items():
        assert parameter["Description"], name
        assert parameter["ConstraintDescription"].startswith("must "), name
        assert {"AllowedPattern", "AllowedValues", "MaxValue"} & parameter.keys(), name
    assert "Default" not in parameters["EmailAddress"]


@pytest.mark.parametrize("address", ["a@example.com", "a.b+c@mail.example.co.uk"])
def test_an_address_can_be_deployed(template: dict, address: str):
    assert re.fullmatch(template["Parameters"]["EmailAddress"]["AllowedPattern"], address)


@pytest.mark.parametrize("address", ["", "a", "a@b", "a@b@c.d", "a b@c.d", "a@b.c\n"])
def test_what_is_no_address_stops_the_deployment(template: dict, address: str):
    assert not re.fullmatch(template["Parameters"]["EmailAddress"]["AllowedPattern"], address)


def test_nobody_is_waited_for_beyond_the_end_of_an_execution(template: dict):
    # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    a_year = 365 * 86400
    assert template["Parameters"]["ApprovalDeadlineSeconds"]["MaxValue"] <= a_year - 86400


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


# Java's \w, which CloudFormation matches with, is ASCII.
@settings(deadline=None)
@given(st.from_regex(re.compile(PATTERN, re.ASCII), fullmatch=True))
def test_whatever_can_be_deployed_can_be_read(text: str):
    assert load("validate_policy.policy_grants").parse_restricted(text)


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


def test_a_page_is_given_up_before_api_gateway_gives_it_up(template: dict):
    assert template["Resources"]["ReceiveUser"]["Properties"]["Timeout"] < 29


def test_a_task_waits_longer_than_its_function(machine: dict, template: dict):
    longest = template["Globals"]["Function"]["Timeout"]
    waits = [task["TimeoutSeconds"] for task in tasks(machine).values() if "TimeoutSeconds" in task]
    assert all(wait > longest for wait in waits)


# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and
# https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
# Runtime.ExitError is the errorType that Lambda answers where a function's process has ended:
# https://github.com/aws/aws-lambda-python-runtime-interface-client/issues/10
OF_AWS = {
    *("States.ALL", "States.DataLimitExceeded", "States.TaskFailed", "States.Timeout"),
    *("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"),
    *("Lambda.ClientExecutionTimeoutException", "Lambda.TooManyRequestsException"),
    *("Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"),
}
OF_THE_APP = {
    "MailNotSentError": "ask_user.app",
    "PolicyChangedMeanwhileError": "policy_changer_approve.app",
}


def test_every_error_that_is_handled_exists(machine: dict):
    handlers = [h for task in tasks(machine).values() for h in (*task["Retry"], *task["Catch"])]
    names = {name for handler in handlers for name in handler["ErrorEquals"]}
    assert names - OF_AWS == OF_THE_APP.keys()
    for name, module in OF_THE_APP.items():
        assert issubclass(getattr(load(module), name), Exception)


OF_LAMBDA = {name for name in OF_AWS if name.startswith("Lambda.")} - {"Lambda.Unknown"}


def test_a_busy_lambda_is_waited_for_in_the_same_way_everywhere(machine: dict):
    busy = [
        retry | {"ErrorEquals": sorted(name for name in retry["ErrorEquals"] if name in OF_LAMBDA)}
        for task in tasks(machine).values()
        for retry in task["Retry"]
        if "Lambda.TooManyRequestsException" in retry["ErrorEquals"]
    ]
    assert len(busy) == 4
    assert all(retry == busy[0] for retry in busy)


# A Pass state cannot catch anything. What it reads is always there: the envelope of every event
# (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html), and what
# CloudTrail calls not optional in a record
# (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
ALWAYS_THERE = {
    *("$.account", "$.region", "$.detail"),
    *("$.detail.eventName", "$.detail.eventID", "$.detail.eventTime", "$.detail.userIdentity"),
}


def test_the_first_state_reads_only_what_every_event_has(machine: dict):
    read = set(
        re.findall(r"\$\.[\w.]+", json.dumps(machine["States"]["ModifyState"]["Parameters"]))
    )
    assert read == ALWAYS_THERE


def test_no_execution_ends_without_a_quarantine_or_a_word(machine: dict):
    """Take the states away that quarantine, or tell somebody: no end can be reached any more."""
    waiting, seen = [machine["StartAt"]], set()
    while waiting:
        name = waiting.pop()
        state = machine["States"][name]
        assert "End" not in state, name
        assert state["Type"] not in ("Succeed", "Fail"), name
        seen.add(name)
        doing = {"TempRemove", "AllowWithNotification", "RaiseAlarm"}
        waiting += following(state) - doing - seen


# --- the definition, as AWS sees it ---


def test_the_definition_is_valid():
    assert diagnose(filled()) == ()


def changed(state: str, **fields: object) -> str:
    definition = json.loads(filled())
    definition["States"][state] |= fields
    return json.dumps(definition)


@pytest.mark.parametrize(
    "definition",
    [
        changed("AskUser", TimeoutSecond=60),
        changed("ModifyState", Catch=[]),
        changed("Approved", Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempt": 1}]),
        changed("ChooseAction", Choices=[{"Variable": "$.a", "IsThere": True, "Next": "Denied"}]),
        changed("NeedsAttention", Next="RaiseAlarm"),
    ],
)
def test_a_field_that_is_not_of_the_language_is_found(definition: str):
    """By cfn-lint's schema of the language, or by the grammar of the local AWS."""
    assert lint("Disabled", definition) or diagnose(definition)
