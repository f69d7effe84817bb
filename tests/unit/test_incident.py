"""What AWS takes its time with, or does twice: new keys, and the events that start executions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from helpers import incident, waiting
from helpers.errors import WorkbookError
from helpers.incident import Mallory
from helpers.session import Session
from helpers.stack import App
from tests.unit import stubbed

KEY = {
    "UserName": "mallory",
    "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "none",
    "Status": "Active",
}
USER = {
    "UserName": "mallory",
    "Path": Mallory.PATH,
    "UserId": "AIDAIOSFODNN7EXAMPLE",
    "Arn": f"arn:aws:iam::{stubbed.ACCOUNT}:user{Mallory.PATH}mallory",
    "CreateDate": "2026-01-01",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setitem(waiting.PAUSE_SECONDS, "aws", 0)
    return stubbed.session()


@pytest.fixture
def s3(aws: Session, monkeypatch: pytest.MonkeyPatch) -> Stubber:
    """S3, which does not know the new key yet."""
    mallory, stubber = stubbed.mallory(aws)
    monkeypatch.setattr(Session, "client_of", lambda *_: mallory.client("s3"))
    stubber.add_client_error("list_buckets", "InvalidAccessKeyId")
    return stubber


def _hires(aws: Session) -> Stubber:
    """Let IAM answer to the calls of hiring; it does not know the user at once, either."""
    iam = stubbed.client(aws, "iam")
    iam.add_client_error("get_user", "NoSuchEntity")
    iam.add_response("create_user", {"User": USER})
    iam.add_client_error("get_user", "NoSuchEntity")
    iam.add_response("get_user", {"User": USER, "ResponseMetadata": {"HTTPStatusCode": 200}})
    iam.add_response("list_attached_user_policies", {"AttachedPolicies": []})
    iam.add_response("list_user_policies", {"PolicyNames": []})
    iam.add_response("list_access_keys", {"AccessKeyMetadata": []})
    iam.add_response("create_access_key", {"AccessKey": KEY})
    return iam


def test_who_is_hired_is_known_to_iam_and_her_key_to_s3(
    aws: Session, s3: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.waiter.time.sleep", lambda _: None)
    s3.add_client_error("list_buckets", "AccessDenied")
    s3.add_client_error("list_buckets", "InvalidAccessKeyId")
    for _ in range(3):
        s3.add_client_error("list_buckets", "AccessDenied")
    iam = _hires(aws)
    Mallory.hire(aws)
    iam.assert_no_pending_responses()
    s3.assert_no_pending_responses()


def test_a_key_that_s3_never_knows_is_a_sentence(
    aws: Session, s3: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.waiter.time.sleep", lambda _: None)
    monkeypatch.setattr("helpers.waiting.time.monotonic", iter([0, 100]).__next__)
    _hires(aws)
    with pytest.raises(WorkbookError, match="Run this cell again in a minute"):
        Mallory.hire(aws)


MADE = datetime(2026, 1, 1, tzinfo=UTC)
APP = App("app", f"arn:aws:states:us-east-1:{stubbed.ACCOUNT}:stateMachine:guard", "", "")


def _arn(name: str) -> str:
    return f"arn:aws:states:us-east-1:{stubbed.ACCOUNT}:execution:guard:{name}"


def _policy(aws: Session, policy_id: str) -> None:
    found = {"PolicyName": incident.POLICY, "PolicyId": policy_id, "CreateDate": MADE}
    stubbed.client(aws, "iam").add_response("get_policy", {"Policy": found})


def _listed(states: Stubber, *names: str) -> None:
    rows = [
        {
            "executionArn": _arn(name),
            "stateMachineArn": APP.state_machine,
            "name": name,
            "status": "RUNNING",
            "startDate": MADE,
        }
        for name in names
    ]
    states.add_response("list_executions", {"executions": rows})


def _described(states: Stubber, name: str, **detail: Any) -> None:
    found = {
        "executionArn": _arn(name),
        "stateMachineArn": APP.state_machine,
        "status": "RUNNING",
        "startDate": MADE,
        "input": json.dumps({"detail": detail}),
    }
    states.add_response("describe_execution", found, {"executionArn": _arn(name)})


def _creation(policy_id: str) -> dict[str, Any]:
    return {
        "eventID": f"event-{policy_id}",
        "requestParameters": {"policyName": incident.POLICY},
        "responseElements": {"policy": {"policyId": policy_id}},
    }


def test_an_event_of_an_earlier_policy_of_that_name_may_come_late(aws: Session) -> None:
    _policy(aws, "ANPAIOSFODNN7EXAMNEW")
    states = stubbed.client(aws, "stepfunctions")
    _listed(states, "late")
    _described(states, "late", **_creation("ANPAIOSFODNN7EXAMOLD"))
    _listed(states, "late", "right")
    _described(states, "late", **_creation("ANPAIOSFODNN7EXAMOLD"))
    _described(states, "right", **_creation("ANPAIOSFODNN7EXAMNEW"))
    assert incident.execution(aws, APP) == _arn("right")


def test_an_event_that_is_delivered_twice_is_no_second_change(aws: Session) -> None:
    _policy(aws, "ANPAIOSFODNN7EXAMNEW")
    states = stubbed.client(aws, "stepfunctions")
    first = _creation("ANPAIOSFODNN7EXAMNEW")
    second = {
        "eventID": "event-2",
        "requestParameters": {"policyArn": incident.policy_arn(aws)},
        "responseElements": {"policyVersion": {"versionId": "v2"}},
    }
    _described(states, "first", **first)
    _listed(states, "again", "first")
    _described(states, "again", **first)
    _listed(states, "second", "again", "first")
    _described(states, "second", **second)
    assert incident.execution(aws, APP, after=_arn("first")) == _arn("second")


def test_an_execution_that_does_not_start_is_a_sentence(
    aws: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(waiting.PATIENCE_SECONDS, "aws", 0)
    _policy(aws, "ANPAIOSFODNN7EXAMNEW")
    _listed(stubbed.client(aws, "stepfunctions"))
    with pytest.raises(WorkbookError, match=r"AWS promises no time for it.*run this cell again"):
        incident.execution(aws, APP)


def _status(states: Stubber, status: str) -> None:
    found = {"executionArn": _arn("e"), "stateMachineArn": APP.state_machine, "startDate": MADE}
    states.add_response("describe_execution", {**found, "status": status})


def _history(states: Stubber, *kinds: str) -> None:
    events = [
        {"timestamp": MADE, "type": kind, "id": number, "previousEventId": number - 1}
        for number, kind in enumerate(kinds, 1)
    ]
    states.add_response("get_execution_history", {"events": events})


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ("RUNNING", ["ExecutionStarted", "ExecutionSucceeded"]),
        ("RUNNING", ["ExecutionStarted", "ExecutionFailed"]),  # it was redriven a moment ago
        ("ABORTED", ["ExecutionStarted"]),
        ("RUNNING", []),
    ],
)
def test_an_execution_has_ended_when_status_and_history_say_so(
    aws: Session, status: str, kinds: list[str]
) -> None:
    states = stubbed.client(aws, "stepfunctions")
    _status(states, status)
    _history(states, *kinds)
    _status(states, "SUCCEEDED")
    _history(states, "ExecutionStarted", "ExecutionSucceeded")
    assert incident.wait_for_end(aws, _arn("e"))[-1]["type"] == "ExecutionSucceeded"
    states.assert_no_pending_responses()


def test_an_execution_that_ends_unasked_is_a_sentence(aws: Session) -> None:
    states = stubbed.client(aws, "stepfunctions")
    _status(states, "ABORTED")
    _history(states, "ExecutionStarted")
    _status(states, "ABORTED")
    _history(states, "ExecutionStarted", "ExecutionAborted")
    with pytest.raises(WorkbookError, match="ABORTED and did not ask for a decision"):
        incident.wait_for_question(aws, _arn("e"))


def _versions(iam: Stubber, *versions: str) -> None:
    rows = [
        {"VersionId": version, "IsDefaultVersion": version == versions[-1]} for version in versions
    ]
    iam.add_response("list_policy_versions", {"Versions": rows})


def test_a_policy_that_the_guard_still_changes_is_deleted_all_the_same(aws: Session) -> None:
    arn, iam = incident.policy_arn(aws), stubbed.client(aws, "iam")
    _versions(iam, "v1", "v2")
    iam.add_client_error("delete_policy_version", "NoSuchEntity")  # the guard was quicker
    _versions(iam, "v2")
    iam.add_client_error("delete_policy", "DeleteConflict")  # it has made another
    _versions(iam, "v2", "v3")
    iam.add_response("delete_policy_version", {}, {"PolicyArn": arn, "VersionId": "v2"})
    iam.add_response("delete_policy", {}, {"PolicyArn": arn})
    incident.delete_policy(aws, arn)
    iam.assert_no_pending_responses()


def test_a_policy_that_is_gone_is_deleted(aws: Session) -> None:
    iam = stubbed.client(aws, "iam")
    iam.add_client_error("list_policy_versions", "NoSuchEntity")
    incident.delete_policy(aws, incident.policy_arn(aws))
    iam.assert_no_pending_responses()


def test_a_policy_that_is_in_use_says_so(aws: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.waiting.time.monotonic", iter([0, 100]).__next__)
    iam = stubbed.client(aws, "iam")
    _versions(iam, "v1")
    iam.add_client_error("delete_policy", "DeleteConflict")
    with pytest.raises(iam.client.exceptions.DeleteConflictException):
        incident.delete_policy(aws, incident.policy_arn(aws))
