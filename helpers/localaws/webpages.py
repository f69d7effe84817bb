"""The pages behind the links in mails.

The sentences are AWS's where they are known: the confirmation's from
https://docs.aws.amazon.com/cli/latest/userguide/cli-services-sns.html, the refusal's from
https://advancedweb.hu/shorts/fun-fact-you-can-make-an-unsubscribable-subscription-to-an-sns-topic/.
The others, and what a link shows that leads nowhere, are our own.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from helpers.localaws import letters


@dataclass(frozen=True)
class Page:
    """An HTTP status and the HTML of a page."""

    status: int
    body: bytes


def confirmed(subscription_arn: str, endpoint: str) -> Page:
    """The address receives messages from now on."""
    link = letters.unsubscribe_link(subscription_arn, endpoint)
    other = link.split("amazonaws.com/", 1)[1]  # beside this one, wherever that is
    return page(
        200,
        "Subscription confirmed!",
        "You have successfully subscribed.",
        f"Your subscription's id is:<br>{html.escape(subscription_arn)}",
        "If it was not your intention to subscribe, "
        f"<a href='{html.escape(other)}'>click here to unsubscribe</a>.",
    )


def not_confirmed() -> Page:
    """The link has no token that is good (any more)."""
    return page(
        400,
        "Nothing was confirmed",
        "This link is not valid (any more): a link is good for two days. "
        "Subscribe again, and take the newest mail.",
    )


def removed(subscription_arn: str) -> Page:
    """The subscription has ended."""
    return page(
        200,
        "Subscription removed!",
        f"Your subscription's id was:<br>{html.escape(subscription_arn)}",
        "If you did not mean to, the newest mail has a link to resubscribe.",
    )


def unknown() -> Page:
    """There is nothing to end: no such subscription, or a link of another address."""
    return page(400, "Subscription not removed", "There is no such subscription (any more).")


def protected() -> Page:
    """The subscription may only be ended by its owner or the topic's, with credentials."""
    return page(
        403,
        "Subscription not removed",
        "Your subscription could not be removed because of an error. If you wish to unsubscribe "
        "but do not have AWS credentials, or have any other questions about Amazon SNS, please "
        "contact Amazon at sns-question@amazon.com.",
    )


def gone() -> Page:
    """The link leads to an API that is not there."""
    return page(
        404,
        "Nothing is here",
        "The API that this link leads to is not there (any more): its stack was deleted, or the "
        "link is of another local AWS. Deploy the app again, and take the link of its next mail.",
    )


def page(status: int, title: str, *paragraphs: str) -> Page:
    """Build a page; ``paragraphs`` are HTML."""
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return Page(
        status,
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        "<body style='font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto'>"
        f"<h1 id=status>{html.escape(title)}</h1>{text}".encode(),
    )
