"""Management events: what CloudTrail writes of one API call.

The members are those of
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import ResponseParserError, create_parser
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import QueryParser
from moto.core.utils import get_service_model

Document = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]

# Which services' calls are recorded, by the name they are signed for. Those with a REST API
# (Lambda, S3, API Gateway) are not: their calls are told apart by their paths.
SERVICES = {
    "cloudtrail": "cloudtrail",
    "iam": "iam",
    "sns": "sns",
    "states": "stepfunctions",
    "sts": "sts",
}

# Data events are not management events, and the event history has none of them.
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cloud-trail.html
# https://docs.aws.amazon.com/sns/latest/dg/logging-using-cloudtrail.html
DATA = {
    "sns": {"Publish", "PublishBatch"},
    "states": {"GetActivityTask", "StartSyncExecution"},
}

# What IAM's events leave out, Step Functions' name and hide: the definition in the example of
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cloud-trail.html. That it is so
# for every member that the service's model calls sensitive is not confirmed.
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_HIDING = ("states",)
_SECRET = ("taskToken",)  # in no model sensitive, but whoever has one may answer

# Other reads than Get, List and Describe; that AssumeRole is one is seen in published events.
_READ_ONLY = re.compile(r"(Get|List|Describe|Lookup|Simulate|Generate|Validate|Test|AssumeRole)")

_UNKNOWN = Shape("Unknown", {"type": "string"})  # a member within a member that no model has

LARGEST_FIELD = 100 * 1024  # "can be up to 100 KB"

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True)
class Call:
    """One request: the service as it is signed for, the operation, and its parameters."""

    service: str
    operation: OperationModel
    parameters: Document

    @property
    def source(self) -> str:
        """The service's name in events, such as ``iam.amazonaws.com``."""
        return f"{self.service}.amazonaws.com"

    @property
    def is_read_only(self) -> bool:
        """Whether the call changes nothing."""
        return bool(_READ_ONLY.match(self.operation.name))


def call_of(headers: dict[str, str], body: bytes) -> Call | None:
    """Return the call that a signed request is, None for one that is not recorded."""
    signed = _SCOPE.search(headers.get("authorization", ""))
    service = signed["service"] if signed else ""
    if service not in SERVICES:
        return None
    model = _model(service)
    if model.metadata["protocol"] == "query":
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        name = form.get("Action", "")
    else:
        name = headers.get("x-amz-target", "").rpartition(".")[2]
    if name not in model.operation_names or name in DATA.get(service, ()):
        return None
    operation = model.operation_model(name)
    if operation.input_shape is None:
        return Call(service, operation, {})
    if model.metadata["protocol"] == "query":
        return Call(service, operation, _form_members(operation, form))
    return Call(service, operation, _json_members(operation.input_shape, body))


def _form_members(operation: OperationModel, form: dict[str, str]) -> Document:
    """Return the members of a form; none of one that the service will refuse."""
    try:
        return QueryParser(operation).parse({"values": form})
    except ValueError:
        return {}


