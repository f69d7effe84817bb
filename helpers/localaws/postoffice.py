"""The mailboxes: one Maildir an account, so that any mail program can read it."""

from __future__ import annotations

import mailbox
import re
import threading
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from helpers.localaws import guests
from helpers.localaws.letters import ADDRESS, Letter

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class PostOffice:
    """Puts letters into Maildirs below a folder."""

    def __init__(self, folder: Path) -> None:
        """Keep the mailboxes below ``folder``."""
        self.folder = folder
        self._lock = threading.Lock()

    def deliver(self, account: str, recipient: str, letter: Letter) -> None:
        """Put a letter into the mailbox of an account."""
        message = composed(recipient, letter)
        with self._lock:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            guests.open_way(self.folder)
            with guests.filing_for(account, self.folder / account):
                # Maildir makes the parts only where it makes the whole.
                for part in ("", "tmp", "new", "cur"):
                    (self.folder / account / part).mkdir(mode=0o700, exist_ok=True)
                mailbox.Maildir(self.folder / account).add(message)


def composed(recipient: str, letter: Letter) -> EmailMessage:
    """Return a letter as a mail: plain text in UTF-8, whatever its author wrote."""
    message = EmailMessage()
    username, domain = ADDRESS.split("@")
    message["From"] = Address(_CONTROL.sub(" ", _text(letter.sender)), username, domain)
    message["To"] = recipient
    message["Subject"] = _CONTROL.sub(" ", _text(letter.subject))
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="sns.amazonaws.com")
    if letter.unsubscribe:
        message["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
    message.set_content(_text(letter.text))
    return message


def _text(text: str) -> str:
    """Replace half characters: JSON can hold them, a mail cannot."""
    return text.encode("utf-8", "replace").decode()
