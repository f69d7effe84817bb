"""E-mail subscriptions of SNS: confirmed by their link, delivered into a mailbox.

MiniStack confirms e-mail subscriptions by itself and only logs what it would send. On AWS
nothing is delivered before the owner of the address has followed the link in the first mail.
https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.confirm.html
"""

from __future__ import annotations

import html
import mailbox
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ministack.services import sns
from ministack.services.cloudformation import provisioners

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
EMAIL = ("email", "email-json")

_post: PostOffice


@dataclass(frozen=True)
class Page:
    """What a person sees after following a link in a mail."""

    status: int
    body: bytes


class PostOffice:
    """One Maildir an account, so that any mail program can read it."""

    def __init__(self, folder: Path) -> None:
        """Keep the mailboxes below ``folder``."""
        self.folder = folder
        self._lock = threading.Lock()

    def deliver(self, topic_arn: str, recipient: str, subject: str, text: str) -> None:
        """Put a plain-text mail into the mailbox of the topic's account."""
        message = EmailMessage()
        message["From"] = SENDER
        message["To"] = recipient
        message["Subject"] = subject
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(domain="sns.amazonaws.com")
        message["X-Amz-Sns-Topic-Arn"] = topic_arn
        message.set_content(text)
        account = topic_arn.split(":")[4]
        with self._lock:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mailbox.Maildir(self.folder / account).add(message)


def install(folder: Path) -> None:
    """Deliver into Maildirs below ``folder``, after confirmation only."""
    global _post
    _post = PostOffice(folder)
    sns._subscribe = _asking(_pending_answer(sns._subscribe))
    for kind in ("AWS::SNS::Topic", "AWS::SNS::Subscription"):
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers["create"] = _asking(handlers["create"])
        handlers["update"] = _asking(handlers["update"])
    sns._list_subscriptions = _hiding_pending(sns._list_subscriptions)
    sns._list_subscriptions_by_topic = _hiding_pending(sns._list_subscriptions_by_topic)
    sns._fanout = _delivering(sns._fanout)


def follow_link(path: str, query: str) -> Page:
    """Confirm or end the subscription that a mail's link names."""
    link = dict(parse_qsl(query))
    if path == "/unsubscribe.html":
        sns._unsubscribe({"SubscriptionArn": [link.get("SubscriptionArn", "")]})
        return _page(200, "Subscription removed", f"{link.get('Endpoint', '')} gets no more mail.")
    if not _confirmed(link.get("TopicArn", ""), link.get("Token", "")):
        return _page(
            400,
            "Nothing was confirmed",
            "This link is not valid (any more). The newest mail has the one that counts.",
        )
    return _page(
        200,
        "Subscription confirmed",
        f"{link.get('Endpoint', '')} now receives what is published to {link['TopicArn']}.",
    )


def _confirmed(topic_arn: str, token: str) -> bool:
    """Confirm the subscription of a token; a link that is followed again finds it done."""
    topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
    known = [found for found in topic["subscriptions"] if token and found.get("asked") == token]
    if known and not known[0]["confirmed"]:
        sns._confirm_subscription({"TopicArn": [topic_arn], "Token": [token]})
    return bool(known) and known[0]["confirmed"]


def _page(status: int, title: str, text: str) -> Page:
    title, text = html.escape(title), html.escape(text)
    return Page(
        status,
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        "<body style='font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto'>"
        f"<h1>{title}</h1><p>{text}</p>".encode(),
    )


def _asking(create: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what makes subscriptions: hold back every new e-mail one and ask its owner."""

    def asking(*arguments: Any, **named: Any) -> Any:
        result = create(*arguments, **named)
        for topic in list(sns._topics.values()):
            for subscription in topic["subscriptions"]:
                if subscription["protocol"] in EMAIL and not subscription.get("asked"):
                    _ask(topic, subscription)
        return result

    return asking


def _ask(topic: dict[str, Any], subscription: dict[str, Any]) -> None:
    token = uuid.uuid4().hex * 4
    subscription.update(asked=token, confirmed=False, token=token)
    subscription["attributes"]["PendingConfirmation"] = "true"
    sns._refresh_subscription_counts(topic)
    link = _link(
        topic["arn"],
        "confirmation",
        TopicArn=topic["arn"],
        Token=subscription["token"],
        Endpoint=subscription["endpoint"],
    )
    _post.deliver(
        topic["arn"],
        subscription["endpoint"],
        "AWS Notification - Subscription Confirmation",
        f"This address was subscribed to the topic\n{topic['arn']}\n\n"
        f"Confirm the subscription by following this link:\n{link}\n\n"
        "If you did not ask for it, do nothing: without confirmation no message is sent.\n",
    )


def _link(topic_arn: str, page: str, **query: str) -> str:
    region = topic_arn.split(":")[3]
    return f"https://sns.{region}.amazonaws.com/{page}.html?{urlencode(query)}"


def _pending_answer(subscribe: Callable[..., Any]) -> Callable[..., Any]:
    """Subscribe answers ``pending confirmation`` for an e-mail, unless the ARN was asked for."""

    def answering(parameters: dict[str, Any]) -> Any:
        answer = subscribe(parameters)
        wants_arn = sns._p(parameters, "ReturnSubscriptionArn") == "true"
        if answer[0] != 200 or sns._p(parameters, "Protocol") not in EMAIL or wants_arn:
            return answer
        return sns._xml(
            200,
            "SubscribeResponse",
            "<SubscribeResult><SubscriptionArn>pending confirmation</SubscriptionArn>"
            "</SubscribeResult>",
        )

    return answering


def _hiding_pending(list_subscriptions: Callable[..., Any]) -> Callable[..., Any]:
    """A subscription that was not confirmed has no ARN to show yet."""

    def hiding(parameters: dict[str, Any]) -> Any:
        status, headers, body = list_subscriptions(parameters)
        for topic in sns._topics.values():
            for subscription in topic["subscriptions"]:
                if not subscription.get("confirmed"):
                    body = body.replace(subscription["arn"].encode(), b"PendingConfirmation")
        return status, headers, body

    return hiding


def _delivering(fanout: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the delivery to a topic's subscribers: e-mails go into the mailbox."""

    def delivering(
        topic_arn: str,
        message_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        *arguments: Any,
        **named: Any,
    ) -> None:
        fanout(topic_arn, message_id, message, subject, message_structure, *arguments, **named)
        topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
        for subscription in topic["subscriptions"]:
            if subscription["protocol"] in EMAIL and subscription.get("confirmed"):
                text = sns._resolve_message_for_protocol(message, message_structure, "email")
                _post.deliver(
                    topic_arn,
                    subscription["endpoint"],
                    subject or "AWS Notification Message",
                    text + _footer(topic_arn, subscription),
                )

    return delivering


def _footer(topic_arn: str, subscription: dict[str, Any]) -> str:
    link = _link(
        topic_arn,
        "unsubscribe",
        SubscriptionArn=subscription["arn"],
        Endpoint=subscription["endpoint"],
    )
    return f"\n\n--\nTo receive no more messages of this topic, follow this link:\n{link}\n"
