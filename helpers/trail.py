"""The CloudTrail trail without which no IAM call ever reaches EventBridge.

"AWS API Call via CloudTrail" events need a trail that logs management events.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from helpers import bucket
from helpers.errors import DENIED, WorkbookError, explain
from helpers.session import Session

NAME = "step-functions-workbook"


def logging(session: Session) -> str | None:
    """Return the name of a trail that logs the account's changes now, None where there is none."""
    cloudtrail = session.client("cloudtrail")
    for trail in cloudtrail.describe_trails()["trailList"]:
        reaches = trail.get("HomeRegion") == session.region or trail.get("IsMultiRegionTrail")
        if not reaches or not trail.get("IncludeGlobalServiceEvents", True):
            continue
        status = cloudtrail.get_trail_status(Name=trail["TrailARN"])
        if status["IsLogging"] and _logs_changes(cloudtrail, trail["TrailARN"]):
            return trail["Name"]
    return None


def _logs_changes(cloudtrail: object, arn: str) -> bool:
    answer = cloudtrail.get_event_selectors(TrailName=arn)
    # Advanced selectors have a shape of their own: one on management events, limited to nothing
    # else, logs changes. https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    advanced = [
        selector
        for selector in answer.get("AdvancedEventSelectors", [])
        if all(
            field["Field"] == "eventCategory" and "Management" in field.get("Equals", [])
            for field in selector["FieldSelectors"]
        )
    ]
    basic = [
        selector
        for selector in answer.get("EventSelectors", [])
        if selector["IncludeManagementEvents"] and selector["ReadWriteType"] != "ReadOnly"
    ]
    return bool(advanced or basic)


def ensure(session: Session) -> str:
    """Return a trail that logs, creating the workbook's own where there is none.

    Raises WorkbookError where there is none and you may not make one.

    An account's first trail in a region delivers management events for free; the log files take
    some kilobytes of S3. https://aws.amazon.com/cloudtrail/pricing/ (seen 2026-11-22)
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
