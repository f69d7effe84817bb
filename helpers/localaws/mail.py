"""E-mail subscriptions of SNS: confirmed by their link, delivered into a mailbox, ended by a link.

MiniStack confirms e-mail subscriptions by itself and only logs what it would send. On AWS nothing
is delivered before the owner of the address has followed the link in the first mail.
https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, request_scope
from ministack.services import sns
from ministack.services.cloudformation import provisioners

from helpers.localaws import confirmations, letters, webpages
from helpers.localaws.confirmations import Subscription, Topic
from helpers.localaws.postoffice import PostOffice
from helpers.localaws.webpages import Page

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], Answer]

EMAIL = ("email", "email-json")
# Which subscriptions end by a link that they get in every message.
ANYBODYS = (*EMAIL, "http", "https")

_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # what can be seen, in ASCII, around one @
_ARN = re.compile(r"<SubscriptionArn>([^<]*)</SubscriptionArn>")
_NO_ADDRESS = "Invalid parameter: Email address"
# MiniStack's; on AWS a rule's target can name none.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
_OF_A_RULE = "EventBridge Notification"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_post: PostOffice
_changing = threading.Lock()  # a token is used, or a subscription asked for, once


def install(folder: Path) -> None:
    """Deliver into Maildirs below ``folder``, after confirmation only."""
    global _post
    _post = PostOffice(folder)
    sns._subscribe = _subscribing(sns._subscribe)
    sns._confirm_subscription = _confirming(sns._confirm_subscription)
    sns._unsubscribe = _unsubscribing(sns._unsubscribe)
    for kind in ("AWS::SNS::Topic", "AWS::SNS::Subscription"):
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers["create"] = _asking(handlers["create"], properties_at=1)
        handlers["update"] = _asking(handlers["update"], properties_at=2)
    sns._list_subscriptions = _hiding_pending(sns._list_subscriptions)
    sns._list_subscriptions_by_topic = _hiding_pending(sns._list_subscriptions_by_topic)
    sns.publish_internal = _checking(sns.publish_internal)
    sns._fanout = _delivering(sns._fanout)
    iam_evaluator.enforce = _letting_links_pass(iam_evaluator.enforce)


# --- subscribing -------------------------------------------------------------------------


def _subscribing(subscribe: Operation) -> Operation:
    """Wrap Subscribe: an e-mail's owner is asked, again if he has not answered yet.

    https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
    """

    def subscribing(parameters: dict[str, Any]) -> Answer:
        protocol, endpoint = sns._p(parameters, "Protocol"), sns._p(parameters, "Endpoint")
        if protocol not in EMAIL:
            return subscribe(parameters)
        if not _ADDRESS.fullmatch(endpoint):
            return sns._error("InvalidParameter", _NO_ADDRESS, 400)
        answer = subscribe(parameters)
        if answer[0] != 200:
            return answer
        arn = _ARN.search(answer[2].decode())[1]
        _, subscription = _found(arn)
        with _changing:
            if "asked" not in subscription or not subscription["confirmed"]:
                _ask(subscription)
        if subscription["confirmed"] or sns._p(parameters, "ReturnSubscriptionArn") == "true":
            return answer
        return sns._xml(
            200,
            "SubscribeResponse",
            "<SubscribeResult><SubscriptionArn>pending confirmation</SubscriptionArn>"
            "</SubscribeResult>",
        )

    return subscribing


def _asking(create: Callable[..., Any], *, properties_at: int) -> Callable[..., Any]:
    """Wrap CloudFormation's handlers: the owner of each new address is asked."""

    def asking(*arguments: Any, **named: Any) -> Any:
        properties = arguments[properties_at]
        for wanted in (properties, *properties.get("Subscription", [])):
            address = str(wanted.get("Endpoint", ""))
            if wanted.get("Protocol") in EMAIL and not _ADDRESS.fullmatch(address):
                raise ValueError(f"{_NO_ADDRESS} (Service: Sns, Status Code: 400)")
        result = create(*arguments, **named)
        with _changing:
            for topic in sns._topics.values():
                for subscription in topic["subscriptions"]:
                    if subscription["protocol"] in EMAIL and "asked" not in subscription:
                        _ask(subscription)
        return result

    return asking


def _ask(subscription: Subscription) -> None:
    topic_arn, endpoint = subscription["topic_arn"], subscription["endpoint"]
    token = confirmations.ask(subscription, time.time())
    _refresh(topic_arn)
    _deliver(subscription, letters.confirmation(topic_arn, endpoint, token))


# --- confirming and ending ---------------------------------------------------------------


