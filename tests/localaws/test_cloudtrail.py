"""CloudTrail: what is remembered of whom, how it is looked up, and when it is delivered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers import approval, bucket, incident, trail
from helpers.session import Session, connect
from tests.localaws import laboratory
from tests.localaws.laboratory import machine

Event = dict[str, Any]

LIMIT_SECONDS = 60  # only keeps a broken run from hanging
ALLOWED = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)


def _entries(aws: Session, name: str) -> list[Event]:
    """Return the entries of the events of one name, newest first."""
    lookup = [{"AttributeKey": "EventName", "AttributeValue": name}]
    return aws.client("cloudtrail").lookup_events(LookupAttributes=lookup)["Events"]


def _events(aws: Session, name: str) -> list[Event]:
    return [json.loads(entry["CloudTrailEvent"]) for entry in _entries(aws, name)]


def _refused(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


# --- events ------------------------------------------------------------------------------


def test_an_event_says_who_did_what_and_what_came_of_it(empty: Session) -> None:
    incident.Mallory.hire(empty)
    created = _events(empty, "CreateUser")[0]
    assert created["eventSource"] == "iam.amazonaws.com"
    assert created["awsRegion"] == "us-east-1"
    assert created["userIdentity"] == {
        "type": "Root",
        "principalId": empty.account,
        "arn": f"arn:aws:iam::{empty.account}:root",
        "accountId": empty.account,
        "accessKeyId": empty.boto.get_credentials().access_key,
    }
    assert created["requestParameters"] == {"path": incident.Mallory.PATH, "userName": "mallory"}
    assert created["responseElements"]["user"]["arn"].endswith(f"{incident.Mallory.PATH}mallory")
    assert (created["readOnly"], created["managementEvent"]) == (False, True)
    assert created["recipientAccountId"] == empty.account
    assert not {"errorCode", "errorMessage"} & set(created)


def test_a_new_key_s_secret_is_not_in_its_event(empty: Session) -> None:
    mallory = incident.Mallory.hire(empty)
    created = _events(empty, "CreateAccessKey")[0]
    assert created["responseElements"]["accessKey"]["accessKeyId"] == mallory.access_key
    assert mallory.secret_key not in json.dumps(created)


def test_a_password_is_not_in_its_event(empty: Session) -> None:
    iam = empty.client("iam")
    iam.create_user(UserName="console")
    iam.create_login_profile(UserName="console", Password="correct horse")
    event = _events(empty, "CreateLoginProfile")[0]
    assert event["requestParameters"] == {"userName": "console"}
    iam.delete_login_profile(UserName="console")
    iam.delete_user(UserName="console")


def test_a_user_and_his_denied_call_are_in_its_event(empty: Session) -> None:
    mallory = incident.Mallory.hire(empty)
    assert not incident.attempt(mallory.client("iam").create_user, UserName="accomplice")
    denied = _events(empty, "CreateUser")[0]
    assert denied["errorCode"] == "AccessDenied"
    assert "is not authorized to perform: iam:CreateUser" in denied["errorMessage"]
    assert denied["userIdentity"]["type"] == "IAMUser"
    assert denied["userIdentity"]["userName"] == "mallory"
    assert denied["userIdentity"]["principalId"].startswith("AIDA")
    assert denied["userIdentity"]["accessKeyId"] == mallory.access_key
    assert denied["requestParameters"] is None
    assert denied["responseElements"] is None


ARN = "arn:aws:iam::123456789012:policy/full"
# The exception's name, not the code that IAM answers.
FAILURES: list[tuple[str, dict[str, Any], str, str]] = [
    ("delete_user", {"UserName": "none"}, "NoSuchEntity", "NoSuchEntityException"),
    ("get_user", {"UserName": "none"}, "NoSuchEntity", "NoSuchEntityException"),
    ("create_user", {"UserName": "twice"}, "EntityAlreadyExists", "EntityAlreadyExistsException"),
    (
        "create_policy",
        {"PolicyName": "bad", "PolicyDocument": "{"},
        "MalformedPolicyDocument",
        "MalformedPolicyDocumentException",
    ),
    (
        "create_policy_version",
        {"PolicyArn": ARN, "PolicyDocument": ALLOWED},
        "LimitExceeded",
        "LimitExceededException",
    ),
    ("delete_user", {"UserName": "twice"}, "DeleteConflict", "DeleteConflictException"),
]


@pytest.fixture
def obstacles(empty: Session) -> Iterator[None]:
    """A user with a key, and a policy with as many versions as one may have."""
    iam = empty.client("iam")
    iam.create_user(UserName="twice")
    key = iam.create_access_key(UserName="twice")["AccessKey"]["AccessKeyId"]
    assert iam.create_policy(PolicyName="full", PolicyDocument=ALLOWED)["Policy"]["Arn"] == ARN
    for _ in range(4):
        iam.create_policy_version(PolicyArn=ARN, PolicyDocument=ALLOWED)
    yield
    iam.delete_access_key(UserName="twice", AccessKeyId=key)
    iam.delete_user(UserName="twice")
    for version in ("v2", "v3", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=ARN, VersionId=version)
    iam.delete_policy(PolicyArn=ARN)


@pytest.mark.usefixtures("obstacles")
@pytest.mark.parametrize(("operation", "arguments", "code", "name"), FAILURES)
def test_a_failed_call_is_recorded_with_the_exception_s_name(
    empty: Session, operation: str, arguments: dict[str, Any], code: str, name: str
) -> None:
    assert _refused(getattr(empty.client("iam"), operation), **arguments) == code
    event_name = "".join(word.capitalize() for word in operation.split("_"))
    event = _events(empty, event_name)[0]
    assert event["errorCode"] == name
    assert event["errorMessage"]
    assert event["requestParameters"] is not None
    assert event["responseElements"] is None


def test_the_app_s_own_calls_name_the_role_behind_the_session(aws: Session, app: Any) -> None:
    incident.create(aws, app)
    identity = _events(aws, "CreatePolicyVersion")[0]["userIdentity"]
    described = aws.client("cloudformation").describe_stack_resource(
        StackName=app.name, LogicalResourceId="RevertPolicyRole"
    )
    role = aws.client("iam").get_role(
        RoleName=described["StackResourceDetail"]["PhysicalResourceId"]
    )["Role"]
    issuer = identity["sessionContext"]["sessionIssuer"]
    assert issuer == {
        "type": "Role",
        "principalId": role["RoleId"],
        "arn": role["Arn"],
        "accountId": aws.account,
        "userName": role["RoleName"],
    }
    session = identity["arn"].rsplit("/", 1)[-1]
    assert identity["type"] == "AssumedRole"
    assert identity["principalId"] == f"{role['RoleId']}:{session}"
    assert identity["accessKeyId"].startswith("ASIA")
    began = datetime.fromisoformat(identity["sessionContext"]["attributes"]["creationDate"])
    assert began <= datetime.now(UTC)
    assert _entries(aws, "CreatePolicyVersion")[0]["Username"] == session


def test_a_request_with_a_wrong_signature_is_nobody_s(aws: Session) -> None:
    """Else anybody who knows a key's id could write a history for its owner."""
    key = aws.boto.get_credentials().access_key
    forged = aws.client_of("iam", key, "a guess")
    assert _refused(forged.create_user, UserName="forged") == "SignatureDoesNotMatch"
    parameters = [event["requestParameters"] for event in _events(aws, "CreateUser")]
    assert {"userName": "forged"} not in parameters


