"""The workbook's S3 buckets: one for the app's code and the trail's files, and one to covet."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

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
    s3 = session.client("s3")
    try:
        s3.head_bucket(Bucket=name(session))
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            raise WorkbookError(
                f"The bucket {name(session)} belongs to somebody else, or you may not use it. "
                "Nothing was uploaded."
            ) from error
        if status != 404:
            raise
        s3.create_bucket(Bucket=name(session))
    return name(session)


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


def bait(session: Session) -> str:
    """Create the empty bucket that mallory would like to delete, where it is not there yet."""
    s3, chosen = session.client("s3"), f"{PREFIX}bait-{session.account}"
    if chosen not in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=chosen)
    return chosen


def delete(session: Session) -> list[str]:
    """Empty and delete the workbook's buckets; return the names of those that were there."""
    names = [found["Name"] for found in session.client("s3").list_buckets()["Buckets"]]
    mine = [found for found in names if found.startswith(PREFIX)]
    for chosen in mine:
        _empty(session, chosen)
        session.client("s3").delete_bucket(Bucket=chosen)
    return mine


def _empty(session: Session, chosen: str) -> None:
    s3 = session.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=chosen):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=chosen, Delete={"Objects": keys})