def _letting_links_pass(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the check of a request: two actions of SNS are links in messages, which nobody signs.

    MiniStack knows them, and takes who signs nothing for root, which nobody is here.
    """

    def enforcing(access_key: str, action: str, *arguments: Any, **named: Any) -> Any:
        if iam_evaluator._anonymous.get() and action in iam_evaluator._UNSIGNED_LINK_ACTIONS:
            return None
        return enforce(access_key, action, *arguments, **named)

    return enforcing


def _confirming(confirm: Operation) -> Operation:
    """Wrap ConfirmSubscription: who signs it may keep others from ending the subscription.

    https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
    """

    def confirming(parameters: dict[str, Any]) -> Answer:
        topic_arn, token = sns._p(parameters, "TopicArn"), sns._p(parameters, "Token")
        with _at(topic_arn):
            subscription = _confirm(topic_arn, token)
            if subscription is None:
                return confirm(parameters)  # another protocol's, or nobody's
        if _is_signed():
            subscription["attributes"]["ConfirmationWasAuthenticated"] = "true"
            wanted = sns._p(parameters, "AuthenticateOnUnsubscribe").lower()
            subscription["protected"] = wanted == "true"
        result = f"<SubscriptionArn>{subscription['arn']}</SubscriptionArn>"
        return sns._xml(
            200,
            "ConfirmSubscriptionResponse",
            f"<ConfirmSubscriptionResult>{result}</ConfirmSubscriptionResult>",
        )

    return confirming


def _confirm(topic_arn: str, token: str) -> Subscription | None:
    topic = sns._topic_by_arn_any_scope(topic_arn)
    if topic is None:
        return None
    with _changing:
        subscription = confirmations.confirm(topic, token, time.time())
    if subscription is not None:
        account, region = _scope(topic_arn)
        sns._sub_arn_to_topic.set_scoped(account, region, subscription["arn"], topic_arn)
        _refresh(topic_arn)
    return subscription


def _unsubscribing(unsubscribe: Operation) -> Operation:
    """Wrap Unsubscribe, which needs no credentials unless the subscription says so.

    https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
    """

    def unsubscribing(parameters: dict[str, Any]) -> Answer:
        arn = sns._p(parameters, "SubscriptionArn")
        parts = len(arn.split(":"))
        if parts < 6:
            reason = f"Reason: An ARN must have at least 6 elements, not {parts}"
            message = f"Invalid parameter: SubscriptionArn {reason}"
            return sns._error("InvalidParameter", message, 400)
        with _at(arn):
            topic, subscription = _found(arn)
            if subscription is not None and not _may_end(topic, subscription):
                return sns._error("AuthorizationError", "Not authorized to unsubscribe", 403)
            if subscription is None or subscription["protocol"] not in EMAIL:
                return unsubscribe(parameters)
            _remove(topic, subscription)
        return sns._xml(200, "UnsubscribeResponse", "")

    return unsubscribing


def _remove(topic: Topic, subscription: Subscription) -> None:
    """End a subscription; who was not its owner may have ended it by mistake, so it is told."""
    by_owner = _is_signed() and get_account_id() == subscription["owner"]
    with _changing:
        if subscription not in topic["subscriptions"]:
            return
        token = confirmations.remove(topic, subscription, time.time())
    sns._sub_arn_to_topic.pop_scoped(*_scope(subscription["arn"]), subscription["arn"], None)
    _refresh(topic["arn"])
    if not by_owner:
        letter = letters.deactivation(topic["arn"], subscription["endpoint"], token)
        _deliver(subscription, letter)


def follow_link(path: str, query: str) -> Page:
    """Show the page behind a mail's link; following it is all that is needed, for anybody.

    The link to confirm has a token, the one to unsubscribe the subscription's ARN, which ends in
    a random number.
    """
    link = dict(parse_qsl(query))
    arn = link.get("TopicArn" if path == "/confirmation.html" else "SubscriptionArn", "")
    if len(arn.split(":")) < 6:
        return webpages.not_confirmed() if path == "/confirmation.html" else webpages.unknown()
    with _at(arn):
        if path == "/confirmation.html":
            subscription = _confirm(arn, link.get("Token", ""))
            if subscription is None:
                return webpages.not_confirmed()
            return webpages.confirmed(subscription["arn"], subscription["endpoint"])
        topic, subscription = _found(arn)
        if subscription is None or subscription["protocol"] not in EMAIL:
            return webpages.unknown()
        if subscription["endpoint"] != link.get("Endpoint"):
            return webpages.unknown()
        if subscription.get("protected"):
            return webpages.protected()
        _remove(topic, subscription)
        return webpages.removed(arn)


def _at(arn: str) -> AbstractContextManager[None]:
    """Act where an ARN is, for a request without credentials: it has no account of its own."""
    named = len(arn.split(":")) >= 6
    return request_scope(*_scope(arn)) if named and not _is_signed() else nullcontext()


def _is_signed() -> bool:
    """Whether this request was made with credentials; a link in a mail is not."""
    return bool(iam_evaluator._verified_key.get())


def _may_end(topic: Topic, subscription: Subscription) -> bool:
    """Whether this request may end a subscription: its owner's and the topic's always may."""
    owners = (subscription["owner"], sns._topic_owner(topic))
    if _is_signed() and get_account_id() in owners:
        return True
    return subscription["protocol"] in ANYBODYS and not subscription.get("protected")


# --- listing -----------------------------------------------------------------------------


def _hiding_pending(list_subscriptions: Operation) -> Operation:
    """Wrap a listing: what was not confirmed has no ARN yet, or is not there any more."""

    def shown(match: re.Match[str]) -> str:
        _, subscription = _found(match[1])
        pending = subscription is not None and not subscription["confirmed"]
        arn = "PendingConfirmation" if pending else match[1]
        return f"<SubscriptionArn>{arn}</SubscriptionArn>"

    def hiding(parameters: dict[str, Any]) -> Answer:
        for topic in sns._topics.values():
            with _changing:
                late = confirmations.forget(topic, time.time())
            for subscription in late:
                sns._sub_arn_to_topic.pop(subscription["arn"], None)
            if late:
                _refresh(topic["arn"])
        status, headers, body = list_subscriptions(parameters)
        return status, headers, _ARN.sub(shown, body.decode()).encode()

    return hiding


# --- publishing --------------------------------------------------------------------------


def _checking(publish: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what Publish does: refuse subjects and structures that AWS refuses.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """

    def checking(
        topic_arn: str,
        message: Any,
        subject: str = "",
        *,
        message_structure: str = "",
        **named: Any,
    ) -> Any:
        subject = "" if subject == _OF_A_RULE else subject
        problem = _problem(message, subject, message_structure)
        if problem:
            raise sns.SnsPublishError("InvalidParameter", f"Invalid parameter: {problem}")
        return publish(topic_arn, message, subject, message_structure=message_structure, **named)

    return checking


def _problem(message: Any, subject: str, structure: str) -> str:
    """Return what of a message SNS does not take, or ""."""
    if not message:
        return "Empty message"
    if len(subject) >= 100 or _CONTROL.search(subject):
        return "Subject"
    if structure != "json":
        return ""
    try:
        texts = json.loads(message)
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, dict):
        return "Message Structure - JSON message body failed to parse"
    if not isinstance(texts.get("default"), str):
        return "Message Structure - No default entry in JSON message body"
    return ""


