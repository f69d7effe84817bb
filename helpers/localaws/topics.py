"""Topics of a stack: for the owner's account only, and with the display name they were given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import sns
from ministack.services.cloudformation import provisioners


def install() -> None:
    """Give CloudFormation's topics the policy and the display name that CreateTopic gives."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    handlers["create"] = _named(_owned(handlers["create"]), properties_at=1)
    handlers["update"] = _named(handlers["update"], properties_at=2)


def _named(handle: Callable[..., Any], *, properties_at: int) -> Callable[..., Any]:
    """Leave the display name empty where a template has none: it is the sender of each mail.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
    """

    def named(*arguments: Any, **others: Any) -> Any:
        handled = handle(*arguments, **others)
        display_name = arguments[properties_at].get("DisplayName", "")
        sns._topics[handled[0]]["attributes"]["DisplayName"] = display_name
        return handled

    return named


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
