"""The app with the parameter Operations on: what a team needs that relies on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from helpers import approval, history, inbox, incident, policy, stack, trail
from helpers.session import Session

NAME = "policy-guard-in-earnest"
ADDED = {
    "AWS::SQS::Queue": 1,
    "AWS::SQS::QueuePolicy": 1,
    "AWS::Logs::LogGroup": 2,
    "AWS::CloudWatch::Alarm": 5,
}


@pytest.fixture
def app(empty: Session) -> Iterator[stack.App]:
    """The only app of the account: a second one would answer to the same policies."""
    trail.ensure(empty)
    app = stack.deploy(empty, name=NAME, Operations="Active")
    inbox.confirm_subscription(empty)
    yield app
    incident.clear(empty, app)
    incident.Mallory.dismiss(empty)
    stack.delete(empty, NAME)


def physical_ids(aws: Session) -> dict[str, str]:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    return {
        item["LogicalResourceId"]: item["PhysicalResourceId"]
        for page in pages.paginate(StackName=NAME)
        for item in page["StackResourceSummaries"]
    }


def test_an_incident_still_ends_quarantined(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    token = approval.token(history.events(aws.client("stepfunctions"), execution))
    assert (
        policy.versions(aws, restricted=["s3:DeleteBucket"]).in_force.document != incident.DOCUMENT
    )
    inbox.press_button(inbox.newest(aws, incident.POLICY).link("deny"))
    assert incident.wait_for_end(aws, execution)[-1]["type"] == "ExecutionSucceeded"
    logs = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{NAME}")["events"]
    assert logs, "the functions do not log into their group"
    assert not [event for event in logs if token[20:60] in event["message"]]


def test_what_is_added_is_there(aws: Session, app: stack.App) -> None:
    kinds = Counter(kind for _, _, kind in stack.resources(aws, NAME).rows)
    assert kinds.total() == 30
    assert {kind: kinds[kind] for kind in ADDED} == ADDED
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    kept = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
    assert kept[f"/aws/lambda/{NAME}"] == kept[f"/aws/vendedlogs/states/{NAME}"] == 365


def test_what_cannot_be_delivered_goes_into_the_queue(aws: Session, app: stack.App) -> None:
    ids, events, sqs = physical_ids(aws), aws.client("events"), aws.client("sqs")
    rule = events.describe_rule(Name=ids["PolicyGuardPolicyChanged"])
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    queue = sqs.get_queue_attributes(QueueUrl=ids["DeadLetters"], AttributeNames=["All"])
    assert target["DeadLetterConfig"]["Arn"] == queue["Attributes"]["QueueArn"]
    (statement,) = json.loads(queue["Attributes"]["Policy"])["Statement"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule["Arn"]}}


def test_every_alarm_reaches_the_administrator(aws: Session, app: stack.App) -> None:
    cloudwatch = aws.client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=NAME)["MetricAlarms"]
    assert len(alarms) == 5
    for alarm in alarms:
        name = alarm["AlarmName"]
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
        assert alarm["AlarmDescription"] in inbox.newest(aws, name).text


def propose(aws: Session, kind: str, operations: str) -> Counter[str]:
    """Make a change set, and count what it would do."""
    aws.client("cloudformation").create_change_set(
        StackName=NAME,
        ChangeSetName=operations,
        ChangeSetType=kind,
        TemplateBody=stack.package(aws),
        Parameters=stack.parameters(Operations=operations),
        Capabilities=stack.CAPABILITIES,
    )
    return Counter(action for action, _, _ in stack.preview(aws, operations, NAME).rows)


def test_switched_off_again_the_21_resources_are_left(aws: Session, app: stack.App) -> None:
    actions = propose(aws, "UPDATE", "Disabled")
    assert (actions["Add"], actions["Remove"]) == (0, 9)
    aws.client("cloudformation").execute_change_set(StackName=NAME, ChangeSetName="Disabled")
    stack.follow(aws, NAME)
    assert len(stack.resources(aws, NAME)) == stack.RESOURCES
    execution = incident.create(aws, app)
    approval.settle(aws, execution, allow=False)
    incident.wait_for_end(aws, execution)


@pytest.mark.parametrize(("operations", "resources"), [("Disabled", 21), ("Active", 30)])
def test_a_proposal_says_what_will_be_there(
    empty: Session, operations: str, resources: int
) -> None:
    try:
        assert propose(empty, "CREATE", operations) == {"Add": resources}
    finally:
        stack.delete(empty, NAME)