def _delivering(fanout: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the delivery to a topic's subscribers: e-mails go into the mailbox."""

    def delivering(
        topic_arn: str,
        message_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        message_attributes: dict[str, Any] | None = None,
        **named: Any,
    ) -> None:
        attributes = message_attributes or {}
        fanout(topic_arn, message_id, message, subject, message_structure, attributes, **named)
        topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
        for subscription in topic["subscriptions"]:
            # One that was not asked for yet is just being made: MiniStack calls it confirmed.
            asked = subscription["protocol"] in EMAIL and "asked" in subscription
            if not asked or not subscription["confirmed"]:
                continue
            text = _text_for(subscription["protocol"], message, message_structure)
            if sns._matches_filter_policy(subscription, attributes, text):
                name = topic["attributes"].get("DisplayName", "")
                letter = _notification(subscription, name, message_id, text, subject, attributes)
                _deliver(subscription, letter)

    return delivering


def _text_for(protocol: str, message: str, structure: str) -> str:
    """Return the message of a protocol; a value that is no text counts as absent."""
    if structure != "json" or _problem(message, "", structure):
        return message  # PublishBatch is not checked: MiniStack takes it as it is
    texts = {key: text for key, text in json.loads(message).items() if isinstance(text, str)}
    return texts.get(protocol, texts["default"])


def _notification(
    subscription: Subscription,
    name: str,
    message_id: str,
    text: str,
    subject: str,
    attributes: dict[str, Any],
) -> letters.Letter:
    """Write the mail of a message; as JSON, it is what other endpoints get.

    https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
    """
    arn, endpoint = subscription["arn"], subscription["endpoint"]
    if subscription["protocol"] == "email":
        return letters.notification(arn, endpoint, subject, text, name)
    document = json.loads(
        sns._build_envelope(subscription["topic_arn"], message_id, text, subject, attributes, False)
    )
    host = letters.unsubscribe_link(arn, endpoint).split("/unsubscribe", 1)[0]
    document["UnsubscribeURL"] = f"{host}/?Action=Unsubscribe&SubscriptionArn={arn}"
    return letters.Letter(
        subject or letters.DEFAULT_SUBJECT,
        json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        name or letters.DEFAULT_NAME,
        letters.unsubscribe_link(arn, endpoint),
    )


def _deliver(subscription: Subscription, letter: letters.Letter) -> None:
    """Deliver to the account that subscribed the address."""
    _post.deliver(subscription["owner"], subscription["endpoint"], letter)


# --- MiniStack's records -----------------------------------------------------------------


def _scope(arn: str) -> tuple[str, str]:
    """Return the account and the region of an ARN."""
    parts = arn.split(":")
    return parts[4], parts[3]


def _found(arn: str) -> tuple[Topic | None, Subscription | None]:
    """Return a subscription with its topic, whosever they are."""
    topic_arn = arn.rpartition(":")[0]
    topic = sns._topic_by_arn_any_scope(topic_arn)
    subscriptions = topic["subscriptions"] if topic else []
    return topic, next((one for one in subscriptions if one["arn"] == arn), None)


def _refresh(topic_arn: str) -> None:
    topic = sns._topic_by_arn_any_scope(topic_arn)
    if topic is not None:
        sns._refresh_subscription_counts(topic)
