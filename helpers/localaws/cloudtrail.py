"""CloudTrail: what IAM was asked to change, for LookupEvents and, with a trail, for EventBridge.

Neither library delivers management events. The event's members are those of
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import ministack.app
from botocore.parsers import create_parser
from ministack.core.concurrency import spawn_background
from ministack.core.iam_evaluator import CredentialResolutionError, resolve_credential
from ministack.core.responses import get_account_id, get_request_client_ip, request_scope
from ministack.core.router import extract_access_key_id
from ministack.services import cloudtrail, eventbridge, iam
from moto.core.model import OperationModel
from moto.core.parse import QueryParser
from moto.core.utils import get_service_model

from helpers.localaws.turns import TURNS

# IAM is a global service: its events arrive in us-east-1 only.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
REGION = "us-east-1"
READ_ONLY = ("Get", "List", "Simulate", "Generate")
LARGEST_FIELD = 100 * 1024

Response = tuple[int, dict[str, str], Any]
Dispatch = Callable[..., Awaitable[Response]]


def install() -> None:
    """Watch every request that MiniStack dispatches, also those that it denies."""
    ministack.app._dispatch_service_request = _watched(ministack.app._dispatch_service_request)


def _watched(dispatch: Dispatch) -> Dispatch:
    async def watched(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, list[str]],
        request_id: str,
    ) -> Response:
        # Who asks is looked up before the call: it may delete the user or the key.
        call = _iam_call(headers, body)
        identity = _user_identity(extract_access_key_id(headers, query)) if call else None
        response = await dispatch(method, path, headers, body, query, request_id)
        if call and identity:
            origin = (headers.get("user-agent", ""), get_request_client_ip(), request_id)
            # Delivered behind the caller's back, as on AWS: CreatePolicy does not wait for it. But
            # what counts is whether a trail logs now, not by the time of the delivery.
            logged = _trail_logs(get_account_id())
            spawn_background(
                _record, call, identity, origin, response, logged, thread_name="cloudtrail"
            )
        return response

    return watched


def _iam_call(headers: dict[str, str], body: bytes) -> dict[str, str] | None:
    """Return the form of a changing IAM request, or None for any other request."""
    if "/iam/aws4_request" not in headers.get("authorization", ""):
        return None
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    action = form.get("Action", "")
    return form if action and not action.startswith(READ_ONLY) else None


def _record(
    form: dict[str, str],
    identity: dict[str, Any],
    origin: tuple[str, str, str],
    response: Response,
    logged: bool,
) -> None:
    with TURNS.taken():  # many calls at once must not hold up the next one
        event = management_event(form, identity, origin, response)
        _remember(event)
        if not logged:
            return
        entry = {
            "Source": "aws.iam",
            "DetailType": "AWS API Call via CloudTrail",
            "Detail": json.dumps(event),
        }
        with request_scope(event["recipientAccountId"], REGION):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def management_event(
    form: dict[str, str],
    identity: dict[str, Any],
    origin: tuple[str, str, str],
    response: Response,
) -> dict[str, Any]:
    """Build the event of one IAM call.

    ``form`` is the request's decoded form, ``identity`` its userIdentity, ``origin`` its user
    agent, source address and request id, ``response`` what IAM answered.
    """
    status, _, body = response
    operation = get_service_model("iam").operation_model(form["Action"])
    answer = _parse_answer(operation, status, body)
    agent, address, request_id = origin
    event = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "iam.amazonaws.com",
        "eventName": form["Action"],
        "awsRegion": REGION,
        "sourceIPAddress": address,
        "userAgent": agent,
        "requestParameters": _cut(_members(_parse_form(operation, form))) or None,
        "responseElements": None,
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": get_account_id(),
        "eventCategory": "Management",
    }
    if status >= 400:
        event["errorCode"] = answer["Error"]["Code"]
        event["errorMessage"] = answer["Error"]["Message"]
    else:
        del answer["ResponseMetadata"]
        event["responseElements"] = _members(_without_secrets(answer)) or None
    return event


def _parse_form(operation: OperationModel, form: dict[str, str]) -> dict[str, Any]:
    if operation.input_shape is None:
        return {}
    return QueryParser(operation).parse({"values": form})


def _parse_answer(operation: OperationModel, status: int, body: bytes) -> dict[str, Any]:
    response = {"status_code": status, "headers": {}, "body": body}
    return create_parser("query").parse(response, operation.output_shape)


def _without_secrets(answer: dict[str, Any]) -> dict[str, Any]:
    """CloudTrail leaves a new access key's secret out."""
    answer.get("AccessKey", {}).pop("SecretAccessKey", None)
    return answer


