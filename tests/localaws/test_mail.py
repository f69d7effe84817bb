"""SNS's mail: what is written, what is delivered to whom, and what its links do for anybody."""

from __future__ import annotations

import json
import mailbox
import re
import stat
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from helpers import inbox
from helpers.errors import WorkbookError
from helpers.inbox import Mail
from helpers.localaws import confirmations, letters, webpages
from helpers.localaws.postoffice import PostOffice, composed
from helpers.session import Session, connect

ME = "me@example.com"
CONFIRMATION = "AWS Notification - Subscription Confirmation"


@pytest.fixture
def sns(aws: Session) -> BaseClient:
    inbox.delete(aws)
    return aws.client("sns")


@pytest.fixture
def topic(sns: BaseClient, aws: Session) -> Iterator[str]:
    arn = sns.create_topic(Name="news")["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)
    inbox.delete(aws)


@pytest.fixture
def subscribe(sns: BaseClient, topic: str) -> Callable[..., str]:
    """Subscribe to the topic, by default with an e-mail address; return the ARN."""

    def subscribing(protocol: str = "email", endpoint: str = ME, **attributes: str) -> str:
        return sns.subscribe(
            TopicArn=topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]

    return subscribing


@pytest.fixture
def subscription(aws: Session, subscribe: Callable[..., str]) -> str:
    """A confirmed subscription, and an empty inbox."""
    arn = subscribe()
    assert inbox.confirm_subscription(aws).status == 200
    inbox.delete(aws)
    return arn


def _listed(sns: BaseClient, topic: str) -> list[str]:
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    everywhere = sns.list_subscriptions()["Subscriptions"]
    assert found == [each for each in everywhere if each["TopicArn"] == topic]
    return [each["SubscriptionArn"] for each in found]


def _attributes(sns: BaseClient, arn: str) -> dict[str, str]:
    return sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def _subjects(aws: Session) -> list[str]:
    return [mail.subject for mail in inbox.mails(aws)]


def _refused(call: Callable[..., Any], **arguments: Any) -> str:
    """Make a call that must be refused; return the error's message."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    assert refused.value.response["Error"]["Code"] == "InvalidParameter"
    return refused.value.response["Error"]["Message"]


# --- confirming --------------------------------------------------------------------------


def test_nothing_is_delivered_before_the_link_is_followed(
    aws: Session, sns: BaseClient, topic: str
) -> None:
    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ME)
    assert answer["SubscriptionArn"] == "pending confirmation"
    assert _listed(sns, topic) == ["PendingConfirmation"]
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("1", "0")
    sns.publish(TopicArn=topic, Subject="early", Message="too early")
    assert _subjects(aws) == [CONFIRMATION]

    page = inbox.confirm_subscription(aws)
    assert page.status == 200
    assert page.text.splitlines()[:3] == [
        "Subscription confirmed!",
        "You have successfully subscribed.",
        "Your subscription's id is:",
    ]
    (arn,) = _listed(sns, topic)
    assert arn in page.text
    attributes = _attributes(sns, arn)
    assert attributes["PendingConfirmation"] == "false"
    assert attributes["ConfirmationWasAuthenticated"] == "false"  # a link has no credentials
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("0", "1")

    sns.publish(TopicArn=topic, Subject="now", Message="in time")
    mail = inbox.newest(aws, "in time")
    assert (mail.subject, mail.recipient) == ("now", ME)


def test_what_a_rule_sends_has_no_subject_of_its_own(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    events = aws.client("events")
    events.put_rule(Name="tell", EventPattern='{"source": ["mine"]}')
    events.put_targets(Rule="tell", Targets=[{"Id": "topic", "Arn": topic}])
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": '{"a": 1}'}])
    mail = inbox.newest(aws, "mine")
    events.remove_targets(Rule="tell", Ids=["topic"])
    events.delete_rule(Name="tell")
    assert (mail.subject, mail.recipient) == ("AWS Notification Message", ME)


def test_a_link_that_is_followed_again_finds_it_done(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    arn = subscribe()
    for _ in range(2):
        assert inbox.confirm_subscription(aws).status == 200
    token = _token(inbox.newest(aws, "Subscription Confirmation"))
    again = sns.confirm_subscription(TopicArn=topic, Token=token)
    assert again["SubscriptionArn"] == arn
    assert _listed(sns, topic) == [arn]


def _token(mail: Mail) -> str:
    return parse_qs(urlsplit(mail.link("confirmation")).query)["Token"][0]


def test_the_confirmation_reads_as_aws_s(
    aws: Session, topic: str, subscribe: Callable[..., str]
) -> None:
    """https://docs.aws.amazon.com/cli/latest/userguide/cli-services-sns.html"""
    subscribe()
    mail = inbox.newest(aws, "Subscription Confirmation")
    assert mail.sender == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert (mail.subject, mail.recipient) == (CONFIRMATION, ME)
    first, arn, _, asked, link, _, last = mail.text.splitlines()
    assert (first, arn) == ("You have chosen to subscribe to the topic:", topic)
    assert asked == (
        "To confirm this subscription, click or visit the link below "
        "(If this was in error no action is necessary):"
    )
    pattern = rf"https://sns\.us-east-1\.amazonaws\.com/confirmation\.html\?TopicArn={topic}"
    assert re.fullmatch(rf"{pattern}&Token=[0-9a-f]{{128}}&Endpoint={ME}", link)
    assert last.startswith("Please do not reply directly to this email. If you wish to remove")


@pytest.mark.parametrize(
    "tamper",
    [
        lambda link: link.replace("Token=", "Token=0"),
        lambda link: re.sub("Token=[0-9a-f]+", "Token=", link),
        lambda link: re.sub("&Token=[0-9a-f]+", "", link),
        lambda link: link.replace("Token=", "Token=%C3%A9"),
        lambda link: link.replace(":news", ":olds"),
        lambda link: re.sub(r"TopicArn=[^&]+", "TopicArn=news", link),
        lambda link: link.split("?", maxsplit=1)[0],
        lambda link: link.replace("TopicArn=arn", "TopicArn=%FF"),
    ],
)
def test_a_link_that_was_changed_confirms_nothing(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str], tamper: Any
) -> None:
    subscribe()
    link = inbox.newest(aws, "Subscription Confirmation").link("confirmation")
    changed = tamper(link)
    assert changed != link
    page = inbox.open_link(changed)
    assert page.status == 400
    assert page.text.startswith("Nothing was confirmed")
    assert _listed(sns, topic) == ["PendingConfirmation"]
    assert _subjects(aws) == [CONFIRMATION]