def _json_members(shape: StructureShape, body: bytes) -> Document:
    """Return the members of a JSON request that the operation knows, as above."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    known = document.items() if isinstance(document, dict) else ()
    return {name: value for name, value in known if name in shape.members}


@functools.cache
def _model(service: str) -> ServiceModel:
    return get_service_model(SERVICES[service])


def management_event(
    call: Call, identity: Document, origin: tuple[str, str, str, str], answer: Answer
) -> Document:
    """Build the event of one call.

    ``identity`` is its userIdentity, ``origin`` its region, user agent, source address and
    request id, ``answer`` what the service answered.
    """
    region, agent, address, request_id = origin
    elements, error = _answered(call, answer)
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": call.source,
        "eventName": call.operation.name,
        "awsRegion": region,
        "sourceIPAddress": address,
        "userAgent": agent,
        **error,
        "requestParameters": None if error.get("errorCode") == "AccessDenied" else _asked(call),
        "responseElements": elements,
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": call.is_read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": identity["accountId"],
        "eventCategory": "Management",
    }


def _asked(call: Call) -> Document | None:
    shape = call.operation.input_shape
    parameters = _shown(call.service, shape, call.parameters) if shape is not None else {}
    return _cut(parameters) or None


def _answered(call: Call, answer: Answer) -> tuple[Document | None, Document]:
    """Return responseElements, and errorCode with errorMessage where the call failed."""
    status, _, body = answer
    if status < 400 and call.is_read_only:
        return None, {}
    protocol, shape = call.operation.service_model.metadata["protocol"], call.operation.output_shape
    response = {"status_code": status, "headers": {}, "body": body}
    try:
        parsed = create_parser(protocol).parse(response, shape)
    except ResponseParserError:  # the service itself failed, and answered something else
        parsed = {"Error": {"Code": "InternalFailure", "Message": ""}}
    if status >= 400:
        error = parsed["Error"]
        return None, {
            "errorCode": _error_code(call, error["Code"]),
            "errorMessage": error["Message"],
        }
    parsed.pop("ResponseMetadata", None)
    return (_shown(call.service, shape, parsed) or None) if shape is not None else None, {}


def _error_code(call: Call, code: str) -> str:
    """Return an error's name as CloudTrail has it: the exception's, such as NoSuchEntityException.

    IAM answers NoSuchEntity; published events have NoSuchEntityException and
    LimitExceededException. A denied call is AccessDenied in every service's.
    """
    if code in ("AccessDenied", "AccessDeniedException", "AuthorizationError"):
        return "AccessDenied"
    shape = call.operation.service_model.shape_for_error_code(code)
    return shape.name if shape is not None else code


def _shown(service: str, shape: Shape, value: Any) -> Any:
    """Write names as CloudTrail does (``policyName``), times as in IAM's events, and no secrets."""
    match shape:
        case StructureShape() if isinstance(value, dict):
            shown = {}
            for name, item in value.items():
                member = shape.members.get(name, _UNKNOWN)
                secret = member.metadata.get("sensitive") or name in _SECRET
                if not secret:
                    shown[_member(name)] = _shown(service, member, item)
                elif service in _HIDING:
                    shown[_member(name)] = HIDDEN
            return shown
        case ListShape() if isinstance(value, list):
            return [_shown(service, shape.member, item) for item in value]
        case MapShape() if isinstance(value, dict):
            return {key: _shown(service, shape.value, item) for key, item in value.items()}
        case _ if isinstance(value, datetime):
            return value.strftime("%b %-d, %Y %-I:%M:%S %p")
        case _:
            return value


def _cut(parameters: Document) -> Document:
    """Leave out the parameters of a request that is larger than CloudTrail takes."""
    size = len(json.dumps(parameters)) if parameters else 0
    if size <= LARGEST_FIELD:
        return parameters
    return {"reason": "requestParameters too large", "omitted": True, "originalSize": size}


def _member(name: str) -> str:
    """Lower a name's first letter: ``policyName``, and ``mFADevice`` as on AWS."""
    return re.sub(r"^[A-Z]", lambda letter: letter[0].lower(), name)


# --- the resources that an event is about ------------------------------------------------

# Which type of resource a member names. AWS lists types and not members:
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-supported-resource-types.html
_TYPES = {
    "accessKeyId": "AWS::IAM::AccessKey",
    "groupName": "AWS::IAM::Group",
    "policyArn": "AWS::IAM::Policy",
    "policyName": "AWS::IAM::Policy",
    "roleArn": "AWS::IAM::Role",
    "roleName": "AWS::IAM::Role",
    "userName": "AWS::IAM::User",
    "activityArn": "AWS::StepFunctions::Activity",
    "stateMachineArn": "AWS::StepFunctions::StateMachine",
    "topicArn": "AWS::SNS::Topic",
    "trailARN": "AWS::CloudTrail::Trail",
    "s3BucketName": "AWS::S3::Bucket",
}
# A new thing's own ARN is called ``arn`` in IAM's answers.
_OWN = {"policy": "AWS::IAM::Policy", "role": "AWS::IAM::Role", "user": "AWS::IAM::User"}


def resources(event: Document) -> list[dict[str, str]]:
    """Return the resources that an event names, each once: a type and a name or an ARN."""
    found: dict[tuple[str, str], None] = {}
    for part in (event["requestParameters"], event["responseElements"]):
        for member, value in (part or {}).items():
            inner = value if isinstance(value, dict) else {}
            named = {member: value, **inner}
            for name, text in named.items():
                if isinstance(text, str) and name in _TYPES:
                    found[_TYPES[name], text] = None
            if member in _OWN and "arn" in inner:
                found[_OWN[member], inner["arn"]] = None
    return [{"ResourceType": kind, "ResourceName": name} for kind, name in found]
