"""Tags of state machines and activities: at most 50 each, of the characters that AWS takes.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_Tag.html
"""

from __future__ import annotations

import re
from typing import Any

from ministack.core.responses import json_response
from ministack.services import stepfunctions

from helpers.localaws import requests
from helpers.localaws.requests import Answer, Refused, refusing

# "Maximum number of tags per resource"
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
LIMIT = 50

_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def check(given: list[dict[str, str]], existing: list[dict[str, str]] | None = None) -> None:
    """Raise Refused for tags that a resource with the ``existing`` ones cannot have."""
    for tag in given:
        key, value = tag.get("key", ""), tag.get("value", "")
        if not key or key.lower().startswith("aws:"):
            raise Refused("ValidationException", f"Invalid tag key: '{key}'")
        if not _ALLOWED.fullmatch(key) or not _ALLOWED.fullmatch(value):
            raise Refused("ValidationException", f"Invalid characters in tag: '{key}'")
    keys = {tag["key"] for tag in [*given, *(existing or [])]}
    # AWS's own tags, as CloudFormation sets them, do not count.
    if len([key for key in keys if not key.startswith("aws:")]) > LIMIT:
        raise Refused("TooManyTags", f"A resource can have at most {LIMIT} tags")


@refusing
def add(data: dict[str, Any]) -> Answer:
    """TagResource: a key that is there gets the new value."""
    arn = _resource(data)
    check(data["tags"], stepfunctions._tags.get(arn, []))
    merged = {tag["key"]: tag.get("value", "") for tag in stepfunctions._tags.get(arn, [])}
    merged.update({tag["key"]: tag.get("value", "") for tag in data["tags"]})
    stepfunctions._tags[arn] = [{"key": key, "value": value} for key, value in merged.items()]
    return json_response({})


@refusing
def remove(data: dict[str, Any]) -> Answer:
    """UntagResource: a key that is not there is no error."""
    arn = _resource(data)
    kept = [tag for tag in stepfunctions._tags.get(arn, []) if tag["key"] not in data["tagKeys"]]
    stepfunctions._tags[arn] = kept
    return json_response({})


@refusing
def listed(data: dict[str, Any]) -> Answer:
    """ListTagsForResource."""
    return json_response({"tags": stepfunctions._tags.get(_resource(data), [])})


def _resource(data: dict[str, Any]) -> str:
    arn = requests.arn(data["resourceArn"], "stateMachine", "activity")
    if arn not in stepfunctions._state_machines and arn not in stepfunctions._activities:
        raise Refused("ResourceNotFound", f"Resource not found: '{arn}'")
    return arn
