"""Topics of a stack: their default access policy is for the owner's account, not for everybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import sns
from ministack.services.cloudformation import provisioners


def install() -> None:
    """Give CloudFormation's topics the policy that CreateTopic gives."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    handlers["create"] = _owned(handlers["create"])


def _owned(create: Callable[..., Any]) -> Callable[..., Any]:
    """Add the condition that MiniStack leaves out: without it any user may publish.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """

    def owned(*arguments: Any, **named: Any) -> Any:
        created = create(*arguments, **named)
        attributes = sns._topics[created[0]]["attributes"]
        policy = json.loads(attributes["Policy"])
        for statement in policy["Statement"]:
            if statement.get("Sid") == "__default_statement_ID":
                statement["Condition"] = {"StringEquals": {"AWS:SourceOwner": get_account_id()}}
        attributes["Policy"] = json.dumps(policy)
        return created

    return owned
