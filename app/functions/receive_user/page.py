"""The pages behind the links of the mail: plain HTML, no script, nothing from elsewhere."""

import base64
import hashlib
from datetime import UTC, datetime
from html import escape

from approval_link import DEADLINE

STYLE = """
:root { color-scheme: light dark; --back: #f4f6f8; --card: #fff; --text: #16191f;
  --quiet: #4a5361; --line: #c5ccd6; --ring: #1558b0; --allow: #17683a; --deny: #a8231b;
  --label: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --back: #101318; --card: #1a1f26; --text: #e8ebef; --quiet: #aeb7c2; --line: #3d4653;
    --ring: #8ab8ff; --allow: #7ddc9f; --deny: #ffb4ab; --label: #101318; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
header, main { max-width: 44rem; margin: 0 auto; }
header { display: flex; align-items: center; gap: .5rem; font-weight: 600; }
header svg { width: 1.5rem; height: 1.5rem; fill: none; stroke: currentColor; stroke-width: 2; }
header p { margin: .5rem 0; }
main { padding: 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 1.5rem 0 0; font-size: 1.1rem; }
p { margin: .5rem 0; }
.source { color: var(--quiet); font-size: .9rem; }
dl { margin: 1rem 0; border-top: 1px solid var(--line); }
dl div { padding: .5rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--quiet); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace;
  font-size: .95rem; }
blockquote { margin: 0; padding-left: .75rem; border-left: .25rem solid var(--line); }
button { width: 100%; min-height: 3rem; margin: .75rem 0 .25rem; padding: .6rem 1.5rem;
  border: 2px solid transparent; border-radius: .5rem; color: var(--label); font: inherit;
  font-weight: 600; cursor: pointer; }
.allow button { background: var(--allow); }
.deny button { background: var(--deny); }
.allow button::before { content: "\\2713\\00a0 "; content: "\\2713\\00a0 " / ""; }
.deny button::before { content: "\\2715\\00a0 "; content: "\\2715\\00a0 " / ""; }
button:hover { text-decoration: underline; }
button:focus-visible { outline: 3px solid var(--ring); outline-offset: 3px; }
@media (min-width: 40rem) {
  body { padding: 2rem; }
  main { padding: 2rem; }
  dl div { display: grid; grid-template-columns: 11rem 1fr; gap: 1rem; align-items: baseline; }
  button { width: auto; }
}
@media print {
  :root { --back: #fff; --card: #fff; --text: #000; --quiet: #000; --line: #888; }
  body { padding: 0; }
  main { padding: 0; border: 0; }
  form { display: none; }
}
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}
LABELS = {
    "policy": "Policy",
    "grants": "Grants",
    "author": "Made by",
    "deadline": "Answer by",
    "sha256": "Document’s SHA-256 begins with",
    "description": "Description, in its author’s words",
}
QUESTIONS = {
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
}
ANSWERS = {
    "allow": (
        "Allowed",
        "The document is being put back. If the policy was changed meanwhile, it is left as it is, "
        "and you get a mail that says so.",
    ),
    "deny": ("Denied", "The document stays withdrawn."),
}


def question(answer: str, facts: dict[str, str]) -> dict:
    """Show what the button will do, and what the link says it is about."""
    title, effect, button = QUESTIONS[answer]
    body = (
        f"<p>{effect}</p>{_said(facts)}"
        "<p>The mail of this request has the document: read it before you answer.</p>"
        # No action: the form goes to the address of this page, wherever the API is mounted.
        f'<form class="{answer}" method="post"><button type="submit">{button}</button>'
        '<p class="source">Opening this page has changed nothing, and it cannot know whether '
        "somebody has answered meanwhile: the button tells.</p></form>"
    )
    return whole(200, title, body)


def decided(answer: str, decided_by: dict[str, str], facts: dict[str, str]) -> dict:
    """Confirm the decision, and say what is kept of it."""
    title, effect = ANSWERS[answer]
    body = (
        f"<p>Your answer was taken. {effect} You can close this page.</p>"
        f'<p class="source">The history of the execution keeps when it was given '
        f"({escape(decided_by['time'])}) and from which address "
        f"({escape(decided_by['sourceIp'])}).</p>{_said(facts)}"
    )
    return whole(200, title, body)


def refused(status: int, title: str, text: str, facts: dict[str, str]) -> dict:
    """Say why nothing was decided."""
    return whole(status, title, f"<p>{escape(text)}</p>{_said(facts) if facts else ''}")


def deadline_of(facts: dict[str, str]) -> datetime | None:
    """Read the deadline that the link gives, None where it gives none that can be read."""
    try:
        return datetime.strptime(facts.get("deadline", ""), DEADLINE).replace(tzinfo=UTC)
    except ValueError:
        return None


def _said(facts: dict[str, str]) -> str:
    """Show the facts, and who says so."""
    rows = "".join(
        f"<div><dt>{label}</dt><dd>{_shown(name, facts)}</dd></div>"
        for name, label in LABELS.items()
        if name in facts
    )
    if not rows:
        return "<h2>What this is about</h2><p>This link does not tell.</p>"
    return (
        f"<h2>What this is about</h2><dl>{rows}</dl>"
        '<p class="source">All of this comes from the link. Names and the description are words '
        "of whoever made the policy, perhaps of an attacker.</p>"
    )


def _shown(name: str, facts: dict[str, str]) -> str:
    text, deadline = escape(facts[name]), deadline_of(facts)
    if name == "description":
        return f'<blockquote dir="auto">{text}</blockquote>'
    if name == "deadline" and deadline:
        passed = " (this time has passed)" if deadline <= datetime.now(UTC) else ""
        return f'<time datetime="{deadline:%Y-%m-%dT%H:%M:%SZ}">{text}</time>{passed}'
    return text


def whole(status: int, title: str, body: str) -> dict:
    """Wrap HTML into a whole page, as API Gateway wants it answered.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    return {
        "statusCode": status,
        "headers": HEADERS,
        "body": f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<svg viewBox="0 0 24 24" aria-hidden="true">
<path d="M12 2l8 3v6c0 5-3.4 9-8 11-4.6-2-8-6-8-11V5z"/>
</svg>
<p>Policy guard</p>
</header>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
""",
    }