def test_step_functions_events_hide_what_its_model_calls_sensitive(aws: Session) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cloud-trail.html"""
    lab = laboratory.furnish(aws)
    execution = lab.start(machine(A={"Type": "Wait", "Seconds": 50, "End": True}), {"s": 1}, "seen")
    states = aws.client("stepfunctions")
    states.stop_execution(executionArn=execution, error="E", cause="a secret")
    states.describe_execution(executionArn=execution)
    arn = execution.rsplit(":", 1)[0].replace(":execution:", ":stateMachine:")
    hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

    created = _events(aws, "CreateStateMachine")[0]
    assert created["eventSource"] == "states.amazonaws.com"
    assert created["requestParameters"]["definition"] == hidden
    assert created["responseElements"]["stateMachineArn"] == arn
    datetime.strptime(created["responseElements"]["creationDate"], "%b %d, %Y %I:%M:%S %p")

    started = _events(aws, "StartExecution")[0]
    assert started["requestParameters"] == {"stateMachineArn": arn, "input": hidden}
    assert started["responseElements"]["executionArn"] == execution

    stopped = _events(aws, "StopExecution")[0]["requestParameters"]
    assert stopped == {"executionArn": execution, "error": hidden, "cause": hidden}

    described = _events(aws, "DescribeExecution")[0]
    assert described["readOnly"] is True
    assert described["requestParameters"] == {"executionArn": execution}
    assert described["responseElements"] is None

    assert _refused(states.start_execution, stateMachineArn=f"{arn}-none")
    assert _events(aws, "StartExecution")[0]["errorCode"] == "StateMachineDoesNotExist"


def test_no_event_has_a_task_token_in_it(aws: Session, app: Any) -> None:
    execution = incident.create(aws, app)
    states = aws.client("stepfunctions")
    token = approval.token(states.get_execution_history(executionArn=execution)["events"])
    states.send_task_heartbeat(taskToken=token)
    approval.settle(aws, execution, allow=False)
    incident.wait_for_end(aws, execution)
    for name in ("SendTaskHeartbeat", "SendTaskSuccess"):
        event = _events(aws, name)[0]
        assert event["requestParameters"]["taskToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_data_events_are_not_in_the_history(aws: Session) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="data")["TopicArn"]
    sns.publish(TopicArn=topic, Message="m")
    sns.delete_topic(TopicArn=topic)
    assert _events(aws, "CreateTopic")[0]["responseElements"] == {"topicArn": topic}
    assert _entries(aws, "Publish") == []


# --- looking up --------------------------------------------------------------------------


@pytest.fixture
def quiet(state: Any) -> Session:
    """An account of its own, in which nothing else happens, with five users made in it."""
    session = connect("local", account="000000000004", state=state)
    iam = session.client("iam")
    for number in range(5):
        try:
            iam.create_user(UserName=f"user-{number}")
        except iam.exceptions.EntityAlreadyExistsException:
            pass
    return session


@pytest.fixture
def lookup(quiet: Session) -> Callable[..., dict[str, Any]]:
    """LookupEvents as it is, with whatever boto3 would not send."""
    client = quiet.boto.client(
        "cloudtrail",
        endpoint_url=quiet.endpoint,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    return client.lookup_events


def _attribute(key: Any, value: Any) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def test_the_history_needs_no_trail_and_is_newest_first(
    quiet: Session, lookup: Callable[..., Any]
) -> None:
    assert quiet.client("cloudtrail").describe_trails()["trailList"] == []
    quiet.client("iam").list_users()
    times = [event["EventTime"] for event in lookup()["Events"]]
    assert times == sorted(times, reverse=True)
    assert lookup(**_attribute("EventSource", "iam.amazonaws.com"))["Events"][0]["EventName"] == (
        "ListUsers"
    )


def test_pages_are_as_long_as_asked_and_have_everything_once(
    quiet: Session, lookup: Callable[..., Any]
) -> None:
    wanted = _attribute("EventName", "CreateUser")
    whole = [event["EventId"] for event in lookup(**wanted)["Events"]]
    assert len(whole) >= 5
    pages, token = [], {}
    while True:
        page = lookup(**wanted, MaxResults=2, **token)
        pages.append([event["EventId"] for event in page["Events"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
        try:  # what happens meanwhile moves no page
            quiet.client("iam").create_user(UserName="user-0")
        except ClientError:
            pass
    assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)
    assert [event for page in pages for event in page] == whole


def test_the_default_page_has_fifty_events(quiet: Session, lookup: Callable[..., Any]) -> None:
    for _ in range(60):
        quiet.client("iam").list_users()
    assert len(lookup()["Events"]) == 50
    assert len(lookup(MaxResults=50)["Events"]) == 50
    assert len(lookup(MaxResults=1)["Events"]) == 1


def test_every_attribute_finds_its_events_and_no_others(
    quiet: Session, lookup: Callable[..., Any]
) -> None:
    iam = quiet.client("iam")
    arn = iam.create_policy(PolicyName="looked-up", PolicyDocument=ALLOWED)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOWED)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)
    newest = lookup(**_attribute("EventName", "DeletePolicy"))["Events"][0]
    for key in ("AccessKeyId", "EventId", "EventName", "EventSource", "ReadOnly", "Username"):
        found = lookup(**_attribute(key, newest[key]))["Events"]
        assert newest["EventId"] in [event["EventId"] for event in found]
        assert {event[key] for event in found} == {newest[key]}
        assert lookup(**_attribute(key, "none"))["Events"] == []
    named = lookup(**_attribute("ResourceName", arn))["Events"]
    assert {event["EventName"] for event in named} == {
        "CreatePolicy",
        "CreatePolicyVersion",
        "DeletePolicyVersion",
        "DeletePolicy",
    }
    assert lookup(**_attribute("ResourceName", "looked-up"))["Events"]
    typed = lookup(**_attribute("ResourceType", "AWS::IAM::Policy"))["Events"]
    assert {event["EventName"] for event in named} <= {event["EventName"] for event in typed}
    assert "CreateUser" not in {event["EventName"] for event in typed}


def test_resources_are_what_the_call_names(quiet: Session) -> None:
    iam = quiet.client("iam")
    arn = iam.create_policy(PolicyName="named", PolicyDocument=ALLOWED)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="user-1", PolicyArn=arn)
    iam.detach_user_policy(UserName="user-1", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    policy, user = "AWS::IAM::Policy", "AWS::IAM::User"
    assert _entries(quiet, "AttachUserPolicy")[0]["Resources"] == [
        {"ResourceType": user, "ResourceName": "user-1"},
        {"ResourceType": policy, "ResourceName": arn},
    ]
    assert _entries(quiet, "CreatePolicy")[0]["Resources"] == [
        {"ResourceType": policy, "ResourceName": "named"},
        {"ResourceType": policy, "ResourceName": arn},
    ]


def test_a_time_range_has_both_its_ends(quiet: Session, lookup: Callable[..., Any]) -> None:
    newest = lookup(**_attribute("EventName", "CreateUser"))["Events"][0]
    at, wanted = newest["EventTime"], _attribute("EventId", newest["EventId"])
    second = timedelta(seconds=1)
    assert lookup(**wanted, StartTime=at, EndTime=at)["Events"] == [newest]
    assert lookup(**wanted, StartTime=at + second)["Events"] == []
    assert lookup(**wanted, EndTime=at - second)["Events"] == []


def test_reads_do_not_push_out_what_was_changed() -> None:
    """Who looks every second would soon have nothing but his looks in the history."""
    from ministack.core.responses import request_scope

    from helpers.localaws import lookups

    def event(number: int, read_only: bool) -> Event:
        return {
            "eventID": str(number),
            "eventName": "GetUser" if read_only else "TagUser",
            "eventSource": "iam.amazonaws.com",
            "awsRegion": "us-east-1",
            "readOnly": read_only,
            "userIdentity": {"type": "Root", "accessKeyId": "key"},
            "requestParameters": None,
            "responseElements": None,
            "recipientAccountId": "000000000009",
        }

    lookups.remember(event(0, read_only=False), 0)
    for number in range(1, lookups.READS + 10):
        lookups.remember(event(number, read_only=True), number)
    lookups.remember(event(-1, read_only=False), lookups.READS + 10)
    with request_scope("000000000009", "us-east-1"):
        changes = json.loads(lookups.lookup(_attribute("EventName", "TagUser"))[2])["Events"]
        newest = json.loads(lookups.lookup({"MaxResults": 2})[2])["Events"]
    assert [each["EventId"] for each in changes] == ["-1", "0"]
    assert [each["EventId"] for each in newest] == ["-1", str(lookups.READS + 9)]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"MaxResults": 0}, "InvalidMaxResultsException"),
    ({"MaxResults": 51}, "InvalidMaxResultsException"),
    ({"MaxResults": -1}, "InvalidMaxResultsException"),
    (_attribute("Color", "red"), "InvalidLookupAttributesException"),
    (_attribute("EventName", ""), "InvalidLookupAttributesException"),
    (_attribute("EventName", "x" * 2001), "InvalidLookupAttributesException"),
    ({"LookupAttributes": [{"AttributeKey": "EventName"}]}, "InvalidLookupAttributesException"),
    (
        {"LookupAttributes": _attribute("EventName", "a")["LookupAttributes"] * 2},
        "InvalidLookupAttributesException",
    ),
    (
        {
            "StartTime": datetime(2026, 2, 1, tzinfo=UTC),
            "EndTime": datetime(2026, 1, 1, tzinfo=UTC),
        },
        "InvalidTimeRangeException",
    ),
    ({"NextToken": "made up"}, "InvalidNextTokenException"),
    ({"NextToken": "bm9uZQ=="}, "InvalidNextTokenException"),
    ({"EventCategory": "other"}, "InvalidEventCategoryException"),
]


@pytest.mark.parametrize(("arguments", "error"), BAD)
def test_a_bad_lookup_is_refused_by_name(
    lookup: Callable[..., Any], arguments: dict[str, Any], error: str
) -> None:
    assert _refused(lookup, **arguments) == error


def test_a_token_of_another_lookup_is_refused(quiet: Session, lookup: Callable[..., Any]) -> None:
    wanted = _attribute("EventName", "CreateUser")
    token = lookup(**wanted, MaxResults=2)["NextToken"]
    assert _refused(lookup, NextToken=token) == "InvalidNextTokenException"
    other = _attribute("EventName", "CreatePolicy")
    assert _refused(lookup, **other, NextToken=token) == "InvalidNextTokenException"
    assert lookup(**wanted, MaxResults=50, NextToken=token)["Events"]


def test_there_are_no_insights(lookup: Callable[..., Any]) -> None:
    assert lookup(EventCategory="insight")["Events"] == []


def test_a_call_is_in_the_history_of_its_region(quiet: Session) -> None:
    """IAM is global, and its events are in us-east-1."""
    keys = quiet.boto.get_credentials().get_frozen_credentials()
    west = boto3.session.Session(keys.access_key, keys.secret_key, region_name="eu-west-1")
    clients = {
        name: west.client(name, endpoint_url=quiet.endpoint)
        for name in ("iam", "stepfunctions", "cloudtrail")
    }
    clients["iam"].get_user(UserName="user-0")
    clients["stepfunctions"].create_activity(name="west")
    names = {event["EventName"] for event in clients["cloudtrail"].lookup_events()["Events"]}
    assert "CreateActivity" in names
    assert "GetUser" not in names
    assert _entries(quiet, "CreateActivity") == []
    assert _entries(quiet, "GetUser")


# --- trails ------------------------------------------------------------------------------


@pytest.fixture
def named(quiet: Session) -> Iterator[dict[str, str]]:
    """The name of a trail that is not there yet, and an empty bucket."""
    s3, cloudtrail = quiet.client("s3"), quiet.client("cloudtrail")
    chosen = {"Name": "tested", "S3BucketName": f"trail-{quiet.account}"}
    s3.create_bucket(Bucket=chosen["S3BucketName"])
    yield chosen
    try:
        cloudtrail.delete_trail(Name="tested")
    except cloudtrail.exceptions.TrailNotFoundException:
        pass
    s3.delete_bucket(Bucket=chosen["S3BucketName"])


def _policy(session: Session, chosen: dict[str, str], **changes: Any) -> str:
    """Write the policy that AWS gives for a trail's bucket, with some members changed.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
    """
    arn = f"arn:aws:s3:::{chosen['S3BucketName']}"
    source = f"arn:aws:cloudtrail:us-east-1:{session.account}:trail/{chosen['Name']}"
    by = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, **changes}
    acl = {"s3:x-amz-acl": "bucket-owner-full-control"}
    statements = [
        {
            "Action": "s3:GetBucketAcl",
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:SourceArn": source}},
            **by,
        },
        {
            "Action": "s3:PutObject",
            "Resource": f"{arn}/AWSLogs/{session.account}/*",
            "Condition": {"StringEquals": {"aws:SourceArn": source, **acl}},
            **by,
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_trail_needs_a_bucket_that_is_there(quiet: Session) -> None:
    create = quiet.client("cloudtrail").create_trail
    missing = {"Name": "tested", "S3BucketName": "nobody-has-this-bucket"}
    assert _refused(create, **missing) == "S3BucketDoesNotExistException"
    assert quiet.client("cloudtrail").describe_trails()["trailList"] == []


INSUFFICIENT: list[dict[str, Any]] = [
    {"Effect": "Deny"},
    {"Principal": {"Service": "s3.amazonaws.com"}},
    {"Condition": {"StringEquals": {"aws:SourceArn": "arn:aws:cloudtrail:us-east-1:1:trail/x"}}},
    {"Action": "s3:GetBucketAcl"},
    {"Action": "s3:PutObject"},
    {"Resource": "arn:aws:s3:::another"},
]


@pytest.mark.parametrize("changes", INSUFFICIENT)
def test_a_trail_needs_a_bucket_that_it_may_write_to(
    quiet: Session, named: dict[str, str], changes: dict[str, Any]
) -> None:
    cloudtrail, s3 = quiet.client("cloudtrail"), quiet.client("s3")
    insufficient = "InsufficientS3BucketPolicyException"
    assert _refused(cloudtrail.create_trail, **named) == insufficient
    s3.put_bucket_policy(Bucket=named["S3BucketName"], Policy=_policy(quiet, named, **changes))
    assert _refused(cloudtrail.create_trail, **named) == insufficient
    s3.put_bucket_policy(Bucket=named["S3BucketName"], Policy=_policy(quiet, named))
    assert _refused(cloudtrail.create_trail, **named, S3KeyPrefix="elsewhere") == insufficient
    assert cloudtrail.create_trail(**named)["Name"] == "tested"
    assert _refused(cloudtrail.update_trail, Name="tested", S3BucketName="no-such-bucket") == (
        "S3BucketDoesNotExistException"
    )
    assert _refused(cloudtrail.update_trail, Name="tested", S3KeyPrefix="elsewhere") == insufficient
    assert cloudtrail.update_trail(Name="tested", IncludeGlobalServiceEvents=False)["Name"]


# --- delivery ----------------------------------------------------------------------------


class Witness:
    """A rule that gets every event of CloudTrail, and a queue that keeps them."""

    def __init__(self, aws: Session) -> None:
        self.events, self.sqs = aws.client("events"), aws.client("sqs")
        self.queue = self.sqs.create_queue(QueueName="witness")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{aws.account}:witness"
        pattern = {"detail-type": ["AWS API Call via CloudTrail"]}
        self.events.put_rule(Name="witness", EventPattern=json.dumps(pattern))
        self.events.put_targets(Rule="witness", Targets=[{"Id": "queue", "Arn": arn}])
        self.seen: list[Event] = []

    def sees(self, name: str, words: str = "") -> Event:
        """Wait for an event of this name with these words in it; return it."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not (found := self._found(name, words)):
            assert time.monotonic() < deadline, [each["detail"]["eventName"] for each in self.seen]
            time.sleep(0.05)
        return found[-1]

    def has_seen(self, name: str, words: str = "") -> bool:
        """Whether there has been such an event so far."""
        return bool(self._found(name, words))

    def _found(self, name: str, words: str) -> list[Event]:
        while messages := self._received():
            self.seen += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                handle = message["ReceiptHandle"]
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=handle)
        named = [each for each in self.seen if each["detail"]["eventName"] == name]
        return [each for each in named if words in json.dumps(each)]

    def _received(self) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return answer.get("Messages", [])

    def close(self) -> None:
        self.events.remove_targets(Rule="witness", Ids=["queue"])
        self.events.delete_rule(Name="witness")
        self.sqs.delete_queue(QueueUrl=self.queue)


