"""What SNS writes in its mails: subjects, texts and links, as a person meets them on AWS.

The fixed sentences are quoted, so that a learner knows the real mail again. Their sources:

- the confirmation: https://docs.aws.amazon.com/cli/latest/userguide/cli-services-sns.html
- its last sentence, the sender, a message's footer and the mail after an unsubscription: AWS has
  them on no page; they are the same in many mails that people have published
- the subject of a message without one: what AWS's guides tell their readers to look for, such as
  https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html and its neighbours

On AWS confirmation and deactivation are HTML, with the link behind two words; here it is written
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

DEFAULT_SUBJECT = "AWS Notification Message"
DEFAULT_NAME = "AWS Notifications"
ADDRESS = "no-reply@sns.amazonaws.com"


@dataclass(frozen=True)
class Letter:
    """One mail: ``sender`` is the name beside the address, ``unsubscribe`` a link or ""."""

    subject: str
    text: str
    sender: str = DEFAULT_NAME
    unsubscribe: str = ""


def confirmation(topic_arn: str, endpoint: str, token: str) -> Letter:
    """Write the mail that asks the owner of an address whether it was meant."""
    return Letter(
        "AWS Notification - Subscription Confirmation",
        f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
        "To confirm this subscription, click or visit the link below "
        "(If this was in error no action is necessary):\n"
        f"{confirmation_link(topic_arn, endpoint, token)}\n\n"
        "Please do not reply directly to this email. If you wish to remove yourself from "
        "receiving all future SNS subscription confirmation requests please send an email to "
        "sns-opt-out\n",
    )


def notification(
    subscription_arn: str, endpoint: str, subject: str, message: str, display_name: str
) -> Letter:
    """Write the mail with a message; ``subject`` and ``display_name`` may be empty.

    A topic's display name is the sender's: https://aws.amazon.com/sns/faqs/
    """
    link = unsubscribe_link(subscription_arn, endpoint)
    return Letter(
        subject or DEFAULT_SUBJECT,
        f"{message}\n\n--\n"
        "If you wish to stop receiving notifications from this topic, please click or visit the "
        f"link below to unsubscribe:\n{link}\n\n"
        "Please do not reply directly to this email. If you have any questions or comments "
        "regarding this email, please contact us at https://aws.amazon.com/support\n",
        display_name or DEFAULT_NAME,
        link,
    )


def deactivation(topic_arn: str, endpoint: str, token: str) -> Letter:
    """Write the mail after somebody followed the link to unsubscribe: it may have been a mistake.

    https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
    """
    return Letter(
        "AWS Notification - Unsubscribe Confirmation",
        f"Your subscription to the topic below has been deactivated:\n{topic_arn}\n\n"
        "If this was in error or you wish to resubscribe, click or visit the link below:\n"
        f"{confirmation_link(topic_arn, endpoint, token)}\n",
    )


def confirmation_link(topic_arn: str, endpoint: str, token: str) -> str:
    """Return the address of the page that confirms a subscription."""
    return _link(topic_arn, "confirmation", TopicArn=topic_arn, Token=token, Endpoint=endpoint)


def unsubscribe_link(subscription_arn: str, endpoint: str) -> str:
    """Return the address of the page that ends a subscription."""
    return _link(
        subscription_arn, "unsubscribe", SubscriptionArn=subscription_arn, Endpoint=endpoint
    )


def _link(arn: str, page: str, **query: str) -> str:
    """Write a link as SNS does: the signs of an ARN and of an address stand for themselves."""
    region = arn.split(":")[3]
    fields = "&".join(f"{name}={quote(value, safe=':@')}" for name, value in query.items())
    return f"https://sns.{region}.amazonaws.com/{page}.html?{fields}"
