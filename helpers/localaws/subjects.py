"""What a call is about: the ARN that a policy's Resource is compared with, and IAM's own keys.

MiniStack has them for most calls. Where it leaves out a path, or has none or another ARN than the
service authorization reference, a policy that is narrowed as AWS's pages say would allow nothing.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions
from ministack.services import iam

Form = dict[str, Any]


def install() -> None:
    """Put this module's functions in place of MiniStack's."""
    iam_actions.extract_resource_arn = _as_documented(iam_actions.extract_resource_arn)
    iam_actions.request_tag_context = _with_policy(iam_actions.request_tag_context)


def _as_documented(extract: Callable[..., str]) -> Callable[..., str]:
    """Wrap what finds a request's ARN; the signature is MiniStack's."""

    def extracted(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: Form,
        region: str,
        account: str,
    ) -> str:
        arn = extract(service, method, path, headers, body, query, region, account)
        here = f"{region}:{account}"
        match service:
            case "iam":
                return _of_iam(query, account) or arn
            case "events":
                return arn.replace(":rule/default/", ":rule/", 1)
            case "lambda" if method == "POST" and path.rstrip("/").endswith("/functions"):
                return f"arn:aws:lambda:{here}:function:{_member(body, 'FunctionName')}"
            case "states":
                return _of_states(headers, body, here) or arn
        return arn

    return extracted


def _of_iam(form: Form, account: str) -> str:
    """Return the ARN with the path, which only IAM knows once the thing is there.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    """
    path = _field(form, "Path") or "/"
    if _field(form, "Action") == "CreatePolicy":
        return f"arn:aws:iam::{account}:policy{path}{_field(form, 'PolicyName')}"
    for kind, member, kept in (("role", "RoleName", iam._roles), ("user", "UserName", iam._users)):
        if name := _field(form, member):
            found = kept.get(name)
            return found["Arn"] if found else f"arn:aws:iam::{account}:{kind}{path}{name}"
    return ""


def _of_states(headers: dict[str, str], body: bytes, here: str) -> str:
    """Return the ARN where MiniStack takes an activity for a machine, or knows no member for it.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html
    """
    match headers.get("x-amz-target", "").rpartition(".")[2]:
        case "CreateActivity":
            return f"arn:aws:states:{here}:activity:{_member(body, 'name')}"
        case "TagResource" | "UntagResource" | "ListTagsForResource":
            return _member(body, "resourceArn")
        case "DescribeMapRun" | "UpdateMapRun":
            return _member(body, "mapRunArn")
        case "TestState" | "ValidateStateMachineDefinition":
            return "*"
    return ""


def _with_policy(context: Callable[..., Form]) -> Callable[..., Form]:
    """Wrap what finds a request's condition keys: which policy is attached is one of IAM's.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """

    def found(service: str, action: str, body: bytes, form: Form) -> Form:
        keys = context(service, action, body, form)
        policy = _field(form, "PolicyArn")
        if service == "iam" and policy and action.endswith(("UserPolicy", "RolePolicy")):
            keys["iam:PolicyARN"] = policy
        return keys

    return found


def _field(form: Form, name: str) -> str:
    value = form.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def _member(body: bytes, name: str) -> str:
    """Return a text of a JSON request, "" where there is none: nobody has checked the request."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
