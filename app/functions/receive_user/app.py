"""ReceiveUser: the page behind the links of the mail. GET shows it, POST decides."""

import base64
import hashlib
import json
import os
import string
from datetime import UTC, datetime
from html import escape
from urllib.parse import parse_qs

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACTIONS = {"allow": "allow", "deny": "delete"}
TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "+/=-_.:")
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
LONGEST_TOKEN = 2048
STYLE = """
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto;
  padding: 0 1rem; color: #16191f; background: #fff; }
dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
button { font: inherit; padding: .6rem 1.2rem; border: 2px solid #16191f; border-radius: .4rem;
  color: #fff; background: #0b5cad; cursor: pointer; }
button:focus-visible { outline: 3px solid #f29100; outline-offset: 2px; }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}

states = boto3.client(
    "stepfunctions",
    region_name=os.environ.get("AWS_REGION"),
    config=Config(connect_timeout=3, read_timeout=7, retries={"mode": "standard"}),
)


class NoDecisionError(Exception):
    """Nothing was decided; holds the status and the page that say why."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.status, self.title, self.text = status, title, text


USED = NoDecisionError(
    410,
    "This request is closed",
    "It was answered already, or its time was up. Nothing was changed now.",
)
UNKNOWN = NoDecisionError(
    404,
    "No such request",
    "No policy waits for an answer under this token. Nothing was changed. "
    "Check that the link is complete.",
)
MALFORMED = NoDecisionError(
    400, "This is not a token", "Check that the link is complete. Nothing was changed."
)
MISSING = NoDecisionError(
    400,
    "The token is missing",
    "The link ends before its token. Copy the whole link from the mail. Nothing was changed.",
)
UNCONFIRMED = NoDecisionError(
    502,
    "No decision was made",
    "AWS Step Functions did not take the answer. Please try again in a minute.",
)


def lambda_handler(event: dict, context: object) -> dict:  # noqa: ARG001 (Lambda passes it)
    """Answer an API Gateway proxy request to /allow or /deny.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    answer = event["path"].rstrip("/").rpartition("/")[2]
    method = event["httpMethod"]
    if answer not in ACTIONS:
        return page(404, "No such page", "<p>There is /allow and /deny.</p>")
    if method not in ("GET", "HEAD", "POST"):
        refusal = page(405, "This does not work", "<p>Open the link of the mail.</p>")
        return {**refusal, "headers": {**HEADERS, "Allow": "GET, HEAD, POST"}}
    try:
        token = token_of(event)
        if method != "POST":
            # Mail scanners and link previews open links too: looking must not decide.
            return question(answer, event)
        decide(token, ACTIONS[answer], event)
    except NoDecisionError as refused:
        return page(refused.status, refused.title, f"<p>{escape(refused.text)}</p>")
    return decided(answer)


def token_of(event: dict) -> str:
    """Read the token from the link, or from a form. Raises NoDecisionError (400).

    A token pasted by hand is not encoded, so its `+` arrives as a space; copied from the console
    it may come with its quotes.
    """
    form = parse_qs(event.get("body") or "") if event["httpMethod"] == "POST" else {}
    token = (event.get("queryStringParameters") or {}).get("token") or form.get("token", [""])[0]
    token = token.strip().strip('"').replace(" ", "+")
    if not token:
        raise MISSING
    if len(token) > LONGEST_TOKEN or set(token) - TOKEN_CHARACTERS:
        raise MALFORMED
    return token


def decide(token: str, action: str, event: dict) -> None:
    """Hand the answer to the waiting execution. Raises NoDecisionError.

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
        raise USED from None
    except states.exceptions.InvalidToken:
        raise UNKNOWN from None
    except (BotoCoreError, ClientError) as error:
        print(f"SendTaskSuccess failed: {type(error).__name__}")  # its text might hold the token
        raise UNCONFIRMED from None


def question(answer: str, event: dict) -> dict:
    """Show what the button will do, and what the link says it is about."""
    policy = (event.get("queryStringParameters") or {}).get("policy") or "the link does not say"
    title, effect, button = {
        "allow": (
            "Allow this policy?",
            "The document that was withdrawn is put back, word for word.",
            "Allow the policy",
        ),
        "deny": (
            "Deny this policy?",
            "The document stays withdrawn. What is in force now stays in force.",
            "Deny the policy",
        ),
    }[answer]
    body = (
        f"<dl><dt>Policy, according to the link</dt><dd>{escape(policy[:300])}</dd></dl>"
        "<p>What it grants, who made it and its document are in the mail that brought you here. "
        "Compare the policy's name before you answer.</p>"
        f"<p>{effect} Opening this page has changed nothing.</p>"
        # No action: the form goes to the address of this page, wherever the API is mounted.
        f'<form method="post"><button type="submit">{button}</button></form>'
    )
    return page(200, title, body)


def decided(answer: str) -> dict:
    """Confirm the decision."""
    text = {
        "allow": "The document is being put back. If the policy was changed meanwhile, it is left "
        "as it is, and you get a mail that says so.",
        "deny": "The document stays withdrawn.",
    }[answer]
    title = {"allow": "Allowed", "deny": "Denied"}[answer]
    return page(200, title, f"<p>Your answer was taken. {text} You can close this page.</p>")


def page(status: int, title: str, body: str) -> dict:
    """Wrap HTML into a whole page that needs no script and nothing from elsewhere."""
    return {
        "statusCode": status,
        "headers": HEADERS,
        "body": f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
""",
    }
