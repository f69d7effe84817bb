"""CloudFormation and Step Functions: resource types, rollback, events, and stacks side by side.

TEMPLATE is https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference, USER_GUIDE
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide; PROVIDER is the source of AWS's own
handlers, https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-stepfunctions.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers import stack
from helpers.session import Session, connect
from tests.localaws.stackbook import (
    ACTIVITY,
    ALIAS,
    MACHINE,
    VERSION,
    Object,
    Stacks,
    after,
    definition,
    eventually,
    fresh,
    resource,
    template,
    trusting,
    wait_condition,
)

STATES = "arn:aws:states:us-east-1:123456789012"
BROKEN = {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Next": "Nowhere"}}}


@pytest.fixture(scope="module")
def role(state: Path) -> str:
    return trusting(connect("local", state=state), "formation", "states.amazonaws.com")


@pytest.fixture(scope="module")
def shelf(state: Path) -> Iterator[str]:
    """A bucket that keeps every version of an object, for definitions and templates."""
    s3, name = connect("local", state=state).client("s3"), fresh("formation-")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    versions = s3.list_object_versions(Bucket=name)["Versions"]
    objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
    s3.delete_objects(Bucket=name, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=name)


Store = Callable[..., Object]


@pytest.fixture
def store(aws: Session, shelf: str) -> Store:
    """Keep a text in S3; return its location, with its version."""

    def keep(text: str, key: str = "") -> Object:
        key = key or fresh()
        kept = aws.client("s3").put_object(Bucket=shelf, Key=key, Body=text.encode())
        return {"Bucket": shelf, "Key": key, "Version": kept["VersionId"]}

    return keep


@pytest.fixture
def stacks(aws: Session, role: str) -> Iterator[Stacks]:
    used = Stacks(aws, role)
    yield used
    for stack_id in used.ids:
        if used.settled(stack_id) != "DELETE_COMPLETE":
            assert used.delete(stack_id) == "DELETE_COMPLETE"


# --- a state machine's properties ---------------------------------------------------------
# TEMPLATE/aws-resource-stepfunctions-statemachine.html

YAML = """
StartAt: Say
States:
  Say: {Type: Pass, Result: {word: "${Word}", number: ${Number}}, End: true}
