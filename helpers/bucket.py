"""The workbook's S3 buckets: one for the app's code and the trail's files, and one to covet."""

from __future__ import annotations

import json
from functools import partial

from botocore.exceptions import ClientError

from helpers import waiting
from helpers.errors import WorkbookError
from helpers.session import Session

PREFIX = "step-functions-workbook-"


def name(session: Session) -> str:
    """Return the bucket's name, with the account's number in it: names are shared by everybody."""
    return f"{PREFIX}{session.account}-{session.region}"


def ensure(session: Session) -> str:
    """Create the bucket where it does not exist yet; return its name.

    Raises WorkbookError where somebody else has a bucket of that name.
    """
    return _ensure(session, name(session))


def _ensure(session: Session, chosen: str) -> str:
    """Create one of the buckets where it is not there; the list of all may lag, this answer not.

    A name that was deleted lately is not free at once on AWS.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
    https://github.com/aws/aws-cli/issues/2593
    """
    s3 = session.client("s3")
    try:
        s3.head_bucket(Bucket=chosen, ExpectedBucketOwner=session.account)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            raise WorkbookError(
                f"The bucket {chosen} belongs to somebody else, or you may not use it. "
                "Nothing was uploaded. In your own account, data/learner-policy.json allows it."
            ) from error
        if status != 404:
            raise
        create = partial(s3.create_bucket, Bucket=chosen)
        what = f"S3 to have deleted the bucket {chosen} of before"
        usually = "That takes minutes, an hour at most."
        waiting.insist(session, what, create, waiting.coded("OperationAborted"), usually)
    return chosen


def allow_cloudtrail(session: Session, trail_arn: str) -> None:
    """Let CloudTrail write the log files of this one trail into the bucket.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
    """
    bucket_arn = f"arn:aws:s3:::{name(session)}"
    by_cloudtrail = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceArn": trail_arn}},
    }
    may_write = {
        "StringEquals": {"aws:SourceArn": trail_arn, "s3:x-amz-acl": "bucket-owner-full-control"}
    }
    statements = [
        {**by_cloudtrail, "Action": "s3:GetBucketAcl", "Resource": bucket_arn},
        {
            **by_cloudtrail,
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/AWSLogs/{session.account}/*",
            "Condition": may_write,
        },
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    session.client("s3").put_bucket_policy(Bucket=name(session), Policy=json.dumps(policy))


def bait_name(session: Session) -> str:
    """Return the name of the bucket that mallory would like to delete."""
    return f"{PREFIX}bait-{session.account}"


def bait(session: Session) -> str:
    """Create that bucket, empty, where it is not there yet; return its name.

    Raises WorkbookError where somebody else has a bucket of that name.
    """
    return _ensure(session, bait_name(session))


def delete(session: Session) -> list[str]:
    """Empty and delete the workbook's two buckets; return the names of those that were there."""
    found = _mine(session)
    for chosen in found:
        # CloudTrail may deliver once more when its trail is gone.
        what, deleted = f"the bucket {chosen} to stay empty", partial(_delete, session, chosen)
        waiting.insist(session, what, deleted, waiting.coded("BucketNotEmpty"), patience=60)
    return found


def _delete(session: Session, chosen: str) -> None:
    s3 = session.client("s3")
    try:
        _empty(session, chosen)
        s3.delete_bucket(Bucket=chosen)
    except s3.exceptions.NoSuchBucket:
        pass  # the list of all buckets may have it for a while longer


def _mine(session: Session) -> list[str]:
    """Return those of the workbook's two buckets that this account has."""
    names = [found["Name"] for found in session.client("s3").list_buckets()["Buckets"]]
    return [chosen for chosen in (name(session), bait_name(session)) if chosen in names]


def _empty(session: Session, chosen: str) -> None:
    s3 = session.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=chosen):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=chosen, Delete={"Objects": keys})
