"""Step Functions in a stack: every resource type, made, changed and deleted by the states API.

AWS's own handlers are public; what is checked in which order, which operations are called and
which error has which code is theirs:
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-stepfunctions
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners
from ministack.services.cloudformation.helpers import _sdk_error

from helpers.localaws import machines, requests, sources
from helpers.localaws.requests import Refused
from helpers.localaws.sources import HandlerError

Properties = dict[str, Any]
Resource = tuple[str, dict[str, str]]  # what Ref returns, and what Fn::GetAtt can

MACHINE = "AWS::StepFunctions::StateMachine"
VERSION = "AWS::StepFunctions::StateMachineVersion"
ALIAS = "AWS::StepFunctions::StateMachineAlias"
ACTIVITY = "AWS::StepFunctions::Activity"

# How CloudFormation calls the errors of the states API; others are its GeneralServiceException.
_CODES = {
    "AccessDeniedException": "AccessDenied",
    "ActivityAlreadyExists": "AlreadyExists",
    "ActivityDoesNotExist": "NotFound",
    "InvalidArn": "InvalidRequest",
    "InvalidDefinition": "InvalidRequest",
    "InvalidEncryptionConfiguration": "InvalidRequest",
    "InvalidLoggingConfiguration": "InvalidRequest",
    "InvalidName": "InvalidRequest",
    "ResourceNotFound": "NotFound",
    "StateMachineAlreadyExists": "AlreadyExists",
    "StateMachineDoesNotExist": "NotFound",
    "ThrottlingException": "Throttling",
    "ValidationException": "InvalidRequest",
}

# The tags that CloudFormation sets itself; nobody else may set one that begins with "aws:".
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
_OWN_TAG = "aws:cloudformation:"


@dataclass(frozen=True)
class Kind:
    """A resource type: its properties, as in its schema, and what is done with them.

    A property in ``replacing`` cannot be changed: the resource is replaced by a new one.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    replacing: tuple[str, ...]
    create: Callable[[str, Properties], Resource]
    update: Callable[[str, Properties, Properties], Resource] | None
    delete: str  # the operation, and below the member that names the resource
    member: str

    def check(self, logical_id: str, properties: Properties) -> None:
        """Raise ValueError for properties that are missing or that the type does not have."""
        missing = [
            f"#: required key [{key}] not found" for key in self.required if key not in properties
        ]
        known = {*self.required, *self.optional}
        extra = [
            f"#: extraneous key [{key}] is not permitted" for key in properties if key not in known
        ]
        if missing or extra:
            problems = "\n".join([*missing, *extra])
            raise ValueError(
                f"Properties validation failed for resource {logical_id} with message:\n{problems}"
            )


def install() -> None:
    """Teach CloudFormation the four resource types of Step Functions. Call once."""
    for name, kind in KINDS.items():
        provisioners._RESOURCE_HANDLERS[name] = _handlers(kind)
        provisioners._REPLACING_PROPERTIES[name] = kind.replacing
        if "Tags" in kind.optional:
            provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")


def _handlers(kind: Kind) -> dict[str, Any]:
    """Return what MiniStack calls for a resource type."""

    def create(logical_id: str, properties: Properties, _stack: str) -> Resource:
        kind.check(logical_id, properties)
        return kind.create(logical_id, properties)

    def update(
        arn: str, old: Properties, new: Properties, _stack: str, logical_id: str
    ) -> Resource:
        kind.check(logical_id, new)
        return kind.update(arn, old, new)

    def delete(arn: str, _properties: Properties) -> None:
        _call(kind.delete, **{kind.member: arn})

    handlers = {"create": create, "delete": delete}
    return (
        {**handlers, "update": update, "update_with_logical_id": True} if kind.update else handlers
    )


# --- state machines ----------------------------------------------------------------------