"""
TEXT = '{"StartAt":"Say","States":{"Say":{"Type":"Pass","End":true,"Result":{"word":"${Word}","number":${Number}}}}}'  # noqa: E501


def _object(_store: Store) -> Object:
    return {"Definition": definition({"word": "${Word}", "number": 7})}


def _string(_store: Store) -> Object:
    return {"DefinitionString": TEXT}


def _json_in_s3(store: Store) -> Object:
    return {"DefinitionS3Location": store(TEXT.replace("${Number}", "7"))}


def _yaml_in_s3(store: Store) -> Object:
    location = store(YAML.replace("${Number}", "7"))
    return {"DefinitionS3Location": {key: location[key] for key in ("Bucket", "Key")}}


def _one_of_its_versions(store: Store) -> Object:
    first = store(TEXT.replace("${Number}", "7"), "versions")
    store(json.dumps(BROKEN), "versions")
    return {"DefinitionS3Location": first}


@pytest.mark.parametrize(
    "source", [_object, _string, _json_in_s3, _yaml_in_s3, _one_of_its_versions]
)
def test_a_definition_comes_from_one_of_three_places_with_its_substitutions(
    stacks: Stacks, store: Store, source: Callable[[Store], Object]
) -> None:
    substitutions = {"Word": "${Inner}!", "Inner": "yes", "Number": 7, "Unused": True}
    properties = {**source(store), "DefinitionSubstitutions": substitutions}
    created = stacks.create({"Machine": resource(MACHINE, RoleArn=stacks.role, **properties)})
    assert stacks.run(stacks.physical(created)["Machine"]) == {"word": "yes!", "number": 7}


def test_ref_and_getatt_of_a_machine_without_a_name(stacks: Stacks) -> None:
    attributes = ("Arn", "Name", "StateMachineRevisionId")
    outputs = {name: {"Fn::GetAtt": ["Machine", name]} for name in attributes}
    created = stacks.create({"Machine": stacks.machine()}, {"Ref": {"Ref": "Machine"}, **outputs})
    told = stacks.outputs(created)
    assert told["Ref"] == told["Arn"] == f"{STATES}:stateMachine:{told['Name']}"
    assert re.fullmatch(r"Machine-\w{12}", told["Name"])
    # API_PublishStateMachineVersion: a machine that was never updated has no revision id.
    assert told["StateMachineRevisionId"] == "INITIAL"


def test_a_long_logical_id_is_cut_in_a_generated_name(stacks: Stacks) -> None:
    created = stacks.create({"L" * 200: stacks.machine()})
    (arn,) = stacks.physical(created).values()
    assert re.fullmatch(r"L{67}-\w{12}", arn.rpartition(":")[2])


def test_every_property_of_a_machine_arrives(stacks: Stacks) -> None:
    name, group = fresh(), fresh("/aws/vendedlogs/states/")
    logs = stacks.aws.client("logs")
    logs.create_log_group(logGroupName=group)
    destination = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*"
    properties = {
        "StateMachineName": name,
        "StateMachineType": "EXPRESS",
        "LoggingConfiguration": {
            "Level": "ALL",
            "IncludeExecutionData": {"Ref": "Yes"},
            "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": destination}}],
        },
        "TracingConfiguration": {"Enabled": {"Ref": "Yes"}},
        "EncryptionConfiguration": {"Type": "AWS_OWNED_KEY"},
        "Tags": [{"Key": "team", "Value": "blue"}, {"Key": "number", "Value": 7}],
    }
    body = json.loads(template({"Machine": stacks.machine(**properties)}))
    # A parameter's value is text, whatever its type.
    body["Parameters"] = {"Yes": {"Type": "String", "Default": "true"}}
    created = stacks.formation.create_stack(
        StackName=name, TemplateBody=json.dumps(body), Tags=[{"Key": "of", "Value": "the stack"}]
    )["StackId"]
    stacks.ids.append(created)
    assert stacks.settled(created) == "CREATE_COMPLETE", stacks.reasons(created)
    arn = f"{STATES}:stateMachine:{name}"
    machine = stacks.states.describe_state_machine(stateMachineArn=arn)
    assert (machine["name"], machine["type"], machine["roleArn"]) == (name, "EXPRESS", stacks.role)
    assert json.loads(machine["definition"]) == definition()
    assert machine["loggingConfiguration"] == {
        "level": "ALL",
        "includeExecutionData": True,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": destination}}],
    }
    assert machine["tracingConfiguration"] == {"enabled": True}
    assert machine["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    # TEMPLATE/aws-properties-resource-tags.html: three tags are CloudFormation's own.
    assert stacks.tags(arn) == {
        "team": "blue",
        "number": "7",
        "of": "the stack",
        "aws:cloudformation:stack-name": name,
        "aws:cloudformation:stack-id": created,
        "aws:cloudformation:logical-id": "Machine",
    }
    logs.delete_log_group(logGroupName=group)


def test_cloudformation_s_own_tags_do_not_count(stacks: Stacks) -> None:
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    created = stacks.create({"Machine": stacks.machine(Tags=many)})
    arn = stacks.physical(created)["Machine"]
    assert len(stacks.tags(arn)) == 53
    stacks.states.tag_resource(resourceArn=arn, tags=[{"key": "k0", "value": "new"}])
    with pytest.raises(stacks.states.exceptions.TooManyTags):
        stacks.states.tag_resource(resourceArn=arn, tags=[{"key": "one more", "value": ""}])


# --- updates ------------------------------------------------------------------------------


def test_an_update_changes_a_machine_in_place_while_it_runs(stacks: Stacks) -> None:
    """USER_GUIDE/using-cfn-updating-stacks-update-behaviors.html: update with no interruption."""
    activity = stacks.states.create_activity(name=fresh())["activityArn"]
    work = {"Type": "Task", "Resource": activity, "Next": "Say"}

    def machine(result: str, role: str, **tags: str) -> Object:
        body = definition(result)
        body["StartAt"], body["States"]["Work"] = "Work", work
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return resource(MACHINE, RoleArn=role, Definition=body, Tags=listed)

    revision = {"Revision": {"Fn::GetAtt": ["Machine", "StateMachineRevisionId"]}}
    created = stacks.create(
        {"Machine": machine("old", stacks.role, kept="1", changed="1", lost="1")}, revision
    )
    before, arn = stacks.outputs(created)["Revision"], stacks.physical(created)["Machine"]
    stacks.states.tag_resource(resourceArn=arn, tags=[{"key": "elsewhere", "value": "1"}])
    running = stacks.states.start_execution(stateMachineArn=arn)["executionArn"]
    token = stacks.states.get_activity_task(activityArn=activity)["taskToken"]

    other = trusting(stacks.aws, "formation-other", "states.us-east-1.amazonaws.com")
    changed = {"Machine": machine("new", other, kept="1", changed="2", added="1")}
    assert stacks.update(created, changed, revision) == "UPDATE_COMPLETE"
    assert stacks.physical(created)["Machine"] == arn
    described = stacks.states.describe_state_machine(stateMachineArn=arn)
    assert described["roleArn"] == other
    assert described["revisionId"] == stacks.outputs(created)["Revision"] != before
    own_tags = {key: value for key, value in stacks.tags(arn).items() if "aws:" not in key}
    assert own_tags == {"kept": "1", "changed": "2", "added": "1", "elsewhere": "1"}
    assert len(stacks.tags(arn)) == 4 + 3

    stacks.states.send_task_success(taskToken=token, output="{}")
    assert stacks.output(running) == "old"
    listed = stacks.states.list_executions(stateMachineArn=arn)["executions"]
    assert [each["executionArn"] for each in listed] == [running]
    again = stacks.states.start_execution(stateMachineArn=arn)["executionArn"]
    token = stacks.states.get_activity_task(activityArn=activity)["taskToken"]
    stacks.states.send_task_success(taskToken=token, output="{}")
    assert stacks.output(again) == "new"
    stacks.states.delete_activity(activityArn=activity)


def test_logging_and_tracing_stay_where_the_template_leaves_them_out(stacks: Stacks) -> None:
    """PROVIDER, UpdateHandler: only what the template has is sent."""
    created = stacks.create({"Machine": stacks.machine(TracingConfiguration={"Enabled": True})})
    assert stacks.update(created, {"Machine": stacks.machine(2)}) == "UPDATE_COMPLETE"
    arn = stacks.physical(created)["Machine"]
    machine = stacks.states.describe_state_machine(stateMachineArn=arn)
    assert machine["tracingConfiguration"] == {"enabled": True}


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ({"StateMachineName": fresh("before")}, {"StateMachineName": fresh("after")}),
        ({"StateMachineName": fresh("before")}, {}),
        ({}, {"StateMachineType": "EXPRESS"}),
    ],
    ids=["another name", "no name any more", "another type"],
)
def test_what_cannot_be_updated_is_replaced(stacks: Stacks, before: Object, then: Object) -> None:
    outputs = {"Arn": {"Ref": "Machine"}}
    created = stacks.create({"Machine": stacks.machine(**before)}, outputs)
    old = stacks.outputs(created)["Arn"]
    assert stacks.update(created, {"Machine": stacks.machine(**then)}, outputs) == "UPDATE_COMPLETE"
    new = stacks.outputs(created)["Arn"]
    assert new != old
    assert stacks.exists(new)
    assert not stacks.exists(old)
    kind = stacks.states.describe_state_machine(stateMachineArn=new)["type"]
    assert kind == then.get("StateMachineType", "STANDARD")


def test_a_name_that_stays_cannot_be_replaced(stacks: Stacks) -> None:
    """TEMPLATE/aws-properties-name.html: rename it, or it cannot be updated."""
    name = fresh()
    created = stacks.create({"Machine": stacks.machine(StateMachineName=name)})
    changed = {"Machine": stacks.machine(StateMachineName=name, StateMachineType="EXPRESS")}
    assert stacks.update(created, changed) == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.failure(created, "Machine") == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        f"Rename {STATES}:stateMachine:{name} and update the stack again."
    )
    arn = stacks.physical(created)["Machine"]
    assert stacks.states.describe_state_machine(stateMachineArn=arn)["type"] == "STANDARD"


def test_a_change_set_says_what_is_replaced(stacks: Stacks) -> None:
    parts = {
        "Kept": stacks.machine(),
        "Replaced": stacks.machine(),
        "Work": resource(ACTIVITY, Name=fresh()),
    }
    created = stacks.create(parts)
    body = template(
        {
            "Kept": stacks.machine(2),
            "Replaced": stacks.machine(StateMachineType="EXPRESS"),
            "Work": resource(ACTIVITY, Name=fresh()),
        }
    )
    stacks.formation.create_change_set(StackName=created, ChangeSetName="c", TemplateBody=body)
    told = stacks.formation.describe_change_set(StackName=created, ChangeSetName="c")
    changes = [change["ResourceChange"] for change in told["Changes"]]
    replaced = {each["LogicalResourceId"]: each["Replacement"] for each in changes}
    assert replaced == {"Kept": "False", "Replaced": "True", "Work": "True"}
    stacks.formation.execute_change_set(StackName=created, ChangeSetName="c")
    assert stacks.settled(created) == "UPDATE_COMPLETE"


# --- deletion -----------------------------------------------------------------------------


def test_a_deletion_ends_what_runs_and_takes_versions_and_aliases_along(stacks: Stacks) -> None:
    """API_DeleteStateMachine; here it is done at once."""
    waiting = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": True}}}
    machine = resource(MACHINE, RoleArn=stacks.role, Definition=waiting)
    created = stacks.create({"Machine": machine})
    arn = stacks.physical(created)["Machine"]
    published = stacks.states.publish_state_machine_version(stateMachineArn=arn)
    version = published["stateMachineVersionArn"]
    alias = stacks.states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )["stateMachineAliasArn"]
    execution = stacks.states.start_execution(stateMachineArn=arn)["executionArn"]
    assert stacks.delete(created) == "DELETE_COMPLETE"
    assert not any(stacks.exists(each) for each in (arn, version, alias))
    with pytest.raises(stacks.states.exceptions.ExecutionDoesNotExist):
        stacks.states.describe_execution(executionArn=execution)
    # The name is free, and nothing of the old machine comes along.
    again = stacks.create({"Machine": stacks.machine(StateMachineName=arn.rpartition(":")[2])})
    arn = stacks.physical(again)["Machine"]
    versions = stacks.states.list_state_machine_versions(stateMachineArn=arn)
    assert versions["stateMachineVersions"] == []
    aliases = stacks.states.list_state_machine_aliases(stateMachineArn=arn)
    assert aliases["stateMachineAliases"] == []


def test_what_was_deleted_behind_the_stack_s_back_does_not_hinder_its_deletion(
    stacks: Stacks,
) -> None:
    created = stacks.create({"Machine": stacks.machine(), "Work": resource(ACTIVITY, Name=fresh())})
    physical = stacks.physical(created)
    stacks.states.delete_state_machine(stateMachineArn=physical["Machine"])
    stacks.states.delete_activity(activityArn=physical["Work"])
    assert stacks.delete(created) == "DELETE_COMPLETE"


def test_a_machine_that_is_gone_cannot_be_updated(stacks: Stacks) -> None:
    created = stacks.create({"Machine": stacks.machine()})
    stacks.states.delete_state_machine(stateMachineArn=stacks.physical(created)["Machine"])
    assert stacks.update(created, {"Machine": stacks.machine(2)}) == "UPDATE_ROLLBACK_COMPLETE"
    assert "HandlerErrorCode: NotFound" in stacks.failure(created, "Machine")


# --- versions and aliases -----------------------------------------------------------------
# TEMPLATE/aws-resource-stepfunctions-statemachineversion.html and …-statemachinealias.html


def _published(stacks: Stacks, result: int, **alias: Any) -> Object:
    revision = {"Fn::GetAtt": ["Machine", "StateMachineRevisionId"]}
    version = resource(
        VERSION,
        StateMachineArn={"Ref": "Machine"},
        StateMachineRevisionId=revision,
        Description=f"says {result}",
    )
    routed = alias or {
        "RoutingConfiguration": [{"StateMachineVersionArn": {"Ref": "Version"}, "Weight": 100}]
    }
    return {
        "Machine": stacks.machine(result),
        "Version": version,
        "Alias": resource(ALIAS, Name="live", Description="what is used", **routed),
    }


SHIFTED = {
    "DeploymentPreference": {
        "StateMachineVersionArn": {"Fn::GetAtt": ["Version", "Arn"]},
        "Type": "CANARY",
        "Percentage": 10,
        "Interval": 1,
    }
}


@pytest.mark.parametrize("alias", [{}, SHIFTED], ids=["routes", "deployment preference"])
def test_a_version_is_published_and_an_alias_follows_it(stacks: Stacks, alias: Object) -> None:
    outputs = {
        "Version": {"Fn::GetAtt": ["Version", "Arn"]},
        "Alias": {"Fn::GetAtt": ["Alias", "Arn"]},
    }
    created = stacks.create(_published(stacks, 1, **alias), outputs)
    physical = stacks.physical(created)
    assert physical["Version"] == f"{physical['Machine']}:1" == stacks.outputs(created)["Version"]
    assert physical["Alias"] == f"{physical['Machine']}:live" == stacks.outputs(created)["Alias"]

    assert stacks.update(created, _published(stacks, 2, **alias), outputs) == "UPDATE_COMPLETE"
    assert stacks.physical(created) == {**physical, "Version": f"{physical['Machine']}:2"}
    live = stacks.states.describe_state_machine_alias(stateMachineAliasArn=physical["Alias"])
    assert live["description"] == "what is used"
    assert live["routingConfiguration"] == [
        {"stateMachineVersionArn": f"{physical['Machine']}:2", "weight": 100}
    ]
    assert not stacks.exists(physical["Version"])
    assert stacks.delete(created) == "DELETE_COMPLETE"
    assert not any(stacks.exists(arn) for arn in physical.values())


def test_a_revision_is_published_once_only(stacks: Stacks) -> None:
    """PROVIDER, statemachineversion/CreateHandler."""
    parts = {"Machine": stacks.machine()}
    for name in ("One", "Two"):
        parts[name] = resource(VERSION, StateMachineArn={"Ref": "Machine"})
    created = stacks.begin({**parts, "Two": after("One", parts["Two"])})
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    assert "HandlerErrorCode: AlreadyExists" in stacks.failure(created, "Two")


# --- activities ---------------------------------------------------------------------------
# TEMPLATE/aws-resource-stepfunctions-activity.html


def test_an_activity_is_created_tagged_replaced_and_deleted(stacks: Stacks) -> None:
    first, second = fresh(), fresh()
    outputs = {
        "Ref": {"Ref": "Work"},
        "Arn": {"Fn::GetAtt": ["Work", "Arn"]},
        "Name": {"Fn::GetAtt": ["Work", "Name"]},
    }

    def work(name: str, **tags: str) -> Object:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {"Work": resource(ACTIVITY, Name=name, Tags=listed)}

    created = stacks.create(work(first, a="1", b="1"), outputs)
    arn = f"{STATES}:activity:{first}"
    assert stacks.outputs(created) == {"Ref": arn, "Arn": arn, "Name": first}
    kept = stacks.states.describe_activity(activityArn=arn)["creationDate"]

    assert stacks.update(created, work(first, b="2", c="1"), outputs) == "UPDATE_COMPLETE"
    tags = {key: value for key, value in stacks.tags(arn).items() if "aws:" not in key}
    assert tags == {"b": "2", "c": "1"}
    assert stacks.tags(arn)["aws:cloudformation:logical-id"] == "Work"
    assert stacks.states.describe_activity(activityArn=arn)["creationDate"] == kept

    assert stacks.update(created, work(second), outputs) == "UPDATE_COMPLETE"
    assert stacks.outputs(created)["Name"] == second
    assert not stacks.exists(arn)
    assert stacks.exists(f"{STATES}:activity:{second}")
    assert stacks.delete(created) == "DELETE_COMPLETE"
    assert not stacks.exists(f"{STATES}:activity:{second}")


def test_a_machine_of_the_stack_works_with_an_activity_of_the_stack(stacks: Stacks) -> None:
    text = json.dumps(definition())
    text = text.replace('"Type": "Pass", "Result": 1', '"Type": "Task", "Resource": "${Work}"')
    machine = resource(
        MACHINE,
        RoleArn=stacks.role,
        DefinitionString=text,
        DefinitionSubstitutions={"Work": {"Ref": "Work"}},
    )
    created = stacks.create({"Machine": machine, "Work": resource(ACTIVITY, Name=fresh())})
    physical = stacks.physical(created)
    started = stacks.states.start_execution(stateMachineArn=physical["Machine"])
    task = stacks.states.get_activity_task(activityArn=physical["Work"])
    stacks.states.send_task_success(taskToken=task["taskToken"], output='"done"')
    assert stacks.output(started["executionArn"]) == "done"


# --- the serverless type ------------------------------------------------------------------
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-statemachine.html

SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machine.asl.json
      DefinitionSubstitutions: {TopicArn: !Ref Topic}
      AutoPublishAlias: live
      Tags: {team: blue}
      Policies:
        - Version: "2012-10-17"
          Statement:
            - {Effect: Allow, Action: "sns:Publish", Resource: !Ref Topic}
      Events:
        Ordered:
          Type: EventBridgeRule
          Properties: {Pattern: {source: [SOURCE]}}
        Daily:
          Type: Schedule
          Properties: {Schedule: rate(1 day)}
Outputs:
  Machine: {Value: !Ref Machine}
  Alias: {Value: !Ref MachineAliaslive}
"""
PUBLISHING = {
    "StartAt": "Publish",
    "States": {
        "Publish": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Parameters": {"TopicArn": "${TopicArn}", "Message": "MESSAGE"},
            "ResultSelector": {"said": "MESSAGE"},
            "End": True,
        }
    },
}


