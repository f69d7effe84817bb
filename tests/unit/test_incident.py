"""mallory's new key, which AWS takes some seconds to know: the local AWS knows it at once."""

from __future__ import annotations

import pytest
from botocore.stub import Stubber

from helpers import waiting
from helpers.errors import WorkbookError
from helpers.incident import Mallory
from helpers.session import Session
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
