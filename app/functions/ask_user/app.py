"""AskUser: mail the administrator what is being decided, with a link for each answer."""

import os
import textwrap
from datetime import datetime, timedelta

import approval_link
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from managed_policy import unpack

API_URL = os.environ["API_URL"]
TOPIC_ARN = os.environ["TOPIC_ARN"]
LONGEST_QUOTE = 20_000

sns = boto3.client(
    "sns",
    region_name=os.environ.get("AWS_REGION"),
    config=Config(connect_timeout=3, read_timeout=7, retries={"mode": "standard"}),
)


class MailNotSentError(Exception):
    """The topic did not take the mail: nobody has been asked."""


def lambda_handler(event: dict, context: object) -> dict:  # noqa: ARG001 (Lambda passes it)
    """Publish the mail. Returns the token, which TaskSubmitted shows, and what it decides.

    The token is whoever holds it's right to decide, so it is never logged.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
    Raises MailNotSentError.
    """
    asked = question(event)
    try:
        sns.publish(TopicArn=TOPIC_ARN, Subject=subject(asked), Message=message(asked, event))
    except (BotoCoreError, ClientError) as error:
        raise MailNotSentError(f"{asked['policyArn']}: {error}") from error
    return {"token": event["token"], **asked}


def question(event: dict) -> dict:
    """Pick the short facts of the decision out of the state."""
    validation, quarantine = event["validation"], event["quarantine"]
    asked_at = datetime.fromisoformat(event["askedAt"])
    deadline = asked_at + timedelta(seconds=event["deadlineSeconds"])
    return {
        "policyName": quarantine["policyName"],
        "policyArn": quarantine["policyArn"],
        "granted": validation.get("granted", []),
        "author": author(event["incident"]["author"]),
        "deadline": deadline.strftime(approval_link.DEADLINE),
        "sha256": withdrawn(quarantine).get("sha256", "not known"),
        "description": description(event["detail"]),
    }


def withdrawn(quarantine: dict) -> dict:
    """Pick the withdrawn version that an approval would restore."""
    versions = {item["versionId"]: item for item in quarantine["withdrawn"]}
    return versions.get(quarantine["restore"], {})


def description(detail: dict) -> str:
    """Pick what the author says of a new policy; the other calls have no room for it.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
    """
    return (detail.get("requestParameters") or {}).get("description") or ""


def author(identity: dict) -> str:
    """Name who made the call; not every identity has an ARN.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    named = (identity.get(key) for key in ("arn", "userName", "invokedBy", "principalId", "type"))
    return next((name for name in named if name), "not known")


def grants(asked: dict) -> str:
    """List the restricted actions that the policy grants."""
    return ", ".join(asked["granted"]) or "not known: the policy could not be judged"


def link(answer: str, token: str, asked: dict) -> str:
    """Write the link to the page of one answer."""
    facts = {
        "policy": asked["policyArn"],
        "grants": grants(asked),
        "author": asked["author"],
        "deadline": asked["deadline"],
        "sha256": asked["sha256"][:16],
        "description": asked["description"],
    }
    return approval_link.write(f"{API_URL}/{answer}", token, facts)


def subject(asked: dict) -> str:
    """Write the subject; SNS takes fewer than 100 characters, without line breaks.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    name = approval_link.visible(asked["policyName"]).encode("ascii", "replace").decode()
    return f"Approval needed: IAM policy {name if len(name) <= 60 else name[:57] + '...'}"


def message(asked: dict, event: dict) -> str:
    """Write the mail: what happened, what is asked, until when, and the two links.

    Names, description and document are their author's, and the author may be an attacker who
    would like the mail to have one more link. So a name stays on the line of its label, texts come
    after the links, behind bars, and `//` stands nowhere but in the two links.
    """
    incident, validation = event["incident"], event["validation"]
    restore = event["quarantine"]["restore"]
    rows = [
        ("Policy", asked["policyName"]),
        ("ARN", asked["policyArn"]),
        ("Version", f"{restore}, created {validation.get('createdAt') or incident['eventTime']}"),
        ("Made by", asked["author"]),
        ("Call", f"{incident['eventName']} at {incident['eventTime']}"),
        ("Grants", grants(asked)),
        *(
            ("", f"statement {found['statement']}: {', '.join(found['grants'])}")
            for found in validation.get("statements", [])
        ),
        ("Document", f"SHA-256 {asked['sha256']}"),
        ("Answer by", asked["deadline"]),
    ]
    facts = "\n".join(fact(label, text) for label, text in rows)
    return f"""\
An IAM policy was put under quarantine, and waits for your decision.

{facts}

ALLOW: put the document back as it was
{link("allow", event["token"], asked)}

DENY: leave the policy without it
{link("deny", event["token"], asked)}

Each link opens a page that asks you to confirm. Without an answer the policy stays under
quarantine.

Each line below that begins with | was written by others, perhaps by an attacker. Follow no
link there. Long runs of spaces are shortened. There, and in the names above, a character that
cannot be seen and the second of two slashes are shown as their code, such as \\u002f.

Description:
{quote(asked["description"]) or "none in this call"}

Document:
{document(event["quarantine"])}
"""


def document(quarantine: dict) -> str:
    """Quote the document that an approval would put back, or say why it cannot be shown."""
    try:
        return quote(unpack(withdrawn(quarantine)))
    except ValueError as error:
        return f"not shown: {error}"


def fact(label: str, text: str) -> str:
    """Write one fact on one line; a very long one goes on under itself, never at the margin."""
    return textwrap.fill(
        " ".join(_unlinked(text).split()),
        width=200,
        initial_indent=f"{label:<11}",
        subsequent_indent=" " * 11,
        break_on_hyphens=False,
    )


def quote(text: str) -> str:
    """Put a stranger's text behind bars, a padded one without its padding.

    IAM does not count white space, so a document can be much longer than what it says, and its end
    could hide at the bottom of a very long mail.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    quoted = _barred(text)
    return quoted if len(quoted) <= LONGEST_QUOTE else _barred(" ".join(text.split()))


def _barred(text: str) -> str:
    lines = map(_unlinked, text.expandtabs(4).splitlines())
    pieces = [p for line in lines for p in textwrap.wrap(line, 76, break_on_hyphens=False)]
    return "\n".join(f"| {piece}" for piece in pieces)


def _unlinked(text: str) -> str:
    return approval_link.visible(text).replace("//", r"/\u002f")
