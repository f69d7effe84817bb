"""Tokens of e-mail subscriptions: asked for, used, and forgotten after two days.

"Confirmation tokens are valid for two days":
https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html. What nobody has confirmed by then is
deleted: https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/

Works on MiniStack's records of topics and subscriptions; ``now`` is in seconds since 1970.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any

Topic = dict[str, Any]
Subscription = dict[str, Any]

SECONDS = 48 * 60 * 60


def ask(subscription: Subscription, now: float) -> str:
    """Make a subscription wait for its owner, and return the token that he needs."""
    token = secrets.token_hex(64)
    subscription.update(asked=token, asked_at=now, confirmed=False)
    subscription["attributes"].update(
        {
            "SubscriptionArn": subscription["arn"],
            "TopicArn": subscription["topic_arn"],
            "Protocol": subscription["protocol"],
            "Endpoint": subscription["endpoint"],
            "Owner": subscription["owner"],
            "PendingConfirmation": "true",
            "ConfirmationWasAuthenticated": "false",
        }
    )
    return token


def confirm(topic: Topic, token: str, now: float) -> Subscription | None:
    """Confirm the subscription of a token, and return it; None where the token is not good.

    A token that is used again finds it done. One that was sent after an Unsubscribe brings the
    subscription back, unless its address has another by now.
    """
    found = _asked(topic["subscriptions"], token)
    if found is None:
        found = _asked(topic.get("removed", []), token)
        if found is None or now - found["asked_at"] > SECONDS or _has(topic, found):
            return None
        topic["removed"].remove(found)
        topic["subscriptions"] = [*topic["subscriptions"], found]
    elif not found["confirmed"] and now - found["asked_at"] > SECONDS:
        return None
    found["confirmed"] = True
    found["attributes"]["PendingConfirmation"] = "false"
    return found


def remove(topic: Topic, subscription: Subscription, now: float) -> str:
    """Take a subscription out of its topic; return the token that brings it back for two days."""
    topic["subscriptions"] = [one for one in topic["subscriptions"] if one is not subscription]
    removed = [one for one in topic.get("removed", []) if now - one["asked_at"] <= SECONDS]
    topic["removed"] = [*removed, subscription]
    return ask(subscription, now)


def forget(topic: Topic, now: float) -> list[Subscription]:
    """Delete what has waited for two days; return it."""
    late = [
        one
        for one in topic["subscriptions"]
        if not one["confirmed"] and now - one.get("asked_at", now) > SECONDS
    ]
    if late:
        kept = [one for one in topic["subscriptions"] if one not in late]
        topic["subscriptions"] = kept
    return late


def _asked(subscriptions: list[Subscription], token: str) -> Subscription | None:
    given = token.encode()
    matching = (
        one for one in subscriptions if hmac.compare_digest(one.get("asked", "").encode(), given)
    )
    return next(matching, None) if token else None


def _has(topic: Topic, subscription: Subscription) -> bool:
    kind = (subscription["protocol"], subscription["endpoint"])
    return any((one["protocol"], one["endpoint"]) == kind for one in topic["subscriptions"])
