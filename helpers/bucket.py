"""The one S3 bucket of the workbook: the app's code, and the trail's log files on AWS."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from helpers.session import Session


def name(session: Session) -> str:
    """Return the bucket's name: one an account, so nobody else's is ever met."""
    return f"step-functions-workbook-{session.account}-{session.region}"


def ensure(session: Session) -> str:
    """Create the bucket where it does not exist yet; return its name."""
    s3 = session.client("s3")
    try:
        s3.head_bucket(Bucket=name(session))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
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


def delete(session: Session) -> bool:
    """Empty and delete the bucket; return False where there was none."""
    s3 = session.client("s3")
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name(session))
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
        return False
    for start in range(0, len(keys), 1000):
        chosen = [{"Key": key} for key in keys[start : start + 1000]]
        s3.delete_objects(Bucket=name(session), Delete={"Objects": chosen})
    s3.delete_bucket(Bucket=name(session))
    return True