def _members(value: Any) -> Any:
    """Write names as CloudTrail does (``policyName``) and times as it does in IAM's events."""
    if isinstance(value, dict):
        return {_member(name): _members(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_members(item) for item in value]
    if isinstance(value, datetime):
        return value.strftime("%b %-d, %Y %-I:%M:%S %p")
    return value


def _cut(parameters: dict[str, Any]) -> dict[str, Any]:
    """Leave out the parameters of a request that is larger than CloudTrail takes.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    size = len(json.dumps(parameters))
    if size <= LARGEST_FIELD:
        return parameters
    return {"reason": "requestParameters too large", "omitted": True, "originalSize": size}


def _member(name: str) -> str:
    """Lower a name's first letter: ``policyName``, and ``mFADevice`` as on AWS."""
    return re.sub(r"^[A-Z]", lambda letter: letter[0].lower(), name)


def _user_identity(access_key: str) -> dict[str, Any] | None:
    """Return the userIdentity of an access key, None for one that is nobody's."""
    account = get_account_id()
    credential = resolve_credential(access_key, account)
    if isinstance(credential, CredentialResolutionError):
        return None
    identity: dict[str, Any] = {
        "type": {"User": "IAMUser"}.get(credential.principal_type, credential.principal_type),
        "principalId": credential.principal_id,
        "arn": credential.principal_arn,
        "accountId": account,
        "accessKeyId": access_key,
    }
    if credential.principal_type == "User":
        identity["userName"] = credential.principal_name
    if credential.principal_type == "AssumedRole":
        role_name = credential.principal_arn.split("/")[-2]
        role = iam._roles.get(role_name) or {}
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role.get("RoleId", ""),
                "arn": role.get("Arn", f"arn:aws:iam::{account}:role/{role_name}"),
                "accountId": account,
                "userName": role_name,
            },
            "attributes": {"mfaAuthenticated": "false"},
        }
    return identity


def _trail_logs(account: str) -> bool:
    """Whether a trail of the account logs IAM's changes in us-east-1 now."""
    for (owner, region, name), trail in cloudtrail._trails.all_items():
        reaches = region == REGION or trail.get("IsMultiRegionTrail")
        if owner != account or not trail.get("IsLogging") or not reaches:
            continue
        selectors = cloudtrail._event_selectors.get_scoped(owner, region, name)
        for selector in selectors or cloudtrail._DEFAULT_EVENT_SELECTORS:
            changes = selector.get("ReadWriteType", "All") in ("All", "WriteOnly")
            if changes and selector.get("IncludeManagementEvents", True):
                return True
    return False


def _user_name(identity: dict[str, Any]) -> str:
    """Name the caller as LookupEvents does: a user's name, a role session's, or root."""
    if identity["type"] == "AssumedRole":
        return identity["arn"].rsplit("/", 1)[-1]
    return identity.get("userName", "root")


def _remember(event: dict[str, Any]) -> None:
    """Keep the event for LookupEvents, which needs no trail."""
    with request_scope(event["recipientAccountId"], REGION):
        cloudtrail._get_event_queue().append(
            {
                "EventId": event["eventID"],
                "EventName": event["eventName"],
                "EventSource": event["eventSource"],
                "EventTime": time.time(),
                "Username": _user_name(event["userIdentity"]),
                "AccessKeyId": event["userIdentity"]["accessKeyId"],
                "ReadOnly": "false",
                "Resources": [],
                "CloudTrailEvent": json.dumps(event),
            }
        )
