"""Activities: created, described, listed and deleted as on AWS."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import stepfunctions

from helpers.localaws import pages, requests, tags
from helpers.localaws.requests import Answer, Refused, refusing

_OWNED = {"type": "AWS_OWNED_KEY"}

_create = stepfunctions._create_activity


@refusing
def create(data: dict[str, Any]) -> Answer:
    """CreateActivity: the same name again is the same activity, whatever its tags.

    "EncryptionConfiguration may not be updated."

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateActivity.html
    """
    name = requests.name(data["name"])
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:activity:{name}"
    key = data.get("encryptionConfiguration", _OWNED)
    known = stepfunctions._activities.get(arn)
    if known and known.get("encryptionConfiguration", _OWNED) != key:
        raise Refused("ActivityAlreadyExists", f"Activity Already Exists: '{arn}'")
    if known:
        return json_response({"activityArn": arn, "creationDate": known["creationDate"]})
    tags.check(data.get("tags", []))
    answer = _create(data)
    stepfunctions._activities[arn]["encryptionConfiguration"] = key
    return answer


@refusing
def describe(data: dict[str, Any]) -> Answer:
    """DescribeActivity.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeActivity.html
    """
    arn = requests.arn(data["activityArn"], "activity")
    known = stepfunctions._activities.get(arn)
    if not known:
        raise requests.missing("Activity", arn)
    return json_response({"encryptionConfiguration": _OWNED, **known})


@refusing
def listed(data: dict[str, Any]) -> Answer:
    """ListActivities.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListActivities.html
    """
    known = list(stepfunctions._activities.values())
    shown, more = pages.page(known, pages.created("activityArn"), "activities", data)
    return json_response({"activities": shown, **more})


@refusing
def delete(data: dict[str, Any]) -> Answer:
    """DeleteActivity; twice is no error.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteActivity.html
    """
    arn = requests.arn(data["activityArn"], "activity")
    for kept in (stepfunctions._activities, stepfunctions._activity_tasks, stepfunctions._tags):
        kept.pop(arn, None)
    return json_response({})
