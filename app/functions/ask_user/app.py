"""AskUser: mail the administrator what is being decided, with a link for each answer."""

import os
from datetime import datetime, timedelta
from urllib.parse import urlencode

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

API_URL = os.environ["API_URL"]
TOPIC_ARN = os.environ["TOPIC_ARN"]
LONGEST_DOCUMENT = 8_000

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
        "deadline": deadline.strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def subject(asked: dict) -> str:
    """Write the subject; SNS takes fewer than 100 characters, without line breaks.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    name = asked["policyName"].encode("ascii", "replace").decode()
    return f"Approval needed: IAM policy {name if len(name) <= 60 else name[:57] + '...'}"


def message(asked: dict, event: dict) -> str:
    """Write the mail: what happened, what is asked, until when, and the two links."""
    incident, validation = event["incident"], event["validation"]
    restore = event["quarantine"]["restore"]
    withdrawn = event["quarantine"]["withdrawn"]
    decided = next((item for item in withdrawn if item["versionId"] == restore), {})
    text = decided.get("document", "too long for a mail")
    reasons = "\n".join(
        f"  statement {found['statement']}: {', '.join(found['grants'])}"
        for found in validation.get("statements", [])
    )
    return f"""\
An IAM policy was put under quarantine, and waits for your decision.

Policy     {asked["policyName"]}
ARN        {asked["policyArn"]}
Version    {restore}, created {validation.get("createdAt") or incident["eventTime"]}
Made by    {asked["author"]}
Call       {incident["eventName"]} at {incident["eventTime"]}
Grants     {", ".join(asked["granted"]) or "not known: the policy could not be judged"}
{reasons}
Document   SHA-256 {decided.get("sha256", "not known")}
{text[:LONGEST_DOCUMENT]}

ALLOW: put the document back as it was
{link("allow", event["token"], asked)}

DENY: leave the policy without it
{link("deny", event["token"], asked)}

Each link opens a page that asks you to confirm. Without an answer by {asked["deadline"]}
the policy stays under quarantine.
"""


def author(identity: dict) -> str:
    """Name who made the call; not every identity has an ARN.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    named = (identity.get(key) for key in ("arn", "userName", "invokedBy", "principalId", "type"))
    return next((name for name in named if name), "not known")


def link(answer: str, token: str, asked: dict) -> str:
    """Write the link to the page of one answer."""
    return f"{API_URL}/{answer}?{urlencode({'token': token, 'policy': asked['policyArn']})}"