def test_who_subscribes_again_is_asked_again(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    arn = subscribe()
    first = inbox.newest(aws, "Subscription Confirmation").link("confirmation")
    assert subscribe() == arn
    assert _subjects(aws) == [CONFIRMATION] * 2
    assert _listed(sns, topic) == ["PendingConfirmation"]
    assert inbox.open_link(first).status == 400  # the newest mail counts
    assert inbox.confirm_subscription(aws).status == 200
    assert subscribe() == arn
    assert _subjects(aws) == [CONFIRMATION] * 2  # there is nothing to ask any more


@pytest.mark.parametrize(
    "address", ["", "me", "@example.com", "me@", "a b@example.com", "me@example.com\nBcc: all@x"]
)
def test_what_is_no_address_cannot_be_subscribed(
    aws: Session, sns: BaseClient, topic: str, address: str
) -> None:
    wanted = {"TopicArn": topic, "Protocol": "email", "Endpoint": address}
    assert _refused(sns.subscribe, **wanted) == "Invalid parameter: Email address"
    assert inbox.mails(aws) == []


def test_a_stack_s_subscriptions_are_asked_for_too(aws: Session, sns: BaseClient) -> None:
    """Inline and as a resource of its own; the sender is nobody whom the template did not name."""
    inline = {"Subscription": [{"Protocol": "email", "Endpoint": "inline@example.com"}]}
    apart = {"TopicArn": {"Ref": "T"}, "Protocol": "email", "Endpoint": "apart@example.com"}
    template = {
        "Resources": {
            "T": {"Type": "AWS::SNS::Topic", "Properties": inline},
            "S": {"Type": "AWS::SNS::Subscription", "Properties": apart},
        },
        "Outputs": {"T": {"Value": {"Ref": "T"}}},
    }
    stacks = aws.client("cloudformation")
    stacks.create_stack(StackName="mails", TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName="mails", WaiterConfig={"Delay": 1})
    output = stacks.describe_stacks(StackName="mails")["Stacks"][0]["Outputs"][0]["OutputValue"]
    try:
        mails = inbox.mails(aws)
        asked = {mail.recipient: mail.link("confirmation") for mail in mails}
        assert set(asked) == {"inline@example.com", "apart@example.com"}
        for link in asked.values():
            assert inbox.open_link(link).status == 200
        arns = _listed(sns, output)
        assert all(_attributes(sns, arn)["Protocol"] == "email" for arn in arns)
        inbox.delete(aws)
        sns.publish(TopicArn=output, Message="both")
        assert {mail.recipient for mail in inbox.mails(aws)} == set(asked)
        senders = {mail.sender for mail in inbox.mails(aws)}
        assert senders == {"AWS Notifications <no-reply@sns.amazonaws.com>"}
    finally:
        stacks.delete_stack(StackName="mails")
        stacks.get_waiter("stack_delete_complete").wait(
            StackName="mails", WaiterConfig={"Delay": 1}
        )


# --- messages ----------------------------------------------------------------------------


def test_a_message_reads_as_aws_s(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    sns.publish(TopicArn=topic, Message="first line\n\nthird line")
    mail = inbox.newest(aws, "third line")
    assert mail.subject == "AWS Notification Message"
    assert mail.sender == "AWS Notifications <no-reply@sns.amazonaws.com>"
    link = "https://sns.us-east-1.amazonaws.com/unsubscribe.html"
    assert mail.text.splitlines() == [
        "first line",
        "",
        "third line",
        "",
        "--",
        "If you wish to stop receiving notifications from this topic, please click or visit the "
        "link below to unsubscribe:",
        f"{link}?SubscriptionArn={subscription}&Endpoint={ME}",
        "",
        "Please do not reply directly to this email. If you have any questions or comments "
        "regarding this email, please contact us at https://aws.amazon.com/support",
    ]


def test_the_topic_s_display_name_is_the_sender(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    """https://aws.amazon.com/sns/faqs/"""
    for name, shown in (
        ("Policy guard", "Policy guard <no-reply@sns.amazonaws.com>"),
        ('"Bück", <x@y>', None),
        ("a\r\nBcc: all@example.com", None),
    ):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue=name)
        inbox.delete(aws)
        sns.publish(TopicArn=topic, Message="m")
        (mail,) = _parsed(aws)
        assert [str(each.addr_spec) for each in mail["From"].addresses] == [letters.ADDRESS]
        assert mail["Bcc"] is None
        assert shown is None or str(mail["From"]) == shown


SUBJECTS = ["a" * 99, "Für Äpfel – 5 €", "1 (one)", "subject with  two spaces"]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_arrives_as_it_was(
    aws: Session, sns: BaseClient, topic: str, subscription: str, subject: str
) -> None:
    sns.publish(TopicArn=topic, Subject=subject, Message="m")
    (mail,) = _parsed(aws)
    assert mail["Subject"] == subject


@pytest.mark.parametrize("subject", ["a" * 100, "two\nlines", "two\r\nlines", "tab\there", "\x7f"])
def test_a_subject_that_sns_refuses(
    aws: Session, sns: BaseClient, topic: str, subscription: str, subject: str
) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    wanted = {"TopicArn": topic, "Subject": subject, "Message": "m"}
    assert _refused(sns.publish, **wanted) == "Invalid parameter: Subject"
    assert inbox.mails(aws) == []


def test_a_message_has_at_most_256_kib(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    assert _refused(sns.publish, TopicArn=topic, Message="é" * 131_073).startswith(
        "Invalid parameter: Message too long"
    )
    assert _refused(sns.publish, TopicArn=topic, Message="") == "Invalid parameter: Empty message"
    assert inbox.mails(aws) == []
    sns.publish(TopicArn=topic, Message="é" * 131_072)
    assert "é" * 131_072 in inbox.newest(aws).text


def test_each_protocol_gets_its_own_text(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    texts = {"default": "for all", "email": "for people", "sms": "short", "lambda": 7}
    sns.publish(TopicArn=topic, Message=json.dumps(texts), MessageStructure="json")
    assert inbox.newest(aws).text.startswith("for people\n")
    sns.publish(TopicArn=topic, Message='{"default": "for all"}', MessageStructure="json")
    assert inbox.newest(aws).text.startswith("for all\n")
    sns.publish(
        TopicArn=topic, Message='{"default": "text", "email": {"no": 1}}', MessageStructure="json"
    )
    assert inbox.newest(aws).text.startswith("text\n")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "JSON message body failed to parse"),
        ("[]", "JSON message body failed to parse"),
        ("[" * 100_000, "JSON message body failed to parse"),
        ('{"email": "for people"}', "No default entry in JSON message body"),
        ('{"default": {}}', "No default entry in JSON message body"),
    ],
)
def test_a_structure_that_sns_refuses(
    aws: Session, sns: BaseClient, topic: str, subscription: str, message: str, reason: str
) -> None:
    wanted = {"TopicArn": topic, "Message": message, "MessageStructure": "json"}
    assert _refused(sns.publish, **wanted) == f"Invalid parameter: Message Structure - {reason}"
    assert inbox.mails(aws) == []


def test_email_json_is_the_message_as_other_endpoints_get_it(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html"""
    arn = subscribe("email-json", "machine@example.com")
    assert inbox.confirm_subscription(aws).status == 200
    texts = json.dumps({"default": "for all", "email": "no", "email-json": "for 機械"})
    sent = sns.publish(
        TopicArn=topic,
        Subject="s",
        Message=texts,
        MessageStructure="json",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "test"}},
    )
    mail = inbox.newest(aws, 'Notification"')
    document = json.loads(mail.text)
    assert (mail.subject, mail.recipient) == ("s", "machine@example.com")
    assert document["Type"] == "Notification"
    assert document["MessageId"] == sent["MessageId"]
    assert (document["TopicArn"], document["Subject"]) == (topic, "s")
    assert document["Message"] == "for 機械"
    assert document["MessageAttributes"] == {"kind": {"Type": "String", "Value": "test"}}
    link = document["UnsubscribeURL"]
    host = "https://sns.us-east-1.amazonaws.com"
    assert link == f"{host}/?Action=Unsubscribe&SubscriptionArn={arn}"
    with urllib.request.urlopen(aws.url(link)) as done:
        assert done.status == 200
    assert _listed(sns, topic) == []


def test_a_filter_policy_holds_for_mails_too(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html"""
    subscribe(FilterPolicy='{"kind": ["alarm"]}')
    inbox.confirm_subscription(aws)
    for kind in ("news", "alarm"):
        sns.publish(
            TopicArn=topic,
            Message=f"a message of {kind}",
            MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}},
        )
    assert [mail.text.splitlines()[0] for mail in inbox.mails(aws)[:-1]] == ["a message of alarm"]


