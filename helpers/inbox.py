"""The administrator's mail: shown with links that work, and the links followed."""

from __future__ import annotations

import html
import mailbox
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from helpers.errors import WorkbookError
from helpers.session import Session

PATIENCE_SECONDS = 30

_LINK = re.compile(r"https://[^\s<>\"]+")
_TAG = re.compile(r"<(style|title)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Mail:
    """One mail; ``links`` are addresses that open on this computer."""

    subject: str
    sender: str
    recipient: str
    sent: datetime
    text: str
    links: tuple[str, ...]

    def link(self, word: str) -> str:
        """Return the first link that leads to a page of this name, such as "allow".

        The first: in the app's mail, what a policy's author wrote stands after the app's own links.
        """
        for link in self.links:
            if Path(urllib.parse.urlsplit(link).path).stem == word:
                return link
        raise WorkbookError(f"This mail ({self.subject}) has no link with {word!r} in it.")

    def __repr__(self) -> str:
        return f"To: {self.recipient}\nSubject: {self.subject}\n\n{self.text}"

    def _repr_html_(self) -> str:
        # The text is a stranger's in part: links are found in it as it is, then all is escaped.
        parts, end = [], 0
        for match, address in zip(_LINK.finditer(self.text), self.links, strict=True):
            parts += [html.escape(self.text[end : match.start()]), _anchor(match[0], address)]
            end = match.end()
        text = "".join([*parts, html.escape(self.text[end:])])
        return (
            '<div style="border:1px solid #8886;border-radius:6px;padding:10px 14px">'
            f"<b>{html.escape(self.subject)}</b><br>"
            f"<small>from {html.escape(self.sender)} to {html.escape(self.recipient)}</small>"
            f'<pre style="white-space:pre-wrap;margin:10px 0 0">{text}</pre></div>'
        )


@dataclass(frozen=True)
class Answer:
    """What a web page answered: its HTTP status and its text."""

    status: int
    text: str

    def __repr__(self) -> str:
        return f"HTTP {self.status}\n{self.text}"


def mails(session: Session) -> list[Mail]:
    """Return all mails, newest first.

    Raises WorkbookError on a real account: there, the mail is in a real mailbox.
    """
    if session.mailbox is None:
        raise WorkbookError(
            "On a real account the mail goes to the address that you gave when deploying: "
            "look into that mailbox."
        )
    folder = Path(session.mailbox) / session.account
    if not folder.exists():
        return []
    box = mailbox.Maildir(folder, create=False)
    # A Maildir's keys begin with the time of delivery; dates in mails have whole seconds only.
    keys = sorted(box.keys(), key=lambda key: [int(part) for part in re.findall(r"\d+", key)[:2]])
    return [_read(session, box[key]) for key in reversed(keys)]


def newest(session: Session, words: str = "") -> Mail:
    """Return the newest mail whose subject or text has ``words`` in it, waiting for one to come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for mail in mails(session):
            if words in mail.subject or words in mail.text:
                return mail
        time.sleep(0.05)
    raise WorkbookError(
        f"No mail with {words!r} has come. Was the subscription confirmed? Before its link is "
        "followed, SNS delivers nothing (01_deploy_the_app)."
    )


def open_link(link: str) -> Answer:
    """Open a link as a browser does (GET)."""
    return _request(urllib.request.Request(link))  # noqa: S310 - the app's own links


def press_button(link: str) -> Answer:
    """Press the button on the page behind a link (POST)."""
    request = urllib.request.Request(link, data=b"", method="POST")  # noqa: S310 - as above
    return _request(request)


def confirm_subscription(session: Session) -> Answer:
    """Follow the link in the newest mail that asks to confirm a subscription."""
    return open_link(newest(session, "Subscription Confirmation").link("confirmation"))


def delete(session: Session) -> int:
    """Delete all mails; return how many there were."""
    if session.mailbox is None:
        return 0
    count = len(mails(session))
    if count:
        mailbox.Maildir(Path(session.mailbox) / session.account, create=False).clear()
    return count


def _anchor(link: str, address: str) -> str:
    shown = link if len(link) < 90 else f"{link[:88]}…"
    return f'<a href="{html.escape(address)}" target="_blank">{html.escape(shown)}</a>'


def _read(session: Session, message: mailbox.MaildirMessage) -> Mail:
    payload = message.get_payload(decode=True).decode(message.get_content_charset("utf-8"))
    text = payload.strip()
    return Mail(
        subject=str(message["Subject"]),
        sender=str(message["From"]),
        recipient=str(message["To"]),
        sent=parsedate_to_datetime(message["Date"]),
        text=text,
        links=tuple(session.url(link) for link in _LINK.findall(text)),
    )


def _request(request: urllib.request.Request) -> Answer:
    opener = (
        urllib.request.build_opener(urllib.request.ProxyHandler({}))
        if ("127.0.0.1" in request.host)
        else urllib.request.build_opener()
    )
    try:
        with opener.open(request, timeout=60) as response:
            return Answer(response.status, _text(response.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, _text(error.read()))
    except OSError as error:
        raise WorkbookError(
            f"{request.host} does not answer ({error}). If the local AWS was restarted, this link "
            "belongs to the old one: run the notebook's first cell and take the newest mail."
        ) from error


def _text(page: bytes) -> str:
    lines = html.unescape(_TAG.sub("\n", page.decode("utf-8", "replace"))).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
