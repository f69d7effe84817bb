"""The administrator's mail: shown with links that work, and the links followed.

End a cell with ``inbox.panel(aws)``: new mail appears in it by itself. On a real account the mail
is in a real mailbox, and the panel says so.
"""

from __future__ import annotations

import email
import html
import mailbox
import re
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import Any

from helpers import loopback, real_mail, stack, waiting
from helpers.errors import WorkbookError
from helpers.markup import escaped, plain, visible
from helpers.panel import Panel
from helpers.real_mail import IN_THE_MAILBOX, RealMail, RealNotice
from helpers.session import Session

# Of an address, printable ASCII signs only: what looks like another letter ends it, and so do the
# quote and the angle brackets.
_LINK = re.compile(r"[hH][tT][tT][pP][sS]?://[!#-;=?-~]+")
_AFTER_A_LINK = ".,;:!?'`*"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
# A mail that is longer is folded after so much of it.
_LINES_SHOWN, _SIGNS_SHOWN = 26, 5_000
_MAILS_SHOWN = 50
_TAG = re.compile(r"<(style|title)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Mail:
    """One mail; ``links`` are addresses that open on this computer, ``pages`` in a browser."""

    subject: str
    sender: str
    recipient: str
    sent: datetime
    text: str
    links: tuple[str, ...]
    pages: tuple[str, ...] = ()  # where a browser needs others

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
        head, rest = self._folded()
        left = f"The rest of this mail: {rest} line{'' if rest == 1 else 's'}"
        more = f"<details><summary>{left}</summary>{self._shown(head, len(self.text))}</details>"
        who = f"from {escaped(self.sender)} to {escaped(self.recipient)}"
        return (
            '<div style="border:1px solid rgba(128,128,128,0.5);border-radius:6px;'
            'padding:10px 14px;margin:6px 0;line-height:1.4">'
            f"<b>{escaped(self.subject)}</b><br>"
            f"<small>{who}, {self.sent.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC</small>"
            f"{self._shown(0, head)}{more if rest else ''}</div>"
        )

    def _folded(self) -> tuple[int, int]:
        """Return after how many signs the mail is folded, and how many lines are left then."""
        ends = [match.end() for match in re.finditer(r"\n|\Z", self.text)]
        kept = [end for end in ends[:_LINES_SHOWN] if end <= _SIGNS_SHOWN]
        if len(kept) == len(ends):
            return len(self.text), 0
        # Better at the end of a paragraph than within one, if one ends near there.
        paragraphs = [end for end in kept[-10:] if self.text.endswith("\n\n", 0, end)]
        head = (paragraphs or kept or [0])[-1]
        return head, sum(end > head for end in ends)

    def _shown(self, begin: int, end: int) -> str:
        """Return a part of the text as HTML; its ends are ends of lines, so they cut no link."""
        # The text is a stranger's in part: links are found in it as it is, then all is escaped.
        parts = []
        for (first, last), address in zip(_links(self.text), self.pages or self.links, strict=True):
            if begin <= first < end:
                parts += [escaped(self.text[begin:first])]
                parts += [_anchor(self.text[first:last], address)]
                begin = last
        text = "".join([*parts, escaped(self.text[begin:end])])
        return plain(text)


@dataclass(frozen=True)
class Answer:
    """What a web page answered: its HTTP status and its text."""

    status: int
    text: str

    def __repr__(self) -> str:
        return f"HTTP {self.status}\n{self.text}"

    def _repr_html_(self) -> str:
        return plain(escaped(repr(self)))


def mails(session: Session) -> list[Mail]:
    """Return all mails, newest first.

    Raises WorkbookError on a real account: there, the mail is in a real mailbox.
    """
    if session.mailbox is None:
        raise WorkbookError(IN_THE_MAILBOX)
    return list(_Folder(session).look().values())


def panel(session: Session) -> InboxPanel:
    """Return a panel of all mails, in which new ones appear by themselves; end a cell with it."""
    return InboxPanel(session)


def address(session: Session, ask: Callable[[str], str] = input) -> str:
    """Return the address that the app's mails go to.

    Locally nobody's; on a real account that in the variable WORKBOOK_EMAIL, else ``ask`` asks for
    it. Raises WorkbookError where none is given.
    """
    return stack.EMAIL if session.mailbox else real_mail.address(ask)


def newest(
    session: Session, words: str = "", *, question: bool = True
) -> Mail | RealMail | RealNotice:
    """Return the newest mail whose subject or text has ``words`` in it, waiting for one to come.

    On a real account the mail is in a real mailbox: it is said which one, and where the links of a
    ``question`` lead. Of a mail that asks nothing, nothing else is known there.
    """
    if session.mailbox is None:
        return real_mail.newest(session, words) if question else RealNotice(words)
    for _ in waiting.looks(session, "a mail to come"):
        for mail in mails(session):
            if words in mail.subject or words in mail.text:
                return mail
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


def confirm_subscription(session: Session) -> Answer | str:
    """Follow the link in the newest mail that asks to confirm a subscription.

    On a real account only you can: waits until you have, and says so.
    """
    if session.mailbox is None:
        return real_mail.wait_for_confirmation(session)
    return open_link(newest(session, "Subscription Confirmation").link("confirmation"))


def delete(session: Session) -> int:
    """Delete all mails; return how many there were."""
    if session.mailbox is None:
        return 0
    count = len(mails(session))
    if count:
        mailbox.Maildir(Path(session.mailbox) / session.account, create=False).clear()
    return count


class _Folder:
    """The mails of the session's account, each of which is read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.path = Path(str(session.mailbox)) / session.account
        self._read: dict[str, Mail] = {}

    def look(self) -> dict[str, Mail]:
        """Return all mails by their keys, newest first."""
        if not all((self.path / part).exists() for part in ("new", "cur")):
            return {}  # the first mail makes the folder
        box = mailbox.Maildir(self.path, factory=_parsed, create=False)
        found = {}
        for key in sorted(box.keys(), key=_delivered, reverse=True):
            if key in self._read:
                found[key] = self._read[key]
            elif (message := _message(box, key)) is not None:
                found[key] = _read(self._session, message)
        self._read = found
        return found


def _message(box: mailbox.Maildir, key: str) -> EmailMessage | None:
    """Return a mail, None where it was deleted while we looked."""
    try:
        return box.get(key)
    except FileNotFoundError:  # between finding and opening it
        return None


def _delivered(key: str) -> list[int]:
    """When a mail came, as its key in a Maildir says: dates in mails have whole seconds only."""
    return [int(part) for part in re.findall(r"\d+", key)[:2]]


def _parsed(file: Any) -> EmailMessage:
    # The default policy decodes what a header may hold beside ASCII; Maildir's own does not.
    return email.message_from_binary_file(file, policy=policy.default)


def _read(session: Session, message: EmailMessage) -> Mail:
    body = message.get_body(("plain", "html"))
    text = str(body.get_content()).strip() if body else ""
    sent = parsedate_to_datetime(message["Date"])
    return Mail(
        subject=str(message["Subject"]),
        sender=str(message["From"]),
        recipient=str(message["To"]),
        # "-0000" is UTC too, and says besides that it is nobody's local time.
        # https://www.rfc-editor.org/rfc/rfc5322#section-3.3
        sent=sent if sent.tzinfo else sent.replace(tzinfo=UTC),
        text=text,
        links=tuple(session.url(text[first:last]) for first, last in _links(text)),
        pages=tuple(session.page(text[first:last]) for first, last in _links(text)),
    )


def _links(text: str) -> list[tuple[int, int]]:
    """Return where in a text the links begin and end, without what only stands beside them."""
    places = []
    for match in _LINK.finditer(text):
        link = _bare(match[0])
        if _leads_somewhere(link):
            places.append((match.start(), match.start() + len(link)))
    return places


def _bare(link: str) -> str:
    """Take the end of a sentence off a link, and a bracket that was opened before it."""
    counts, end = Counter(link), len(link)
    while end:
        last = link[end - 1]
        opened = _BRACKETS.get(last)
        if last not in _AFTER_A_LINK and (not opened or counts[opened] >= counts[last]):
            break
        counts[last] -= 1
        end -= 1
    return link[:end]


def _leads_somewhere(link: str) -> bool:
    try:
        return bool(urllib.parse.urlsplit(link).hostname)
    except ValueError:
        return False  # such as https://[, which Python takes for an address of IPv6


def _anchor(link: str, address: str) -> str:
    shown = link if len(link) < 90 else f"{link[:88]}…"
    return (
        f'<a href="{escaped(address)}" target="_blank" rel="noopener noreferrer" '
        'style="color:var(--jp-content-link-color,#2f81f7);text-decoration:underline">'
        f"{escaped(shown)}</a>"
    )


def _request(request: urllib.request.Request) -> Answer:
    here = "127.0.0.1" in request.host
    opener = loopback.opener() if here else urllib.request.build_opener()
    try:
        with opener.open(request, timeout=60) as response:
            return Answer(response.status, _text(response.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, _text(error.read()))
    except OSError as error:
        advice = (
            "If the local AWS was restarted, this link belongs to the old one: run the notebook's "
            "first cell and take the newest mail."
            if here
            else "Is this computer online, and is the app still deployed? Then run this cell again."
        )
        raise WorkbookError(f"{request.host} does not answer ({error}). {advice}") from error


def _text(page: bytes) -> str:
    lines = html.unescape(_TAG.sub("\n", page.decode("utf-8", "replace"))).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())


class InboxPanel(Panel):
    """A live panel of the mails, newest first: new ones appear by themselves."""

    def __init__(self, session: Session, seconds: float | None = None) -> None:
        """Look once, and then every so many ``seconds``; on a real account there is nothing to."""
        super().__init__(session, session.account, seconds)
        import ipywidgets

        self._folder = _Folder(session)
        self._mails: dict[str, Mail] = {}
        self._widgets: dict[str, Any] = {}
        self._heading, self._list = ipywidgets.HTML(), ipywidgets.VBox()
        self.box = ipywidgets.VBox([self._heading, self._trouble, self._list])
        self.refresh()
        if not self.ended:
            self.start()

    @property
    def ended(self) -> bool:
        """Whether there is nothing to look at: on a real account, mail is in a real mailbox."""
        return self._session.mailbox is None

    def refresh(self) -> bool:
        """Look once; return whether mails have come or gone."""
        found = {} if self.ended else self._folder.look()
        if self._mails and not self._folder.path.parent.exists():
            raise WorkbookError(
                "The mailbox is gone: the local AWS was stopped. What was in it stays here. Run "
                "this notebook's first cell again."
            )
        changed = found.keys() != self._mails.keys()
        self._mails = found
        self._draw()
        return changed

    @property
    def mails(self) -> list[Mail]:
        """All mails, newest first."""
        return list(self._mails.values())

    def finish(self) -> None:
        """Say that no new mail appears any more."""
        self._heading.value = "<i>This panel looks no more: run its cell again to go on.</i>"

    def _draw(self) -> None:
        import ipywidgets

        self._heading.value = f"<b>{escaped(self._words())}</b>"
        # Each mail keeps its widget, so that one who reads is not disturbed by another that comes.
        kept = {}
        for key, mail in islice(self._mails.items(), _MAILS_SHOWN):
            kept[key] = self._widgets.pop(key, None) or ipywidgets.HTML(mail._repr_html_())
        for widget in self._widgets.values():
            widget.close()
        self._widgets = kept
        if self._list.children != tuple(kept.values()):
            self._list.children = tuple(kept.values())

    def _words(self) -> str:
        if self.ended:
            return IN_THE_MAILBOX
        count = len(self.mails)
        if not count:
            return "No mail yet. It appears here by itself."
        older = f"; the newest {_MAILS_SHOWN} are here" if count > _MAILS_SHOWN else ""
        return f"{count} mail{'' if count == 1 else 's'}{older}"

    def __repr__(self) -> str:
        newest = [f"the newest: {visible(mail.subject)}" for mail in self.mails[:1]]
        return "\n".join([self._words(), *newest])

    def _repr_html_(self) -> str:
        shown = "".join(mail._repr_html_() for mail in self.mails[:_MAILS_SHOWN])
        return f"<div><b>{escaped(self._words())}</b></div>{shown}"
