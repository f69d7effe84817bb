"""Activities: created, described, listed and deleted as on AWS."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import stepfunctions

from helpers.localaws import pages, requests, tags
from helpers.localaws.requests import Answer, refusing

_create = stepfunctions._create_activity


@refusing
def create(data: dict[str, Any]) -> Answer:
    """CreateActivity: the same name again is the same activity, whatever its tags.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateActivity.html
    """
    name = requests.name(data["name"])
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:activity:{name}"
    known = stepfunctions._activities.get(arn)
    if known:
        return json_response({"activityArn": arn, "creationDate": known["creationDate"]})
    tags.check(data.get("tags", []))
    return _create(data)


@refusing
def describe(data: dict[str, Any]) -> Answer:
    """DescribeActivity.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeActivity.html
    """
    arn = requests.arn(data["activityArn"], "activity")
    known = stepfunctions._activities.get(arn)
    if not known:
        raise requests.missing("Activity", arn)
    return json_response({"encryptionConfiguration": {"type": "AWS_OWNED_KEY"}, **known})


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
