"""Buckets as AWS has them: a name is not free at once, and CloudTrail delivers late."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from helpers import bucket, waiting
from helpers.session import Session
from tests.unit import stubbed


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setitem(waiting.PAUSE_SECONDS, "aws", 0)
    return stubbed.session()


@pytest.fixture
def s3(aws: Session) -> Iterator[Stubber]:
    stubber = stubbed.client(aws, "s3")
    yield stubber
    stubber.assert_no_pending_responses()


def test_a_bait_that_is_only_listed_is_made_when_its_name_is_free(
    aws: Session, s3: Stubber
) -> None:
    s3.add_client_error("head_bucket", "404", http_status_code=404)
    for _ in range(2):
        s3.add_client_error("create_bucket", "OperationAborted", http_status_code=409)
    s3.add_response("create_bucket", {})
    assert bucket.bait(aws) == bucket.bait_name(aws)


def test_a_name_that_is_never_free_is_refused(
    aws: Session, s3: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(waiting.PATIENCE_SECONDS, "aws", 0)
    s3.add_client_error("head_bucket", "404", http_status_code=404)
    s3.add_client_error("create_bucket", "OperationAborted", http_status_code=409)
    with pytest.raises(ClientError, match="OperationAborted"):
        bucket.ensure(aws)


def test_a_file_that_comes_late_is_deleted_too(aws: Session, s3: Stubber) -> None:
    s3.add_response("list_buckets", {"Buckets": [{"Name": bucket.name(aws)}]})
    s3.add_response("list_objects_v2", {})
    s3.add_client_error("delete_bucket", "BucketNotEmpty", http_status_code=409)
    s3.add_response("list_objects_v2", {"Contents": [{"Key": "AWSLogs/late"}]})
    s3.add_response("delete_objects", {})
    s3.add_response("delete_bucket", {})
    assert bucket.delete(aws) == [bucket.name(aws)]


def test_a_bucket_that_is_only_listed_is_no_error(aws: Session, s3: Stubber) -> None:
    s3.add_response("list_buckets", {"Buckets": [{"Name": bucket.bait_name(aws)}]})
    s3.add_client_error("list_objects_v2", "NoSuchBucket", http_status_code=404)
    assert bucket.delete(aws) == [bucket.bait_name(aws)]
