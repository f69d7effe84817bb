"""Trails: the bucket that one needs, and which events one logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail, s3

Document = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[Document], Answer]

SERVICE = "cloudtrail.amazonaws.com"

# Their events are in us-east-1, and a trail may leave them out.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
GLOBAL = ("iam.amazonaws.com", "sts.amazonaws.com")


def install() -> None:
    """Ask for a bucket that CloudTrail can write to; MiniStack takes any name."""
    for operation in ("CreateTrail", "UpdateTrail"):
        cloudtrail._DISPATCH[operation] = _with_bucket(cloudtrail._DISPATCH[operation])


def _with_bucket(operation: Operation) -> Operation:
    """Wrap what sets a trail's bucket.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
    """

    def checked(body: Document) -> Answer:
        trail = cloudtrail._trails.get(_name(body)) or {}
        if not trail or "S3BucketName" in body or "S3KeyPrefix" in body:
            bucket = body.get("S3BucketName", trail.get("S3BucketName", ""))
            prefix = body.get("S3KeyPrefix", trail.get("S3KeyPrefix", ""))
            owner = s3._bucket_owner_account(bucket)
            if owner is None:
                message = f"S3 bucket {bucket} does not exist!"
                return cloudtrail._err("S3BucketDoesNotExistException", message)
            policy = s3._bucket_policies.get_scoped(owner, None, bucket)
            if not _may_write(policy, bucket, prefix, _name(body)):
                message = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
                return cloudtrail._err("InsufficientS3BucketPolicyException", message)
        return operation(body)

    return checked


def _name(body: Document) -> str:
    return str(body.get("Name", "")).rpartition("/")[2]


def _may_write(policy: str | None, bucket: str, prefix: str, name: str) -> bool:
    """Whether a bucket's policy lets CloudTrail read its ACL and put the account's log files there.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
    """
    account, region = get_account_id(), get_region()
    folder = f"{prefix}/AWSLogs" if prefix else "AWSLogs"
    needed = {
        "s3:GetBucketAcl": f"arn:aws:s3:::{bucket}",
        "s3:PutObject": f"arn:aws:s3:::{bucket}/{folder}/{account}/CloudTrail/{region}/log.json.gz",
    }
    context = {
        "aws:sourcearn": f"arn:aws:cloudtrail:{region}:{account}:trail/{name}",
        "aws:sourceaccount": account,
        "s3:x-amz-acl": "bucket-owner-full-control",
    }
    return all(
        evaluate_resource_policy(
            policy,
            EvalContext(
                principal_arn="*",
                principal_type="Service",
                principal_account="",
                action=action,
                resource_arn=resource,
                region=region,
                service_context=context,
            ),
            service=SERVICE,
        ).decision
        == "Allow"
        for action, resource in needed.items()
    )


def log(event: Document) -> bool:
    """Whether a trail of the event's account logs it now."""
    account, region = event["recipientAccountId"], event["awsRegion"]
    for (owner, home, name), trail in cloudtrail._trails.all_items():
        if owner != account or not trail.get("IsLogging"):
            continue
        if home != region and not trail.get("IsMultiRegionTrail"):
            continue
        if event["eventSource"] in GLOBAL and not trail.get("IncludeGlobalServiceEvents", True):
            continue
        selectors = cloudtrail._event_selectors.get_scoped(owner, home, name)
        if any(_selects(one, event) for one in selectors or cloudtrail._DEFAULT_EVENT_SELECTORS):
            return True
    return False


def _selects(selector: Document, event: Document) -> bool:
    """Whether an event selector, basic or advanced, takes a management event.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    """
    read_only = event["readOnly"]
    if "FieldSelectors" not in selector:
        wanted = ("All", "ReadOnly" if read_only else "WriteOnly")
        takes = selector.get("ReadWriteType", "All") in wanted
        return takes and selector.get("IncludeManagementEvents", True)
    facts = {
        "eventCategory": "Management",
        "readOnly": str(read_only).lower(),
        "eventSource": event["eventSource"],
        "eventName": event["eventName"],
    }
    return all(_holds(one, facts.get(one["Field"], "")) for one in selector["FieldSelectors"])


def _holds(condition: Document, value: str) -> bool:
    """Whether a value meets all operators of a field selector; within one, any text will do."""
    tests: dict[str, Callable[[str], bool]] = {
        "Equals": lambda text: value == text,
        "StartsWith": value.startswith,
        "EndsWith": value.endswith,
    }
    for name, test in tests.items():
        if condition.get(name) and not any(map(test, condition[name])):
            return False
        if condition.get(f"Not{name}") and any(map(test, condition[f"Not{name}"])):
            return False
    return True