def test_a_message_s_own_link_confirms_without_credentials(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    """The actions behind the pages: the only two of SNS that need no signature."""
    arn = subscribe()
    token = _token(inbox.newest(aws, "Subscription Confirmation"))
    ask = f"{aws.endpoint}/?Action=ConfirmSubscription&TopicArn={topic}&Token="
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(ask + "0" * 128)
    assert _listed(sns, topic) == ["PendingConfirmation"]
    with urllib.request.urlopen(ask + token) as done:
        assert arn in done.read().decode()
    assert _listed(sns, topic) == [arn]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{aws.endpoint}/?Action=ListTopics")
    assert refused.value.code in (400, 403)


# --- ending ------------------------------------------------------------------------------


def _unsubscribe_link(aws: Session, sns: BaseClient, topic: str) -> str:
    sns.publish(TopicArn=topic, Subject="with a link", Message="m")
    return inbox.newest(aws, "with a link").link("unsubscribe")


def test_after_the_link_was_followed_nothing_is_delivered(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    link = _unsubscribe_link(aws, sns, topic)
    page = inbox.open_link(link)
    assert page.status == 200
    assert page.text.startswith("Subscription removed!")
    assert subscription in page.text
    assert _listed(sns, topic) == []
    told = inbox.newest(aws)
    assert told.subject == "AWS Notification - Unsubscribe Confirmation"
    assert told.text.splitlines()[:2] == [
        "Your subscription to the topic below has been deactivated:",
        topic,
    ]
    sns.publish(TopicArn=topic, Message="too late")
    assert inbox.mails(aws)[0] == told
    again = inbox.open_link(link)
    assert (again.status, again.text.splitlines()[0]) == (400, "Subscription not removed")


def test_who_unsubscribed_by_mistake_comes_back_by_a_link(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html"""
    assert inbox.open_link(_unsubscribe_link(aws, sns, topic)).status == 200
    assert inbox.open_link(inbox.newest(aws).link("confirmation")).status == 200
    assert _listed(sns, topic) == [subscription]
    sns.publish(TopicArn=topic, Message="here again")
    assert inbox.newest(aws).text.startswith("here again")


def test_who_has_subscribed_anew_does_not_come_back_twice(
    aws: Session, sns: BaseClient, topic: str, subscription: str, subscribe: Callable[..., str]
) -> None:
    inbox.open_link(_unsubscribe_link(aws, sns, topic))
    back = inbox.newest(aws).link("confirmation")
    anew = subscribe()
    assert anew != subscription
    assert inbox.newest(aws).subject == CONFIRMATION
    assert inbox.open_link(back).status == 400
    assert _listed(sns, topic) == ["PendingConfirmation"]
    assert inbox.confirm_subscription(aws).status == 200
    assert _listed(sns, topic) == [anew]


def test_the_owner_s_own_call_needs_no_mail(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    sns.unsubscribe(SubscriptionArn=subscription)
    assert _listed(sns, topic) == []
    assert inbox.mails(aws) == []
    words = _refused(sns.unsubscribe, SubscriptionArn="PendingConfirmation")
    assert words.endswith("SubscriptionArn Reason: An ARN must have at least 6 elements, not 1")


@pytest.mark.parametrize(
    "tamper",
    [
        lambda link: link.replace(quote(ME, safe="@"), "you@example.com"),
        lambda link: link.split("&", maxsplit=1)[0],
        lambda link: re.sub(r"[0-9a-f]{12}&", "000000000000&", link),
        lambda link: re.sub(r"SubscriptionArn=[^&]+", "SubscriptionArn=x", link),
        lambda link: link.split("?", maxsplit=1)[0],
    ],
)
def test_a_link_that_was_changed_ends_nothing(
    aws: Session, sns: BaseClient, topic: str, subscription: str, tamper: Any
) -> None:
    link = _unsubscribe_link(aws, sns, topic)
    changed = tamper(link)
    assert changed != link
    page = inbox.open_link(changed)
    assert (page.status, page.text.splitlines()[0]) == (400, "Subscription not removed")
    assert _listed(sns, topic) == [subscription]


def test_a_subscription_can_be_kept_from_anybody_s_link(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html"""
    arn = subscribe()
    token = _token(inbox.newest(aws, "Subscription Confirmation"))
    sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    assert _attributes(sns, arn)["ConfirmationWasAuthenticated"] == "true"
    link = _unsubscribe_link(aws, sns, topic)
    page = inbox.open_link(link)
    assert page.status == 403
    assert page.text.startswith("Subscription not removed")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{aws.endpoint}/?Action=Unsubscribe&SubscriptionArn={arn}")
    assert refused.value.code == 403
    assert b"AuthorizationError" in refused.value.read()
    assert _listed(sns, topic) == [arn]
    sns.unsubscribe(SubscriptionArn=arn)
    assert _listed(sns, topic) == []


def test_a_queue_s_subscription_ends_by_its_owner_s_call_only(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html"""
    arn = subscribe("sqs", f"arn:aws:sqs:us-east-1:{aws.account}:any")
    for link in (
        f"{aws.endpoint}/?Action=Unsubscribe&SubscriptionArn={arn}",
        aws.url(letters.unsubscribe_link(arn, f"arn:aws:sqs:us-east-1:{aws.account}:any")),
    ):
        assert inbox.open_link(link).status >= 400
        assert _listed(sns, topic) == [arn]
    sns.unsubscribe(SubscriptionArn=arn)
    assert _listed(sns, topic) == []


def test_the_link_of_a_page_ends_the_subscription_too(
    aws: Session, sns: BaseClient, topic: str, subscribe: Callable[..., str]
) -> None:
    subscribe()
    link = inbox.newest(aws, "Subscription Confirmation").link("confirmation")
    with urllib.request.urlopen(link) as page:
        back = re.search(r"href='([^']+)'", page.read().decode())[1].replace("&amp;", "&")
    back = urllib.parse.urljoin(link, back)  # beside the page, wherever that was opened
    assert inbox.open_link(back).text.startswith("Subscription removed!")
    assert _listed(sns, topic) == []


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_links_work_for_any_account_s_topic_and_with_nobody_s_credentials(
    aws: Session, state: Path, region: str
) -> None:
    other = connect("local", account="000000000005", state=state)
    inbox.delete(aws)
    inbox.delete(other)
    sns = other.boto.client("sns", endpoint_url=other.endpoint, region_name=region)
    topic = sns.create_topic(Name="elsewhere")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ME)
    assert inbox.mails(aws) == []
    assert inbox.confirm_subscription(other).status == 200
    (arn,) = _listed(sns, topic)
    link = _unsubscribe_link(other, sns, topic)
    assert arn.split(":")[3:5] == [region, "000000000005"]
    assert inbox.open_link(link).status == 200
    assert _listed(sns, topic) == []
    assert inbox.mails(aws) == []
    with pytest.raises(WorkbookError, match="no link"):
        inbox.newest(other, "Unsubscribe").link("unsubscribe")
    sns.delete_topic(TopicArn=topic)


def test_the_pages_escape_what_they_show() -> None:
    script = "<script>alert(1)</script>'\""
    arn = f"arn:aws:sns:us-east-1:1:t:{script}"
    for page in (webpages.confirmed(arn, script), webpages.removed(arn)):
        assert b"<script>" not in page.body
        assert b"alert(1)" in page.body


# --- time --------------------------------------------------------------------------------

DAY = 24 * 60 * 60


def _topic() -> dict[str, Any]:
    subscription = {
        "arn": "arn:aws:sns:us-east-1:1:t:1",
        "topic_arn": "arn:aws:sns:us-east-1:1:t",
        "protocol": "email",
        "endpoint": ME,
        "owner": "1",
        "confirmed": True,
        "attributes": {},
    }
    return {"subscriptions": [subscription]}


def test_a_token_is_good_for_two_days() -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html"""
    topic = _topic()
    (subscription,) = topic["subscriptions"]
    token = confirmations.ask(subscription, now=0)
    assert confirmations.confirm(topic, token, now=2 * DAY + 1) is None
    assert not subscription["confirmed"]
    assert confirmations.confirm(topic, token, now=2 * DAY) is subscription
    assert confirmations.confirm(topic, token, now=9 * DAY) is subscription  # it is done


def test_what_nobody_confirms_is_deleted_after_two_days() -> None:
    """https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/"""
    topic = _topic()
    (subscription,) = topic["subscriptions"]
    token = confirmations.ask(subscription, now=0)
    assert confirmations.forget(topic, now=2 * DAY) == []
    assert confirmations.forget(topic, now=2 * DAY + 1) == [subscription]
    assert topic["subscriptions"] == []
    assert confirmations.confirm(topic, token, now=0) is None

    kept = _topic()
    token = confirmations.ask(kept["subscriptions"][0], now=0)
    confirmations.confirm(kept, token, now=1)
    assert confirmations.forget(kept, now=9 * DAY) == []


def test_a_removed_subscription_comes_back_for_two_days() -> None:
    topic = _topic()
    (subscription,) = topic["subscriptions"]
    token = confirmations.remove(topic, subscription, now=0)
    assert topic["subscriptions"] == []
    assert confirmations.confirm(topic, token, now=2 * DAY + 1) is None
    assert confirmations.confirm(topic, token, now=2 * DAY) is subscription
    assert topic["subscriptions"] == [subscription]
    assert confirmations.confirm(topic, "", now=0) is None


def test_what_cannot_come_back_any_more_is_not_kept() -> None:
    topic = _topic()
    for day in range(9):
        (subscription,) = _topic()["subscriptions"]
        confirmations.remove(topic, subscription, now=day * DAY)
    assert len(topic["removed"]) == 3


# --- the mailbox -------------------------------------------------------------------------


def _parsed(aws: Session) -> list[EmailMessage]:
    """Read the inbox as a mail program does: files of a Maildir, parsed strictly."""
    folder = Path(aws.mailbox) / aws.account
    files = sorted((folder / "new").iterdir())
    return [BytesParser(policy=policy.default).parsebytes(file.read_bytes()) for file in files]


def test_the_mailbox_is_a_maildir(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    """https://cr.yp.to/proto/maildir.html"""
    sns.publish(TopicArn=topic, Subject="s", Message="m")
    folder = Path(aws.mailbox) / aws.account
    assert {entry.name for entry in folder.iterdir()} == {"cur", "new", "tmp"}
    assert list((folder / "tmp").iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    (key,) = mailbox.Maildir(folder, create=False).keys()
    assert (folder / "new" / key).is_file()
    box = mailbox.Maildir(folder, factory=None, create=False)
    assert [message["Subject"] for message in box] == ["s"]


BODIES = {
    "ASCII": "plain",
    "a line of many letters": "x" * 5000,
    "a long line of words": "word " * 2000,
    "many languages": "Größe – 大きさ – размер – 📏",
    "a long line of them": "Größe – 大きさ 📏 " * 500,
    "lines that look like a mail's": "From here on\n.\n--\n--boundary\nSubject: no\n\tx",
    "signs of encodings": "=?utf-8?q?no?= =3D %3D &amp; <b>",
    "control characters": "a\x00b\x07c",
    "half a character": "a\ud800b",
    "ends without a line break": "x\n\n\n",
    "a long link": f"https://example.com/{'a1' * 600}?x=%2B&y=z",
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_mail_is_one_that_any_program_reads(kind: str, tmp_path: Path) -> None:
    text = BODIES[kind]
    arn = "arn:aws:sns:us-east-1:123456789012:a-rather-long-name-of-a-topic:0b0289b3-67f4-4be3"
    letter = letters.notification(arn, ME, "Ein Gruß", text, "Prüfung, und mehr")
    PostOffice(tmp_path / "post").deliver("1", ME, letter)
    (file,) = (tmp_path / "post" / "1" / "new").iterdir()
    raw = file.read_bytes()
    mail = BytesParser(policy=policy.default).parsebytes(raw)
    assert mail.defects == []
    assert all(header.defects == () for header in mail.values() if hasattr(header, "defects"))
    assert all(len(line) <= 998 for line in raw.splitlines())  # RFC 5322, 2.1.1
    assert raw.isascii()  # no server on the way has to be able to do more
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    assert (mail["Subject"], mail["To"]) == ("Ein Gruß", ME)
    assert mail["From"].addresses[0].display_name == "Prüfung, und mehr"
    assert mail["Date"].datetime is not None
    assert mail["Message-ID"]
    link = letters.unsubscribe_link(arn, ME)
    assert mail["List-Unsubscribe"] == f"<{link}>"
    content = mail.get_content()
    assert content.startswith(text.encode("utf-8", "replace").decode())
    assert link in content.splitlines()  # whole, and on a line of its own


def test_links_survive_the_inbox(
    aws: Session, sns: BaseClient, topic: str, subscription: str
) -> None:
    """However a mail is encoded, its links are whole, and open."""
    link = f"https://abcdefghij.execute-api.us-east-1.amazonaws.com/Prod/allow?token={'%2B' * 300}"
    for words in ("plain", "schöner Text " * 200):
        sns.publish(TopicArn=topic, Message=f"{words}\n{link}\n{words}")
        mail = inbox.newest(aws, "execute-api")
        assert link in mail.text
        assert mail.link("allow") == aws.url(link)
        assert mail.link("allow").endswith("%2B" * 300)
        inbox.delete(aws)


def test_an_address_may_have_every_sign_that_is_allowed(
    aws: Session, sns: BaseClient, topic: str
) -> None:
    address = "o'neil+guard&more=x%2B#1@example.com"
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    assert inbox.confirm_subscription(aws).status == 200
    sns.publish(TopicArn=topic, Subject="to you", Message="m")
    mail = inbox.newest(aws, "to you")
    assert mail.recipient == address
    assert inbox.open_link(mail.link("unsubscribe")).status == 200
    assert _listed(sns, topic) == []


def test_a_mail_is_composed_of_what_its_author_cannot_break() -> None:
    letter = letters.Letter("two\nlines\ud800", "text", "name\r\nBcc: all@example.com")
    mail = composed(ME, letter)
    assert mail["Subject"] == "two lines?"
    assert mail["Bcc"] is None