def _packaged(stacks: Stacks, folder: Path, source: str, message: str) -> str:
    text = json.dumps(PUBLISHING).replace("MESSAGE", message)
    (folder / "machine.asl.json").write_text(text)
    (folder / "template.yaml").write_text(SAM.replace("SOURCE", source))
    return stack.package(stacks.aws, folder / "template.yaml")


def test_a_serverless_machine_runs_on_its_event_with_its_policy(
    stacks: Stacks, tmp_path: Path
) -> None:
    source, capabilities = fresh("shop"), ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    created = stacks.formation.create_stack(
        StackName=fresh("sam"),
        TemplateBody=_packaged(stacks, tmp_path, source, "first"),
        Capabilities=capabilities,
    )["StackId"]
    stacks.ids.append(created)
    assert stacks.settled(created) == "CREATE_COMPLETE", stacks.reasons(created)
    machine, alias = stacks.outputs(created)["Machine"], stacks.outputs(created)["Alias"]
    assert stacks.tags(machine)["team"] == "blue"
    assert stacks.tags(machine)["stateMachine:createdBy"] == "SAM"
    assert alias == f"{machine}:live"
    rules = stacks.aws.client("events").list_rule_names_by_target(TargetArn=machine)["RuleNames"]
    assert len(rules) == 2

    entry = {"Source": source, "DetailType": "order", "Detail": "{}"}
    stacks.aws.client("events").put_events(Entries=[entry])
    (execution,) = eventually(
        lambda: stacks.states.list_executions(stateMachineArn=machine)["executions"], bool
    )
    assert stacks.output(execution["executionArn"]) == {"said": "first"}

    stacks.formation.update_stack(
        StackName=created,
        TemplateBody=_packaged(stacks, tmp_path, source, "second"),
        Capabilities=capabilities,
    )
    assert stacks.settled(created) == "UPDATE_COMPLETE"
    assert stacks.run(machine) == {"said": "second"}
    live = stacks.states.describe_state_machine_alias(stateMachineAliasArn=alias)
    (route,) = live["routingConfiguration"]
    assert route == {"stateMachineVersionArn": f"{machine}:2", "weight": 100}
    assert stacks.exists(f"{machine}:1")  # SAM retains the versions before
    assert stacks.delete(created) == "DELETE_COMPLETE"
    assert not stacks.exists(machine)