def _create_machine(logical_id: str, properties: Properties) -> Resource:
    name = properties.get("StateMachineName") or _generated_name(logical_id)
    settings = _settings(properties)
    arn = _arn("stateMachine", name)
    # CreateStateMachine would answer with a machine that is the same, and so take it over.
    if arn in stepfunctions._state_machines:
        raise _error("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
    kind, tags = properties.get("StateMachineType"), _tags(properties)
    _call("CreateStateMachine", name=name, type=kind, tags=tags, **settings)
    _add_own_tags(arn, properties)
    return _machine(arn)


def _update_machine(arn: str, old: Properties, new: Properties) -> Resource:
    """Change a machine in place: what runs goes on with what it was started with.

    A refused update has changed nothing. A configuration of logging or tracing that the template
    leaves out stays as it is.
    """
    _machine(arn)
    settings, before = _settings(new), stepfunctions._tags.get(arn, [])
    try:
        _retag(arn, old, new)
        _call("UpdateStateMachine", stateMachineArn=arn, **settings)
    except HandlerError:
        stepfunctions._tags[arn] = before
        raise
    return _machine(arn)


def _machine(arn: str) -> Resource:
    described = _call("DescribeStateMachine", stateMachineArn=arn)
    revision = described.get("revisionId", machines.INITIAL)
    return arn, {"Arn": arn, "Name": described["name"], "StateMachineRevisionId": revision}


def _settings(properties: Properties) -> dict[str, Any]:
    return {
        "definition": sources.definition(properties),
        "roleArn": sources.text(properties["RoleArn"]),
        "loggingConfiguration": _members(properties.get("LoggingConfiguration")),
        "tracingConfiguration": _members(properties.get("TracingConfiguration")),
        "encryptionConfiguration": _members(properties.get("EncryptionConfiguration")),
    }


# --- versions and aliases ----------------------------------------------------------------


def _create_version(_logical_id: str, properties: Properties) -> Resource:
    """Publish the machine's revision; one that is published already is refused."""
    machine = properties["StateMachineArn"]
    revision = _machine(machine)[1]["StateMachineRevisionId"]
    latest = _call("ListStateMachineVersions", stateMachineArn=machine, maxResults=1)
    for version in latest["stateMachineVersions"]:
        published = version["stateMachineVersionArn"]
        if _machine(published)[1]["StateMachineRevisionId"] == revision:
            raise HandlerError(
                f"Version {published} has the same revision already", "AlreadyExists"
            )
    answer = _call(
        "PublishStateMachineVersion",
        stateMachineArn=machine,
        revisionId=properties.get("StateMachineRevisionId"),
        description=properties.get("Description"),
    )
    arn = answer["stateMachineVersionArn"]
    return arn, {"Arn": arn}


def _create_alias(logical_id: str, properties: Properties) -> Resource:
    name = properties.get("Name") or _generated_name(logical_id)
    answer = _call("CreateStateMachineAlias", name=name, **_routing(properties))
    arn = answer["stateMachineAliasArn"]
    return arn, {"Arn": arn}


def _update_alias(arn: str, _old: Properties, new: Properties) -> Resource:
    _call("UpdateStateMachineAlias", stateMachineAliasArn=arn, **_routing(new))
    return arn, {"Arn": arn}


def _routing(properties: Properties) -> dict[str, Any]:
    """Return an alias's description and routes.

    A DeploymentPreference names one version, which gets all traffic at once: on AWS a LINEAR or
    CANARY one takes the minutes that it says.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-stepfunctions-statemachinealias-deploymentpreference.html
    """
    routes = _members(properties.get("RoutingConfiguration"))
    preference = properties.get("DeploymentPreference")
    if preference:
        routes = [
            {"stateMachineVersionArn": preference.get("StateMachineVersionArn"), "weight": 100}
        ]
    return {"description": properties.get("Description", ""), "routingConfiguration": routes}


# --- activities --------------------------------------------------------------------------


def _create_activity(_logical_id: str, properties: Properties) -> Resource:
    name = sources.text(properties["Name"])
    arn = _arn("activity", name)
    # Like a machine's; the published handler is older than this check, but the permissions that
    # the type's schema asks for by now say that it looks first.
    if arn in stepfunctions._activities:
        raise _error("ActivityAlreadyExists", f"Activity Already Exists: '{arn}'")
    encryption = _members(properties.get("EncryptionConfiguration"))
    _call("CreateActivity", name=name, tags=_tags(properties), encryptionConfiguration=encryption)
    _add_own_tags(arn, properties)
    return _activity(arn)


def _update_activity(arn: str, old: Properties, new: Properties) -> Resource:
    activity = _activity(arn)
    before = stepfunctions._tags.get(arn, [])
    try:
        _retag(arn, old, new)
    except HandlerError:
        stepfunctions._tags[arn] = before
        raise
    return activity


def _activity(arn: str) -> Resource:
    described = _call("DescribeActivity", activityArn=arn)
    return arn, {"Arn": arn, "Name": described["name"]}


# --- what they have in common ------------------------------------------------------------


def _call(operation: str, **members: Any) -> dict[str, Any]:
    """Call the states API as a client would. Raises HandlerError where it refuses."""
    given = {name: value for name, value in members.items() if value is not None}
    try:
        data = requests.request(operation, json.dumps(given).encode())
    except Refused as refused:
        raise _error(refused.code, str(refused)) from refused
    answer = getattr(stepfunctions, f"_{xform_name(operation)}")(data)
    body = requests.body(answer)
    if answer[0] != 200:
        raise _error(body["__type"], body["message"])
    return body


def _error(code: str, message: str) -> HandlerError:
    return HandlerError(
        _sdk_error(message, "Sfn", 400), _CODES.get(code, "GeneralServiceException")
    )


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:states:{get_region()}:{get_account_id()}:{kind}:{name}"


def _generated_name(logical_id: str) -> str:
    """Return a name as CloudFormation makes it: StateMachine2E01A3A5-kjdflgA8Lphs, at most 80 long.

    https://github.com/aws-amplify/amplify-hosting/issues/2597
    """
    letters = string.ascii_letters + string.digits
    return f"{logical_id[:67]}-{''.join(secrets.choice(letters) for _ in range(12))}"


_INTEGERS = {"weight", "kmsDataKeyReusePeriodSeconds"}
_BOOLEANS = {"includeExecutionData", "enabled"}


def _members(value: Any, name: str = "") -> Any:
    """Return a property as the API calls it: names begin small, scalars have their type.

    A parameter's value comes as text, whatever its type.
    """
    match value:
        case None:
            return None
        case dict():
            small = {key[:1].lower() + key[1:]: inner for key, inner in value.items()}
            return {key: _members(inner, key) for key, inner in small.items()}
        case list():
            return [_members(inner) for inner in value]
        case _ if name in _BOOLEANS:
            return provisioners._cfn_bool(value)
        case _ if name in _INTEGERS and str(value).isdigit():
            return int(value)
        case _:
            return sources.text(value)


def _tags(properties: Properties) -> list[dict[str, str]]:
    """Return the tags of template and stack, without those that CloudFormation sets itself."""
    return [
        tag for tag in _members(properties.get("Tags", [])) if not tag["key"].startswith(_OWN_TAG)
    ]


def _add_own_tags(arn: str, properties: Properties) -> None:
    own = [tag for tag in _members(properties.get("Tags", [])) if tag["key"].startswith(_OWN_TAG)]
    stepfunctions._tags[arn] = [*stepfunctions._tags.get(arn, []), *own]


def _retag(arn: str, old: Properties, new: Properties) -> None:
    """Remove the tags that the template has lost, set the others; those set elsewhere stay."""
    before, after = _tags(old), _tags(new)
    gone = {tag["key"] for tag in before} - {tag["key"] for tag in after}
    changed = [tag for tag in after if tag not in before]
    if gone:
        _call("UntagResource", resourceArn=arn, tagKeys=sorted(gone))
    if changed:
        _call("TagResource", resourceArn=arn, tags=changed)


# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_StepFunctions.html
KINDS = {
    MACHINE: Kind(
        required=("RoleArn",),
        optional=(
            "Definition",
            "DefinitionS3Location",
            "DefinitionString",
            "DefinitionSubstitutions",
            "EncryptionConfiguration",
            "LoggingConfiguration",
            "StateMachineName",
            "StateMachineType",
            "Tags",
            "TracingConfiguration",
        ),
        replacing=("StateMachineName", "StateMachineType"),
        create=_create_machine,
        update=_update_machine,
        delete="DeleteStateMachine",
        member="stateMachineArn",
    ),
    VERSION: Kind(
        required=("StateMachineArn",),
        optional=("Description", "StateMachineRevisionId"),
        replacing=("StateMachineArn", "StateMachineRevisionId", "Description"),
        create=_create_version,
        update=None,
        delete="DeleteStateMachineVersion",
        member="stateMachineVersionArn",
    ),
    ALIAS: Kind(
        required=(),
        optional=(
            "DeploymentPreference",
            "Description",
            "Name",
            "RoutingConfiguration",
            "StateMachineArn",
        ),
        replacing=("Name",),
        create=_create_alias,
        update=_update_alias,
        delete="DeleteStateMachineAlias",
        member="stateMachineAliasArn",
    ),
    ACTIVITY: Kind(
        required=("Name",),
        optional=("EncryptionConfiguration", "Tags"),
        replacing=("Name", "EncryptionConfiguration"),
        create=_create_activity,
        update=_update_activity,
        delete="DeleteActivity",
        member="activityArn",
    ),
}
