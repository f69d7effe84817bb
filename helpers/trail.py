"""The CloudTrail trail without which no IAM call ever reaches EventBridge.

"AWS API Call via CloudTrail" events need a trail that logs management events.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
"""

from __future__ import annotations

from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from helpers import bucket
from helpers.errors import DENIED, WorkbookError, explain
from helpers.session import Session

NAME = "step-functions-workbook"
# What AWS answers a member account that asks what its organization's trail selects.
# https://github.com/turbot/steampipe-plugin-aws/issues/577
NOT_OURS = {"TrailNotFoundException", "CloudTrailARNInvalidException", *DENIED}


def logging(session: Session) -> str | None:
    """Return the name of a trail that logs the account's changes now, None where there is none.

    An organization's trail is trusted to log them, where a member account may not look into it.
    """
    cloudtrail = session.client("cloudtrail")
    for trail in cloudtrail.describe_trails()["trailList"]:
        reaches = trail.get("HomeRegion") == session.region or trail.get("IsMultiRegionTrail")
        if not reaches or not trail.get("IncludeGlobalServiceEvents", True):
            continue
        status = cloudtrail.get_trail_status(Name=trail["TrailARN"])
        if status["IsLogging"] and _logs_changes(cloudtrail, trail):
            return trail["Name"]
    return None


def _logs_changes(cloudtrail: BaseClient, trail: dict[str, Any]) -> bool:
    """Tell whether a trail's selectors let changes of IAM pass: without any of its own, they do.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
    """
    if not trail.get("HasCustomEventSelectors", True):
        return True
    try:
        answer = cloudtrail.get_event_selectors(TrailName=trail["TrailARN"])
    except ClientError as error:
        if trail.get("IsOrganizationTrail") and error.response["Error"]["Code"] in NOT_OURS:
            return True
        raise
    basic = [
        selector["IncludeManagementEvents"] and selector["ReadWriteType"] != "ReadOnly"
        for selector in answer.get("EventSelectors", [])
    ]
    advanced = [
        all(map(_passes, selector["FieldSelectors"]))
        for selector in answer.get("AdvancedEventSelectors", [])
    ]
    return any(basic + advanced)


def _passes(field: dict[str, Any]) -> bool:
    """Tell whether a field of an advanced selector lets changes of IAM pass, all of them.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    """
    match field:
        case {"Field": "eventCategory", "Equals": values}:
            return "Management" in values
        case {"Field": "readOnly", "Equals": values}:
            return "false" in values
        case {"Field": "eventSource", "NotEquals": values, **others} if not others:
            return "iam.amazonaws.com" not in values
    return False


def ensure(session: Session) -> str:
    """Return a trail that logs, creating the workbook's own where there is none.

    Raises WorkbookError where there is none and you may not make one.

    An account's first trail in a region delivers management events for free; the log files take
    some kilobytes of S3. https://aws.amazon.com/cloudtrail/pricing/ (seen 2026-11-23)
    """
    found = logging(session)
    if found:
        return found
    bucket.ensure(session)
    try:
        _create(session)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        raise WorkbookError(
            "No trail logs this account's changes, so AWS would report none of them, and you may "
            f"not make one. {explain(error)}"
        ) from error
    return NAME


def _create(session: Session) -> None:
    """Create the workbook's own trail where it is not there, and let it log."""
    cloudtrail = session.client("cloudtrail")
    arn = f"arn:aws:cloudtrail:{session.region}:{session.account}:trail/{NAME}"
    bucket.allow_cloudtrail(session, arn)
    try:
        cloudtrail.create_trail(
            Name=NAME, S3BucketName=bucket.name(session), IncludeGlobalServiceEvents=True
        )
    except cloudtrail.exceptions.TrailAlreadyExistsException:
        pass  # it was stopped
    cloudtrail.start_logging(Name=NAME)


def delete(session: Session) -> bool:
    """Delete the workbook's own trail, never another; return False where there was none."""
    try:
        session.client("cloudtrail").delete_trail(Name=NAME)
    except ClientError as error:
        if error.response["Error"]["Code"] != "TrailNotFoundException":
            raise
        return False
    return True
