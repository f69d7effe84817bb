"""Roles of state machines: a role that is not there, or trusts others only, is refused at once."""

from __future__ import annotations

import re
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

from helpers.localaws.requests import Refused, read_json

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")


def check_arn(arn: str) -> None:
    """Raise Refused for what is no role's ARN, and for a role of another account."""
    if not _ROLE.fullmatch(arn):
        raise Refused("InvalidArn", f"Invalid Role Arn: '{arn}'")
    if arn.split(":")[4] != get_account_id():
        raise Refused("AccessDeniedException", "Cross-account pass role is not allowed.")


def check_trust(arn: str) -> None:
    """Raise Refused with AccessDeniedException for a role that Step Functions cannot assume.

    The words are those that AWS was seen to use; conditions of the trust policy are not looked at.
    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    https://github.com/lumigo-io/lumigo-CLI/issues/83
    """
    role = iam._roles.get(arn.rpartition("/")[2])
    if role is None or role["Arn"] != arn or not _trusts(role["AssumeRolePolicyDocument"]):
        raise Refused(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is "
            "authorized to assume the provided role.",
        )


def _trusts(document: str) -> bool:
    try:
        policy = read_json(document)
    except ValueError:
        return False
    ours = {"states.amazonaws.com", f"states.{get_region()}.amazonaws.com", "*"}
    return any(
        statement.get("Effect") == "Allow"
        and {"sts:AssumeRole", "sts:*", "*"} & set(_listed(statement.get("Action")))
        and ours & set(_services(statement.get("Principal")))
        for statement in _listed(policy.get("Statement"))
    )


def _services(principal: Any) -> list[str]:
    return _listed(principal.get("Service") if isinstance(principal, dict) else principal)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
