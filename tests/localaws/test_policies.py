"""Managed policies, their events and a stack's topics, where MiniStack alone is not like AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from botocore.client import BaseClient

from helpers import incident
from helpers.session import Session
from helpers.stack import App

DOCUMENT = json.dumps(incident.DOCUMENT)


@pytest.fixture
def iam(empty: Session) -> BaseClient:
    """IAM of an account without a guard."""
    return empty.client("iam")


@pytest.fixture
def policy(iam: BaseClient) -> Iterator[dict[str, str]]:
    """A policy, as the parameter that names it in other calls."""
    created = iam.create_policy(PolicyName="versions", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    yield {"PolicyArn": created}
    for version in iam.list_policy_versions(PolicyArn=created)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=created, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=created)


def test_another_version_is_put_in_force(iam: BaseClient, policy: dict[str, str]) -> None:
    iam.create_policy_version(**policy, PolicyDocument=DOCUMENT)
    iam.set_default_policy_version(**policy, VersionId="v2")
    versions = iam.list_policy_versions(**policy)["Versions"]
    assert {v["VersionId"]: v["IsDefaultVersion"] for v in versions} == {"v1": False, "v2": True}
    assert iam.get_policy(**policy)["Policy"]["DefaultVersionId"] == "v2"
    refused = incident.attempt(iam.set_default_policy_version, **policy, VersionId="v7")
    assert refused.error == "NoSuchEntity"


def test_who_may_not_puts_no_version_in_force(
    empty: Session, iam: BaseClient, policy: dict[str, str]
) -> None:
    mallory = incident.Mallory.hire(empty).client("iam")
    denied = incident.attempt(mallory.set_default_policy_version, **policy, VersionId="v1")
    assert denied.error == "AccessDenied"


def test_a_deleted_version_s_number_does_not_come_back(
    iam: BaseClient, policy: dict[str, str]
) -> None:
    for given in ("v2", "v3", "v4"):
        created = iam.create_policy_version(**policy, PolicyDocument=DOCUMENT)["PolicyVersion"]
        assert created["VersionId"] == given
        iam.get_policy_version(**policy, VersionId=given)
        iam.delete_policy_version(**policy, VersionId=given)


ELEMENTS = {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
EARLIER = {"no version": ELEMENTS, "the first": {"Version": "2008-10-17", **ELEMENTS}}


@pytest.mark.parametrize("document", EARLIER.values(), ids=EARLIER)
def test_the_earlier_language_is_for_inline_policies_only(
    empty: Session, iam: BaseClient, policy: dict[str, str], document: dict[str, object]
) -> None:
    text = json.dumps(document)
    refused = incident.attempt(iam.create_policy_version, **policy, PolicyDocument=text)
    assert refused.error == "MalformedPolicyDocument"
    assert [v["VersionId"] for v in iam.list_policy_versions(**policy)["Versions"]] == ["v1"]
    name = {"UserName": incident.Mallory.hire(empty).USER, "PolicyName": "inline"}
    iam.put_user_policy(**name, PolicyDocument=text)
    assert iam.get_user_policy(**name)["PolicyDocument"] == document
    iam.delete_user_policy(**name)


@pytest.mark.parametrize("version", [None, "2012-10-18", ["2008-10-17"]])
def test_a_version_that_there_is_not_is_refused_inline_too(empty: Session, version: object) -> None:
    name = {"UserName": incident.Mallory.hire(empty).USER, "PolicyName": "inline"}
    text = json.dumps({"Version": version, **ELEMENTS})
    put = empty.client("iam").put_user_policy
    refused = incident.attempt(put, **name, PolicyDocument=text)
    assert refused.error == "MalformedPolicyDocument"


def test_a_request_that_is_too_large_is_left_out_of_its_event(
    empty: Session, iam: BaseClient, policy: dict[str, str]
) -> None:
    iam.create_policy_version(**policy, PolicyDocument=DOCUMENT + " " * 110_000)
    lookup = [{"AttributeKey": "EventName", "AttributeValue": "CreatePolicyVersion"}]
    deadline, event = time.monotonic() + 10, {"requestParameters": {}}
    while "omitted" not in event["requestParameters"]:
        assert time.monotonic() < deadline, "no event without its request"
        found = empty.client("cloudtrail").lookup_events(LookupAttributes=lookup)["Events"]
        event = json.loads(found[0]["CloudTrailEvent"]) if found else event
    assert event["requestParameters"]["omitted"] is True
    assert "policyArn" not in event["requestParameters"]
    assert event["responseElements"]["policyVersion"]["versionId"] == "v2"


def test_a_topic_of_a_stack_is_not_everybody_s(aws: Session, app: App) -> None:
    mallory = incident.Mallory.hire(aws).client("sns")
    for call, arguments in (
        (mallory.publish, {"Message": "Nothing happened."}),
        (mallory.subscribe, {"Protocol": "email", "Endpoint": "mallory@example.com"}),
    ):
        refused = incident.attempt(call, TopicArn=app.topic, **arguments)
        assert refused.error == "AuthorizationError"


def test_a_path_and_a_description_come_back_as_they_were(iam: BaseClient) -> None:
    texts = {"Path": "/<b>&amp;/a&b/", "Description": "<script>alert('&')</script>"}
    created = iam.create_policy(PolicyName="odd", PolicyDocument=DOCUMENT, **texts)["Policy"]
    try:
        read = iam.get_policy(PolicyArn=created["Arn"])["Policy"]
        assert created["Arn"].endswith(f":policy{texts['Path']}odd")
        assert {name: read[name] for name in texts} == texts
    finally:
        iam.delete_policy(PolicyArn=created["Arn"])