@pytest.fixture
def logged(quiet: Session) -> Iterator[Witness]:
    """A witness in an account with a trail that logs; afterwards there is none."""
    trail.ensure(quiet)
    witness = Witness(quiet)
    yield witness
    witness.close()
    trail.delete(quiet)
    bucket.delete(quiet)


Switch = Callable[[Any], Any]


def _selecting(**selectors: Any) -> Switch:
    return lambda cloudtrail: cloudtrail.put_event_selectors(TrailName=trail.NAME, **selectors)


def _basic(kind: str, management: bool = True) -> Switch:
    selector = {"ReadWriteType": kind, "IncludeManagementEvents": management}
    return _selecting(EventSelectors=[selector])


def _advanced(**fields: dict[str, list[str]]) -> Switch:
    selected = [{"Field": name, **condition} for name, condition in fields.items()]
    return _selecting(AdvancedEventSelectors=[{"Name": "n", "FieldSelectors": selected}])


def _global(included: bool) -> Switch:
    return lambda cloudtrail: cloudtrail.update_trail(
        Name=trail.NAME, IncludeGlobalServiceEvents=included
    )


MANAGEMENT = {"Equals": ["Management"]}
# What makes a trail log no changes of IAM, and what makes it log them again.
SWITCHES: dict[str, tuple[Switch, Switch]] = {
    "stopped": (
        lambda cloudtrail: cloudtrail.stop_logging(Name=trail.NAME),
        lambda cloudtrail: cloudtrail.start_logging(Name=trail.NAME),
    ),
    "reads only": (_basic("ReadOnly"), _basic("WriteOnly")),
    "no management events": (_basic("All", False), _basic("All")),
    "data events only": (
        _advanced(eventCategory={"Equals": ["Data"]}),
        _advanced(eventCategory=MANAGEMENT),
    ),
    "advanced, reads only": (
        _advanced(eventCategory=MANAGEMENT, readOnly={"Equals": ["true"]}),
        _advanced(eventCategory=MANAGEMENT, readOnly={"Equals": ["false"]}),
    ),
    "another source": (
        _advanced(eventCategory=MANAGEMENT, eventSource={"NotEquals": ["iam.amazonaws.com"]}),
        _advanced(eventCategory=MANAGEMENT, eventSource={"NotEquals": ["kms.amazonaws.com"]}),
    ),
    "no global services": (_global(False), _global(True)),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_trail_delivers_what_it_logs_now(quiet: Session, logged: Witness, switch: str) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html"""
    off, on = SWITCHES[switch]
    iam, cloudtrail = quiet.client("iam"), quiet.client("cloudtrail")
    off(cloudtrail)
    assert trail.logging(quiet) is None
    iam.tag_user(UserName="user-0", Tags=[{"Key": "unlogged", "Value": "x"}])
    on(cloudtrail)
    assert trail.logging(quiet) == trail.NAME
    iam.tag_user(UserName="user-0", Tags=[{"Key": "logged", "Value": "x"}])
    delivered = logged.sees("TagUser", '"logged"')
    assert delivered["source"] == "aws.iam"
    assert delivered["account"] == quiet.account
    assert not logged.has_seen("TagUser", "unlogged")
    shown = json.dumps(_events(quiet, "TagUser")[:2])
    assert "unlogged" in shown  # the history needs no trail


def test_without_a_trail_nothing_is_delivered(quiet: Session, logged: Witness) -> None:
    iam = quiet.client("iam")
    trail.delete(quiet)
    assert trail.logging(quiet) is None
    iam.tag_user(UserName="user-1", Tags=[{"Key": "unlogged", "Value": "x"}])
    trail.ensure(quiet)
    iam.tag_user(UserName="user-1", Tags=[{"Key": "logged", "Value": "x"}])
    logged.sees("TagUser", '"logged"')
    assert not logged.has_seen("TagUser", "unlogged")


def test_reads_are_not_delivered_and_other_services_changes_are(
    quiet: Session, logged: Witness
) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html"""
    quiet.client("iam").list_users()
    quiet.client("stepfunctions").create_activity(name="delivered")
    assert logged.sees("CreateActivity", "delivered")["source"] == "aws.states"
    assert not logged.has_seen("ListUsers")


def test_users_may_not_publish_events_of_aws(aws: Session) -> None:
    entry = {"Source": "aws.iam", "DetailType": "x", "Detail": "{}"}
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def test_an_execution_is_named_after_its_event(aws: Session, app: Any) -> None:
    execution = incident.create(aws, app)
    event = json.loads(
        aws.client("stepfunctions").describe_execution(executionArn=execution)["input"]
    )
    assert execution.rsplit(":", 1)[-1].startswith(f"{event['id']}_")
    assert event["detail-type"] == "AWS API Call via CloudTrail"
    assert event["source"] == "aws.iam"
    assert event["detail"] == _events(aws, "CreatePolicy")[0]
    made = aws.client("iam").get_policy(PolicyArn=incident.policy_arn(aws))["Policy"]
    assert event["detail"]["responseElements"]["policy"]["policyId"] == made["PolicyId"]


def test_the_app_does_not_start_itself(aws: Session, app: Any) -> None:
    states = aws.client("stepfunctions")

    def executions() -> int:
        return len(states.list_executions(stateMachineArn=app.state_machine)["executions"])

    before, witness = executions(), Witness(aws)
    execution = incident.create(aws, app)
    approval.settle(aws, execution, allow=True)
    incident.wait_for_end(aws, execution)
    # The app's own last change has come to the witness, whose rule is asked after the app's.
    by_app = _events(aws, "CreatePolicyVersion")[0]
    assert by_app["userIdentity"]["type"] == "AssumedRole"
    witness.sees("CreatePolicyVersion", by_app["eventID"])
    witness.close()
    assert executions() == before + 1
