"""ReceiveUser: the page behind the links of the mail. GET shows it, POST decides."""

import base64
import binascii
import json
import os
import string
from datetime import UTC, datetime
from urllib.parse import parse_qs

import boto3
from approval_link import GAP, visible
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from receive_user import page

ACTIONS = {"allow": "allow", "deny": "delete"}
TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "+/=-_.:")
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
LONGEST_TOKEN = 2048
LONGEST_FACT = 700  # an ARN with the longest path and name that IAM takes fits

states = boto3.client(
    "stepfunctions",
    region_name=os.environ.get("AWS_REGION"),
    config=Config(connect_timeout=3, read_timeout=7, retries={"mode": "standard"}),
)


class NoDecisionError(Exception):
    """Nothing was decided; holds the status and the words of the page that says why."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.status, self.title, self.text = status, title, text


UNKNOWN = NoDecisionError(
    404,
    "No such request",
    "No policy waits for an answer under this token. Nothing was changed. "
    "Check that the link is complete.",
)
MALFORMED = NoDecisionError(
    400, "This is not a token", "Check that the link is complete. Nothing was changed."
)
AMBIGUOUS = NoDecisionError(
    400, "More than one token", "A link of the mail has one. Nothing was changed."
)
MISSING = NoDecisionError(
    400,
    "The token is missing",
    "The link ends before its token. Copy the whole link from the mail. Nothing was changed.",
)
UNCONFIRMED = NoDecisionError(
    502,
    "The answer was not confirmed",
    "AWS Step Functions did not say that it took the answer. Please press the button again in a "
    "minute: an answer counts once.",
)


def lambda_handler(event: dict, context: object) -> dict:  # noqa: ARG001 (Lambda passes it)
    """Answer an API Gateway proxy request to /allow or /deny.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    response = respond(event)
    # https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
    return {**response, "body": ""} if event["httpMethod"] == "HEAD" else response


def respond(event: dict) -> dict:
    """Show the page, or decide and say so."""
    answer = event["path"].rstrip("/").rpartition("/")[2]
    method = event["httpMethod"]
    if answer not in ACTIONS:
        return page.refused(404, "No such page", "There is /allow and /deny.", {})
    if method not in ("GET", "HEAD", "POST"):
        refusal = page.refused(405, "This does not work", "Open the link of the mail.", {})
        return {**refusal, "headers": {**page.HEADERS, "Allow": "GET, HEAD, POST"}}
    facts = facts_of(event)
    try:
        token = token_of(event)
        if method != "POST":
            # Mail scanners and link previews open links too: looking must not decide.
            return page.question(answer, facts)
        decided_by = decide(token, ACTIONS[answer], event)
    except NoDecisionError as refused:
        return page.refused(refused.status, refused.title, refused.text, facts)
    return page.decided(answer, decided_by, facts)


def token_of(event: dict) -> str:
    """Read the token from the link, or from a form. Raises NoDecisionError (400).

    A token pasted by hand is not encoded, so its `+` arrives as a space; copied from the console
    it may come with its quotes.
    """
    given = [*_query(event).get("token", []), *_form(event).get("token", [])]
    tokens = {token.strip().strip('"').replace(" ", "+") for token in given} - {""}
    if not tokens:
        raise MISSING
    if len(tokens) > 1:
        raise AMBIGUOUS
    (token,) = tokens
    if len(token) > LONGEST_TOKEN or set(token) - TOKEN_CHARACTERS:
        raise MALFORMED
    return token


def facts_of(event: dict) -> dict[str, str]:
    """Read what the link says it is about; anyone may have written it."""
    said = {name: values[0] for name, values in _query(event).items() if name in page.LABELS}
    return {
        name: visible(text if len(text) <= LONGEST_FACT else text[:LONGEST_FACT] + GAP)
        for name, text in said.items()
        if text
    }


def _query(event: dict) -> dict[str, list[str]]:
    return event.get("multiValueQueryStringParameters") or {}


def _form(event: dict) -> dict[str, list[str]]:
    if event["httpMethod"] != "POST":
        return {}
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise MALFORMED from None
    return parse_qs(body)


def decide(token: str, action: str, event: dict) -> dict[str, str]:
    """Hand the answer to the waiting execution; return who decided. Raises NoDecisionError.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html:
    TaskTimedOut is a token that has expired or whose task is closed, InvalidToken one that Step
    Functions never gave out.
    """
    decided_by = {
        "sourceIp": event["requestContext"]["identity"]["sourceIp"],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "channel": "approval page",
    }
    output = json.dumps({"action": action, "decidedBy": decided_by})
    try:
        states.send_task_success(taskToken=token, output=output)
    except (states.exceptions.TaskTimedOut, states.exceptions.TaskDoesNotExist):
        raise closed(facts_of(event)) from None
    except states.exceptions.InvalidToken:
        raise UNKNOWN from None
    except (BotoCoreError, ClientError) as error:
        print(f"SendTaskSuccess failed: {type(error).__name__}")  # its text might hold the token
        raise UNCONFIRMED from None
    return decided_by


def closed(facts: dict[str, str]) -> NoDecisionError:
    """Say why a request is closed: Step Functions does not tell, but the deadline does.

    Before it, a task is closed by an answer, or by the end of its execution; after it, by an
    answer or by the deadline itself.
    """
    deadline = page.deadline_of(facts)
    if deadline and datetime.now(UTC) < deadline:
        return NoDecisionError(
            410,
            "Already decided",
            "The first answer counts, also that of a double click. Nothing was changed now. "
            "(An execution that somebody has stopped looks the same from here.)",
        )
    return NoDecisionError(
        410,
        "This request is closed",
        "It was already decided, or its time was up. Nothing was changed now.",
    )
