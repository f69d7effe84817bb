"""CloudTrail's events and SNS's mails: what is delivered, to whom, and what is not."""

from __future__ import annotations

import json
import mailbox
import time
from pathlib import Path
from typing import Any

import pytest

from helpers import approval, inbox, incident, trail
from helpers.session import Session


def _events(aws: Session, name: str, count: int = 1) -> list[dict[str, Any]]:
    """Return the newest recorded events of one name, waiting for ``count`` of them."""
    lookup = [{"AttributeKey": "EventName", "AttributeValue": name}]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = aws.client("cloudtrail").lookup_events(LookupAttributes=lookup)["Events"]
        if len(found) >= count:
            return [json.loads(event["CloudTrailEvent"]) for event in found]
        time.sleep(0.05)
    raise AssertionError(f"no event {name}")


def test_an_event_says_who_did_what_and_what_came_of_it(empty: Session) -> None:
    incident.Mallory.hire(empty)
    created = _events(empty, "CreateUser")[0]
    assert created["eventSource"] == "iam.amazonaws.com"
    assert created["awsRegion"] == "us-east-1"
    assert created["userIdentity"]["type"] == "Root"
    assert created["requestParameters"] == {"path": incident.Mallory.PATH, "userName": "mallory"}
    assert created["responseElements"]["user"]["arn"].endswith(f"{incident.Mallory.PATH}mallory")
    assert created["readOnly"] is False
    assert "errorCode" not in created


def test_a_new_key_s_secret_is_not_in_its_event(empty: Session) -> None:
    mallory = incident.Mallory.hire(empty)
    created = _events(empty, "CreateAccessKey")[0]
    assert created["responseElements"]["accessKey"]["accessKeyId"] == mallory.access_key
    assert mallory.secret_key not in json.dumps(created)


def test_a_denied_call_is_recorded_with_its_error(empty: Session) -> None:
    mallory = incident.Mallory.hire(empty)
    assert not incident.attempt(mallory.client("iam").create_user, UserName="accomplice")
    denied = next(event for event in _events(empty, "CreateUser", 2) if "errorCode" in event)
    assert denied["errorCode"] == "AccessDenied"
    assert denied["userIdentity"]["userName"] == "mallory"
    assert denied["responseElements"] is None


def test_the_app_s_own_calls_name_the_role_behind_the_session(aws: Session, app: Any) -> None:
    incident.create(aws, app)
    by_app = _events(aws, "CreatePolicyVersion")[0]
    issuer = by_app["userIdentity"]["sessionContext"]["sessionIssuer"]
    assert by_app["userIdentity"]["type"] == "AssumedRole"
    assert issuer["type"] == "Role"
    stack = aws.client("cloudformation").describe_stack_resource(
        StackName=app.name, LogicalResourceId="RevertPolicyRole"
    )
    assert issuer["userName"] == stack["StackResourceDetail"]["PhysicalResourceId"]
    assert issuer["principalId"].startswith("AROA")


def test_the_app_does_not_start_itself(aws: Session, app: Any) -> None:
    states = aws.client("stepfunctions")

    def executions() -> int:
        return len(states.list_executions(stateMachineArn=app.state_machine)["executions"])

    before = executions()
    execution = incident.create(aws, app)
    approval.settle(aws, execution, allow=True)
    incident.wait_for_end(aws, execution)
    time.sleep(0.5)  # its own CreatePolicyVersion calls have been delivered by now
    assert executions() == before + 1


def test_an_execution_is_named_after_its_event(aws: Session, app: Any) -> None:
    execution = incident.create(aws, app)
    event = json.loads(
        aws.client("stepfunctions").describe_execution(executionArn=execution)["input"]
    )
    assert execution.rsplit(":", 1)[-1].startswith(f"{event['id']}_")
    assert event["detail-type"] == "AWS API Call via CloudTrail"


def test_without_a_trail_that_logs_nothing_is_delivered(aws: Session, app: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html"""
    states = aws.client("stepfunctions")
    before = len(states.list_executions(stateMachineArn=app.state_machine)["executions"])
    aws.client("cloudtrail").stop_logging(Name=trail.NAME)
    assert trail.logging(aws) is None
    try:
        document = json.dumps(incident.DOCUMENT)
        aws.client("iam").create_policy(PolicyName=incident.POLICY, PolicyDocument=document)
        time.sleep(0.5)
        after = states.list_executions(stateMachineArn=app.state_machine)["executions"]
        assert len(after) == before
        assert incident.versions(aws).in_force.document == incident.DOCUMENT
    finally:
        aws.client("cloudtrail").start_logging(Name=trail.NAME)


def test_users_may_not_publish_events_of_aws(aws: Session) -> None:
    entry = {"Source": "aws.iam", "DetailType": "x", "Detail": "{}"}
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


@pytest.fixture
def topic(aws: Session) -> Any:
    arn = aws.client("sns").create_topic(Name="news")["TopicArn"]
    yield arn
    aws.client("sns").delete_topic(TopicArn=arn)
    inbox.delete(aws)


def test_nothing_is_delivered_before_the_link_is_followed(aws: Session, topic: str) -> None:
    sns = aws.client("sns")
    inbox.delete(aws)
    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="me@example.com")
    assert answer["SubscriptionArn"] == "pending confirmation"
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed[0]["SubscriptionArn"] == "PendingConfirmation"
    sns.publish(TopicArn=topic, Subject="early", Message="too early")
    assert [mail.subject for mail in inbox.mails(aws)] == [
        "AWS Notification - Subscription Confirmation"
    ]

    assert inbox.confirm_subscription(aws).status == 200
    assert inbox.confirm_subscription(aws).status == 200  # followed again: it is done
    sns.publish(TopicArn=topic, Subject="now", Message="in time")
    mail = inbox.newest(aws, "in time")
    assert (mail.subject, mail.recipient) == ("now", "me@example.com")

    assert inbox.open_link(mail.link("unsubscribe")).status == 200
    sns.publish(TopicArn=topic, Subject="late", Message="too late")
    assert inbox.mails(aws)[0].subject == "now"


def test_a_made_up_confirmation_confirms_nothing(aws: Session, topic: str) -> None:
    sns = aws.client("sns")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="me@example.com")
    link = inbox.newest(aws, "Subscription Confirmation").link("confirmation")
    answer = inbox.open_link(link.replace("Token=", "Token=0"))
    assert answer.status == 400
    assert "Nothing was confirmed" in answer.text
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed[0]["SubscriptionArn"] == "PendingConfirmation"


def test_the_pages_escape_what_they_show(aws: Session) -> None:
    script = "<script>alert(1)</script>"
    link = f"{aws.endpoint}/unsubscribe.html?SubscriptionArn=x&Endpoint={script}"
    assert "<script>" not in _raw(link)


def _raw(link: str) -> str:
    import urllib.request

    with urllib.request.urlopen(link.replace("<", "%3C").replace(">", "%3E")) as page:
        return page.read().decode()


def test_the_mailbox_is_a_maildir(aws: Session, topic: str) -> None:
    sns = aws.client("sns")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="me@example.com")
    box = mailbox.Maildir(Path(aws.mailbox) / aws.account, create=False)
    assert any("Confirmation" in message["Subject"] for message in box)