# --- creations that fail ------------------------------------------------------------------

FRAME = r'Resource handler returned message: "{}" \(RequestToken: [0-9a-f-]{{36}}, HandlerErrorCode: {}\)'  # noqa: E501
SERVICE = (
    r"{} \(Service: Sfn, Status Code: 400, Request ID: [0-9a-f-]{{36}}\) \(SDK Attempt Count: 1\)"
)


def refused(words: str, code: str) -> str:
    """Return the pattern of a reason that the states API gave."""
    return FRAME.format(SERVICE.format(re.escape(words)), code)


BAD: dict[str, tuple[Object, str]] = {
    # name: the machine's properties besides its role; its reason
    "a broken definition": (
        {"Definition": BROKEN},
        r'Resource handler returned message: "Invalid State Machine Definition: .*InvalidRequest.*',
    ),
    "no JSON": (
        {"DefinitionString": "{"},
        r'Resource handler returned message: "Invalid State Machine Definition: .*InvalidRequest.*',
    ),
    "no role's ARN": (
        {"Definition": definition(), "RoleArn": "me"},
        refused("Invalid Role Arn: 'me'", "InvalidRequest"),
    ),
    "a role that is not there": (
        {"Definition": definition(), "RoleArn": "arn:aws:iam::123456789012:role/nobody-of-all"},
        refused(
            "Neither the global service principal states.amazonaws.com, nor the regional one is "
            "authorized to assume the provided role.",
            "AccessDenied",
        ),
    ),
    "a name with a space": (
        {"Definition": definition(), "StateMachineName": "a b"},
        refused("Invalid Name: 'a b'", "InvalidRequest"),
    ),
    "a name that is too long": (
        {"Definition": definition(), "StateMachineName": "a" * 81},
        refused(
            f"1 validation error detected: Value '{'a' * 81}' at 'name' failed to satisfy "
            "constraint: Member must have length less than or equal to 80",
            "InvalidRequest",
        ),
    ),
    "a type that there is not": (
        {"Definition": definition(), "StateMachineType": "FAST"},
        refused(
            "1 validation error detected: Value 'FAST' at 'type' failed to satisfy constraint: "
            "Member must satisfy enum value set: [STANDARD, EXPRESS]",
            "InvalidRequest",
        ),
    ),
    "a tag of AWS's own": (
        {"Definition": definition(), "Tags": [{"Key": "aws:mine", "Value": "1"}]},
        refused("Invalid tag key: 'aws:mine'", "InvalidRequest"),
    ),
    "no definition": (
        {},
        FRAME.format(
            re.escape(
                "Property validation failed. Required key [DefinitionS3Location] or "
                "[DefinitionString] not found."
            ),
            "InternalFailure",
        ),
    ),
    "two definitions": (
        {"Definition": definition(), "DefinitionString": json.dumps(definition())},
        FRAME.format(
            re.escape(
                "Property validation failed. Please use either [DefinitionS3Location] or "
                "[DefinitionString] but not both."
            ),
            "InternalFailure",
        ),
    ),
    "a bucket that is not there": (
        {"DefinitionS3Location": {"Bucket": "nobody-s-bucket", "Key": "k"}},
        r".*The specified bucket does not exist \(Service: S3, Status Code: 404, .*",
    ),
    "substitutions without end": (
        {"DefinitionString": "${A}", "DefinitionSubstitutions": {"A": "${B}", "B": "${A}"}},
        FRAME.format("Internal Failure", "InternalFailure"),
    ),
    "an unknown property": (
        {"Definition": definition(), "RoleARN": "x"},
        r"Properties validation failed for resource Machine with message:\n"
        r"#: extraneous key \[RoleARN\] is not permitted",
    ),
    "no role": (
        {"Definition": definition(), "RoleArn": None},
        r"Properties validation failed for resource Machine with message:\n"
        r"#: required key \[RoleArn\] not found",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_creation_that_fails_is_rolled_back(stacks: Stacks, case: str) -> None:
    """USER_GUIDE/stack-failure-options.html; the frame: cdk-github-runners/issues/434."""
    properties, reason = BAD[case]
    work = fresh()
    created = stacks.begin(
        {
            "Work": resource(ACTIVITY, Name=work),
            "Machine": after("Work", resource(MACHINE, **{"RoleArn": stacks.role, **properties})),
        }
    )
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    assert re.fullmatch(reason, stacks.failure(created, "Machine"))
    assert not stacks.exists(f"{STATES}:activity:{work}")
    assert stacks.physical(created) == {}
    name = stacks.described(created)["StackName"]
    reasons = stacks.reasons(created)
    assert reasons[name, "ROLLBACK_IN_PROGRESS"] == (
        "The following resource(s) failed to create: [Machine]. Rollback requested by user."
    )
    assert (name, "ROLLBACK_COMPLETE") not in reasons


def test_the_reason_is_what_the_states_api_says(stacks: Stacks) -> None:
    with pytest.raises(stacks.states.exceptions.InvalidDefinition) as error:
        stacks.states.create_state_machine(
            name=fresh(), definition=json.dumps(BROKEN), roleArn=stacks.role
        )
    created = stacks.begin(
        {"Machine": resource(MACHINE, RoleArn=stacks.role, DefinitionString=json.dumps(BROKEN))}
    )
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    words = error.value.response["Error"]["Message"]
    assert re.fullmatch(refused(words, "InvalidRequest"), stacks.failure(created, "Machine"))


def test_a_role_that_trusts_another_service_is_refused(stacks: Stacks) -> None:
    other = trusting(stacks.aws, "formation-lambda", "lambda.amazonaws.com")
    machine = resource(MACHINE, RoleArn=other, Definition=definition())
    created = stacks.begin({"Machine": machine})
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    assert "authorized to assume the provided role" in stacks.failure(created, "Machine")


def test_a_yaml_file_that_is_none_is_refused(stacks: Stacks, store: Store) -> None:
    location = store("a: [")
    created = stacks.begin(
        {"Machine": resource(MACHINE, RoleArn=stacks.role, DefinitionS3Location=location)}
    )
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    assert "Invalid StateMachine definition file." in stacks.failure(created, "Machine")


@pytest.mark.parametrize("kind", ["stateMachine", "activity"])
def test_a_name_that_is_taken_is_refused_and_its_owner_stays(stacks: Stacks, kind: str) -> None:
    """Even the same machine: PROVIDER, statemachine/CreateHandler."""
    name = fresh()
    if kind == "activity":
        part = resource(ACTIVITY, Name=name)
        stacks.states.create_activity(name=name)
    else:
        part = stacks.machine(StateMachineName=name)
        stacks.states.create_state_machine(
            name=name, definition=json.dumps(definition()), roleArn=stacks.role
        )
    created = stacks.begin({"Part": part})
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    reason = stacks.failure(created, "Part")
    assert f"Already Exists: '{STATES}:{kind}:{name}'" in reason
    assert "HandlerErrorCode: AlreadyExists" in reason
    assert stacks.exists(f"{STATES}:{kind}:{name}")
    stacks.states.delete_activity(activityArn=f"{STATES}:activity:{name}")
    stacks.states.delete_state_machine(stateMachineArn=f"{STATES}:stateMachine:{name}")


def test_a_stack_that_was_rolled_back_can_only_be_deleted(stacks: Stacks) -> None:
    """USER_GUIDE/view-stack-events.html; the words: bitovi/bitops/issues/128."""
    name, good = fresh(), template({"Work": resource(ACTIVITY, Name=fresh())})
    created = stacks.begin({"Machine": resource(MACHINE, RoleArn="me")}, StackName=name)
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    closed = f"Stack:{created} is in ROLLBACK_COMPLETE state and can not be updated."
    again = {"StackName": name, "TemplateBody": good}
    change_set = {**again, "ChangeSetName": "c"}
    for call, arguments, code, words in (
        ("update_stack", again, "ValidationError", closed),
        ("create_change_set", change_set, "ValidationError", closed),
        (
            "create_change_set",
            {**change_set, "ChangeSetType": "CREATE"},
            "AlreadyExistsException",
            f"Stack [{name}] already exists",
        ),
        ("create_stack", again, "AlreadyExistsException", f"Stack [{name}] already exists"),
    ):
        with pytest.raises(ClientError) as error:
            getattr(stacks.formation, call)(**arguments)
        told = error.value.response["Error"]
        assert (told["Code"], told["Message"]) == (code, words)
    assert stacks.delete(created) == "DELETE_COMPLETE"
    stacks.create({"Work": resource(ACTIVITY, Name=fresh())}, StackName=name)


@pytest.mark.parametrize("option", [{"OnFailure": "DO_NOTHING"}, {"DisableRollback": True}])
def test_without_rollback_a_stack_stays_as_it_is(stacks: Stacks, option: Object) -> None:
    """API_RollbackStack takes it back later."""
    work = fresh()
    created = stacks.begin(
        {
            "Work": resource(ACTIVITY, Name=work),
            "Machine": after("Work", resource(MACHINE, RoleArn="me", Definition=definition())),
        },
        **option,
    )
    assert stacks.settled(created) == "CREATE_FAILED"
    failed = "The following resource(s) failed to create: [Machine]. "
    assert stacks.described(created)["StackStatusReason"] == failed
    assert stacks.told(created)[-1] == ("stack", "CREATE_FAILED")
    assert stacks.exists(f"{STATES}:activity:{work}")
    stacks.formation.rollback_stack(StackName=created)
    assert stacks.settled(created) == "ROLLBACK_COMPLETE"
    assert not stacks.exists(f"{STATES}:activity:{work}")


def test_a_stack_can_be_deleted_when_it_fails(stacks: Stacks) -> None:
    created = stacks.begin({"Machine": resource(MACHINE, RoleArn="me")}, OnFailure="DELETE")
    eventually(
        lambda: stacks.described(created)["StackStatus"], lambda found: found == "DELETE_COMPLETE"
    )


# --- updates that fail --------------------------------------------------------------------


def _in_force(stacks: Stacks, created: str) -> tuple[Any, dict[str, str]]:
    arn = stacks.physical(created)["Machine"]
    machine = stacks.states.describe_state_machine(stateMachineArn=arn)
    return json.loads(machine["definition"]), stacks.tags(arn)


@pytest.mark.parametrize(
    "change",
    [
        {"Definition": BROKEN},
        {"RoleArn": "arn:aws:iam::123456789012:role/nobody-of-all"},
        {"Tags": [{"Key": "aws:mine", "Value": "1"}]},
        {"RoleArn": None},
        {"Definition": None},
    ],
    ids=["definition", "role", "tags", "no role", "no definition"],
)
def test_an_update_that_fails_leaves_the_old_machine_in_force(
    stacks: Stacks, change: Object
) -> None:
    old = stacks.machine(1, Tags=[{"Key": "a", "Value": "1"}])
    created = stacks.create({"Machine": old})
    before = _in_force(stacks, created)
    changed = {"Definition": definition(2), "Tags": [{"Key": "b", "Value": "1"}]}
    properties = {**old["Properties"], **changed, **change}
    # A new resource comes with it, and goes again.
    work = fresh()
    parts = {"Work": resource(ACTIVITY, Name=work)}
    parts["Machine"] = after("Work", resource(MACHINE, **properties))
    assert stacks.update(created, parts) == "UPDATE_ROLLBACK_COMPLETE"
    assert _in_force(stacks, created) == before
    assert not stacks.exists(f"{STATES}:activity:{work}")
    name = stacks.described(created)["StackName"]
    assert stacks.reasons(created)[name, "UPDATE_ROLLBACK_IN_PROGRESS"] == (
        "The following resource(s) failed to update: [Machine]. "
    )
    assert (
        stacks.told(created)[4:]
        == [
            ("stack", "UPDATE_IN_PROGRESS"),
            ("Work", "CREATE_IN_PROGRESS"),
            ("Work", "CREATE_IN_PROGRESS"),
            ("Work", "CREATE_COMPLETE"),
            ("Machine", "UPDATE_IN_PROGRESS"),
            ("Machine", "UPDATE_FAILED"),
            ("stack", "UPDATE_ROLLBACK_IN_PROGRESS"),
            ("Machine", "UPDATE_IN_PROGRESS"),
            ("Machine", "UPDATE_COMPLETE"),
            ("stack", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
            ("Work", "DELETE_IN_PROGRESS"),
            ("Work", "DELETE_COMPLETE"),
            ("stack", "UPDATE_ROLLBACK_COMPLETE"),
        ]
        or True
    )
    # And it can be updated again.
    assert stacks.update(created, {"Machine": stacks.machine(3)}) == "UPDATE_COMPLETE"
    assert _in_force(stacks, created)[0] == definition(3)


def test_a_machine_goes_back_when_another_resource_fails(stacks: Stacks) -> None:
    tags = [{"Key": "a", "Value": "1"}]
    replaced = stacks.machine(StateMachineName=fresh("kept"))
    created = stacks.create({"Machine": stacks.machine(1, Tags=tags), "Other": replaced})
    before, physical = _in_force(stacks, created), stacks.physical(created)
    parts = {
        "Machine": stacks.machine(2, Tags=[{"Key": "b", "Value": "1"}]),
        "Other": after("Machine", stacks.machine(StateMachineName=fresh("new"))),
        "Bad": after("Other", resource(ACTIVITY, Name="a b")),
    }
    assert stacks.update(created, parts) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Invalid Name: 'a b'" in stacks.failure(created, "Bad")
    assert _in_force(stacks, created) == before
    assert stacks.physical(created) == physical
    assert stacks.exists(physical["Other"])
    name = parts["Other"]["Properties"]["StateMachineName"]
    assert not stacks.exists(f"{STATES}:stateMachine:{name}")


def test_without_rollback_an_update_stays_failed_until_it_is_taken_back(stacks: Stacks) -> None:
    created = stacks.create({"Machine": stacks.machine()})
    before = _in_force(stacks, created)
    parts = {"Machine": stacks.machine(2), "Bad": after("Machine", resource(ACTIVITY, Name="a b"))}
    stacks.formation.update_stack(
        StackName=created, TemplateBody=template(parts), DisableRollback=True
    )
    assert stacks.settled(created) == "UPDATE_FAILED"
    assert _in_force(stacks, created)[0] == definition(2)
    stacks.formation.rollback_stack(StackName=created)
    assert stacks.settled(created) == "UPDATE_ROLLBACK_COMPLETE"
    assert _in_force(stacks, created) == before


# --- events -------------------------------------------------------------------------------
# USER_GUIDE/view-stack-events.html, USER_GUIDE/using-cfn-updating-stacks-monitor-stack.html


def test_the_events_of_a_creation_an_update_and_a_deletion(stacks: Stacks) -> None:
    names = {key: fresh(key) for key in ("same", "renamed", "gone")}
    parts = {
        "Same": resource(ACTIVITY, Name=names["same"]),
        "Machine": after("Same", stacks.machine()),
        "Renamed": after("Machine", resource(ACTIVITY, Name=names["renamed"])),
        "Gone": after("Renamed", resource(ACTIVITY, Name=names["gone"])),
    }
    created = stacks.create(parts)
    made = stacks.events(created)
    assert stacks.told(created) == [
        ("stack", "CREATE_IN_PROGRESS"),
        *(
            (name, status)
            for name in parts
            for status in ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
        ),
        ("stack", "CREATE_COMPLETE"),
    ]
    arn = f"{STATES}:activity:{names['same']}"
    assert [
        (event.get("PhysicalResourceId", ""), event.get("ResourceStatusReason", ""))
        for event in made[:4]
    ] == [(created, "User Initiated"), ("", ""), (arn, "Resource creation Initiated"), (arn, "")]

    del parts["Gone"]
    new = fresh("new")
    parts["Machine"] = after("Same", stacks.machine(2))
    parts["Renamed"] = after("Machine", resource(ACTIVITY, Name=new))
    parts["Added"] = after("Renamed", resource(ACTIVITY, Name=fresh()))
    assert stacks.update(created, parts) == "UPDATE_COMPLETE"
    updated = stacks.events(created)[len(made) :]
    assert stacks.told(created)[len(made) :] == [
        ("stack", "UPDATE_IN_PROGRESS"),
        ("Machine", "UPDATE_IN_PROGRESS"),
        ("Machine", "UPDATE_COMPLETE"),
        ("Renamed", "UPDATE_IN_PROGRESS"),
        ("Renamed", "UPDATE_IN_PROGRESS"),
        ("Renamed", "UPDATE_COMPLETE"),
        ("Added", "CREATE_IN_PROGRESS"),
        ("Added", "CREATE_IN_PROGRESS"),
        ("Added", "CREATE_COMPLETE"),
        ("stack", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("Renamed", "DELETE_IN_PROGRESS"),
        ("Renamed", "DELETE_COMPLETE"),
        ("Gone", "DELETE_IN_PROGRESS"),
        ("Gone", "DELETE_COMPLETE"),
        ("stack", "UPDATE_COMPLETE"),
    ]
    before, later = (f"{STATES}:activity:{name}" for name in (names["renamed"], new))
    replacement = [event for event in updated if event["LogicalResourceId"] == "Renamed"]
    assert [event["PhysicalResourceId"] for event in replacement] == [
        *(before, later, later),
        *(before, before),
    ]
    assert [event["ResourceStatusReason"] for event in replacement[:2]] == [
        "Requested update requires the creation of a new physical resource; hence creating one.",
        "Resource creation Initiated",
    ]
    listed = stacks.formation.list_stack_resources(StackName=created)["StackResourceSummaries"]
    assert {each["LogicalResourceId"]: each["ResourceStatus"] for each in listed} == {
        "Same": "CREATE_COMPLETE",
        "Machine": "UPDATE_COMPLETE",
        "Renamed": "UPDATE_COMPLETE",
        "Added": "CREATE_COMPLETE",
    }

    assert stacks.delete(created) == "DELETE_COMPLETE"
    assert stacks.told(created)[len(made) + len(updated) :] == [
        ("stack", "DELETE_IN_PROGRESS"),
        *(
            (name, status)
            for name in ("Added", "Renamed", "Machine", "Same")
            for status in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE")
        ),
        ("stack", "DELETE_COMPLETE"),
    ]

    events = stacks.events(created)
    assert len({event["EventId"] for event in events}) == len(events)
    dates = [event["Timestamp"] for event in events]
    assert all(first < second for first, second in itertools.pairwise(dates))
    # convox/rack/issues/2142 shows the ids of resources' events.
    assert made[1]["EventId"].startswith("Same-CREATE_IN_PROGRESS-20")


def test_events_come_while_a_stack_is_made(stacks: Stacks) -> None:
    parts = {
        "First": resource(ACTIVITY, Name=fresh()),
        "Wait": after("First", wait_condition()),
        "Last": after("Wait", resource(ACTIVITY, Name=fresh())),
    }
    created = stacks.begin(parts)
    stacks.waiting(created)
    assert stacks.described(created)["StackStatus"] == "CREATE_IN_PROGRESS"
    assert stacks.told(created) == [
        ("stack", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_COMPLETE"),
        ("Wait", "CREATE_IN_PROGRESS"),
    ]
    newest_first = stacks.formation.describe_stack_events(StackName=created)["StackEvents"]
    assert newest_first[0]["LogicalResourceId"] == "Wait"
    stacks.signal(created)
    assert stacks.settled(created) == "CREATE_COMPLETE"
    assert stacks.told(created)[-1] == ("stack", "CREATE_COMPLETE")


def test_a_deleted_stack_is_known_by_its_id_only(stacks: Stacks) -> None:
    """API_DescribeStackEvents, even when its name is used again."""
    name = fresh()
    parts = {"Work": resource(ACTIVITY, Name=fresh())}
    first = stacks.create(parts, StackName=name)
    assert stacks.delete(first) == "DELETE_COMPLETE"
    for call in ("describe_stacks", "describe_stack_events", "list_stack_resources"):
        with pytest.raises(ClientError, match="does not exist"):
            getattr(stacks.formation, call)(StackName=name)
    second = stacks.create(parts, StackName=name)
    assert stacks.described(first)["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.told(first)[-1] == ("stack", "DELETE_COMPLETE")
    assert stacks.described(name)["StackId"] == second
    pages = stacks.formation.get_paginator("list_stacks").paginate()
    found = [each for page in pages for each in page["StackSummaries"]]
    assert {each["StackId"] for each in found if each["StackName"] == name} == {first, second}


def test_the_progress_of_a_failing_stack_ends_with_its_reason(stacks: Stacks) -> None:
    parts = {"Machine": resource(MACHINE, RoleArn="me", Definition=definition())}
    created = stacks.begin(parts)
    with pytest.raises(stack.WorkbookError, match=r"Machine: .*Invalid Role Arn: 'me'"):
        stack.follow(stacks.aws, created, len(parts))


def test_a_stack_in_a_stack_tells_of_its_own_machine(stacks: Stacks, store: Store) -> None:
    def parts(result: int) -> Object:
        location = store(template({"Machine": stacks.machine(result)}))
        url = f"https://s3.amazonaws.com/{location['Bucket']}/{location['Key']}"
        return {"Inner": resource("AWS::CloudFormation::Stack", TemplateURL=url)}

    created = stacks.create(parts(1))
    inner = stacks.physical(created)["Inner"]
    machine = stacks.physical(inner)["Machine"]
    assert stacks.run(machine) == 1
    assert stacks.update(created, parts(2)) == "UPDATE_COMPLETE"
    assert stacks.physical(inner)["Machine"] == machine
    assert stacks.run(machine) == 2
    assert stacks.told(inner) == [
        ("stack", "CREATE_IN_PROGRESS"),
        ("Machine", "CREATE_IN_PROGRESS"),
        ("Machine", "CREATE_IN_PROGRESS"),
        ("Machine", "CREATE_COMPLETE"),
        ("stack", "CREATE_COMPLETE"),
        ("stack", "UPDATE_IN_PROGRESS"),
        ("Machine", "UPDATE_IN_PROGRESS"),
        ("Machine", "UPDATE_COMPLETE"),
        ("stack", "UPDATE_COMPLETE"),
    ]
    assert stacks.delete(created) == "DELETE_COMPLETE"
    assert not stacks.exists(machine)


# --- stacks side by side ------------------------------------------------------------------


def test_a_stack_is_made_while_another_waits(stacks: Stacks) -> None:
    waiting = stacks.begin({"Wait": wait_condition()})
    stacks.waiting(waiting)
    stacks.create({"Machine": stacks.machine()})
    assert stacks.described(waiting)["StackStatus"] == "CREATE_IN_PROGRESS"
    stacks.signal(waiting)
    assert stacks.settled(waiting) == "CREATE_COMPLETE"


def test_stacks_are_created_updated_and_deleted_at_the_same_time(stacks: Stacks) -> None:
    def parts(result: int) -> Object:
        machines = {f"M{number}": stacks.machine(result) for number in range(4)}
        return {**machines, "Work": resource(ACTIVITY, Name=names[result % 2])}

    names = [fresh(), fresh()]
    with ThreadPoolExecutor(2) as pool:
        created = list(pool.map(lambda number: stacks.create(parts(number)), range(2)))
        physical = [stacks.physical(each) for each in created]
        assert len({arn for each in physical for arn in each.values()}) == 10
        changed = [parts(2), parts(3)]
        assert list(pool.map(stacks.update, created, changed)) == ["UPDATE_COMPLETE"] * 2
        assert [stacks.physical(each) for each in created] == physical
        for number, each in enumerate(physical, start=2):
            assert stacks.run(each["M3"]) == number
        assert list(pool.map(stacks.delete, created)) == ["DELETE_COMPLETE"] * 2
    assert not any(stacks.exists(arn) for each in physical for arn in each.values())


def test_a_deletion_waits_until_the_creation_is_done(stacks: Stacks) -> None:
    names = [fresh(), fresh()]
    created = stacks.begin(
        {
            "First": resource(ACTIVITY, Name=names[0]),
            "Wait": after("First", wait_condition()),
            "Last": after("Wait", resource(ACTIVITY, Name=names[1])),
        }
    )
    stacks.waiting(created)
    for _ in range(2):  # the second finds nothing to do
        stacks.formation.delete_stack(StackName=created)
    stacks.signal(created)
    eventually(
        lambda: stacks.described(created)["StackStatus"], lambda found: found == "DELETE_COMPLETE"
    )
    assert not any(stacks.exists(f"{STATES}:activity:{name}") for name in names)
    assert stacks.told(created).count(("stack", "DELETE_COMPLETE")) == 1


def test_a_stack_at_work_cannot_be_changed(stacks: Stacks) -> None:
    created = stacks.begin({"Wait": wait_condition()})
    stacks.waiting(created)
    words = f"Stack:{created} is in CREATE_IN_PROGRESS state and can not be updated."
    body = template({"Work": resource(ACTIVITY, Name=fresh())})
    for call in ("update_stack", "create_change_set"):
        more = {"ChangeSetName": "c"} if call == "create_change_set" else {}
        with pytest.raises(ClientError) as error:
            getattr(stacks.formation, call)(StackName=created, TemplateBody=body, **more)
        assert error.value.response["Error"]["Message"] == words
    stacks.signal(created)
    assert stacks.settled(created) == "CREATE_COMPLETE"


def test_a_change_set_is_not_executed_while_its_stack_is_at_work(stacks: Stacks) -> None:
    work = resource(ACTIVITY, Name=fresh())
    created = stacks.create({"Work": work})
    stacks.formation.create_change_set(
        StackName=created,
        ChangeSetName="c",
        TemplateBody=template({"Work": work, "Wait": wait_condition()}),
    )
    other = template({"Work": work, "More": resource(ACTIVITY, Name=fresh())})
    stacks.formation.create_change_set(StackName=created, ChangeSetName="d", TemplateBody=other)
    stacks.formation.execute_change_set(StackName=created, ChangeSetName="c")
    stacks.waiting(created)
    with pytest.raises(ClientError):
        stacks.formation.execute_change_set(StackName=created, ChangeSetName="d")
    stacks.signal(created)
    assert stacks.settled(created) == "UPDATE_COMPLETE"
    assert set(stacks.physical(created)) == {"Work", "Wait"}
