"""Where a state machine of a stack has its definition from, with its substitutions made."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from ministack.core.responses import new_uuid
from ministack.services import s3
from ministack.services.cloudformation.helpers import _sdk_error

from helpers.localaws.requests import read_json

# The published handler's own limit for a definition in S3.
_LARGEST = 1_048_576


class HandlerError(ValueError):
    """A resource's handler failed: the text is the reason that the resource's event shows.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
    https://github.com/CloudSnorkel/cdk-github-runners/issues/434
    """

    def __init__(self, message: str, code: str) -> None:
        """Put the message into CloudFormation's frame; ``code`` is one of its HandlerErrorCodes."""
        super().__init__(
            f'Resource handler returned message: "{message}" '
            f"(RequestToken: {new_uuid()}, HandlerErrorCode: {code})"
        )


def definition(properties: dict[str, Any]) -> str:
    """Return the definition that exactly one of three properties holds, as JSON.

    Raises HandlerError where none or several do, or where S3 does not have it.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-stepfunctions-statemachine.html
    """
    given = {"Definition", "DefinitionString", "DefinitionS3Location"} & set(properties)
    if not given:
        raise _unusable("Required key [DefinitionS3Location] or [DefinitionString] not found.")
    if len(given) > 1:
        raise _unusable(
            "Please use either [DefinitionS3Location] or [DefinitionString] but not both."
        )
    match given.pop():
        case "DefinitionString":
            found = text(properties["DefinitionString"])
        case "Definition":
            found = _json(properties["Definition"])
        case _:
            found = _stored(properties["DefinitionS3Location"])
    return _substituted(found, properties.get("DefinitionSubstitutions") or {})


def text(value: Any) -> str:
    """Return a scalar of a template as CloudFormation hands it over: as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unusable(words: str) -> HandlerError:
    return HandlerError(f"Property validation failed. {words}", "InternalFailure")


def _json(value: Any) -> str:
    # Sorted, as the published handler does it.
    return json.dumps(value, indent=2, sort_keys=True, default=str)


def _stored(location: dict[str, Any]) -> str:
    """Return a definition from S3; one in YAML becomes JSON."""
    bucket, key = text(location.get("Bucket")), text(location.get("Key"))
    if bucket not in s3._buckets:
        raise _not_found("The specified bucket does not exist")
    body = s3._get_object_data(bucket, key, version_id=location.get("Version"))
    if body is None:
        raise _not_found("The specified key does not exist.")
    if len(body) > _LARGEST:
        raise HandlerError("State Machine definition file cannot exceed 1MB.", "InvalidRequest")
    written = body.decode(errors="replace")
    try:
        read_json(written)
    except ValueError:
        return _from_yaml(written)
    return written


def _not_found(words: str) -> HandlerError:
    return HandlerError(_sdk_error(words, "S3", 404), "GeneralServiceException")


def _from_yaml(written: str) -> str:
    try:
        return json.dumps(yaml.safe_load(written), indent=2, default=str)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise HandlerError("Invalid StateMachine definition file.", "InternalFailure") from error


def _substituted(found: str, values: dict[str, Any]) -> str:
    """Put the values in place of ``${name}``, in what they bring along too.

    Raises HandlerError where that never ends.
    """
    named = {f"${{{name}}}": text(value) for name, value in values.items()}
    anywhere = re.compile("|".join(map(re.escape, named)) or r"(?!)")
    for _ in range(len(named) + 1):
        found, count = anywhere.subn(lambda match: named[match[0]], found)
        if not count:
            return found
    raise HandlerError("Internal Failure", "InternalFailure")
