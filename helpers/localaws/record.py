"""The state file: how a notebook finds the local AWS of this checkout."""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from helpers.errors import WorkbookError

ACCOUNT = "123456789012"  # the number that AWS's documentation uses in examples
REGION = "us-east-1"
CHECKOUT = Path(__file__).resolve().parents[2]
# Seen from the checkout, wherever a kernel or a command runs.
STATE_FILE = CHECKOUT / os.environ.get("WORKBOOK_STATE", ".localaws/state.json")

_NUMBER = re.compile(r"[0-9]{12}")


def secret_of(account: str, secret: str) -> str:
    """Return the secret of an account's own root key, made from the server's ``secret``.

    Who knows one account's cannot make another's, nor the server's.
    """
    digest = hmac.digest(secret.encode(), f"root of {account}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode()


@contextmanager
def lifetime(path: Path) -> Iterator[None]:
    """Hold what only one server of a state file can hold; the system lets go of it for the dead.

    Raises LocalAwsError where another server holds it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_suffix(".alive"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalAwsError(
                "A local AWS of this checkout is already running. Stop it with: "
                "python -m helpers.localaws --stop"
            ) from error
        yield


def is_alive(path: Path) -> bool:
    """Whether a server of this state file lives, answering or not."""
    try:
        with lifetime(path):
            return False
    except LocalAwsError:
        return True


class LocalAwsError(WorkbookError):
    """The local AWS cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class ServerRecord:
    """One running server: where it listens and the root credentials it made for itself.

    ``instance`` is random per start: a server that answers with another one is not ours.
    A guest's record has the key of one account; the server is its host's.
    """

    port: int
    pid: int
    instance: str
    account: str
    region: str
    access_key: str
    secret_key: str
    mailbox: str

    @property
    def endpoint(self) -> str:
        """The address every client is given, for example ``http://127.0.0.1:45113``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_guest(self) -> bool:
        """Whether this is the record of one account only, as a host hands it out."""
        return self.access_key == self.account

    def of(self, account: str) -> ServerRecord:
        """Return the record of another account on the same server, with that account's own key.

        An account is there as soon as somebody uses its number. Raises LocalAwsError where the
        number has not twelve digits, and for a guest who asks for another account.
        """
        if not _NUMBER.fullmatch(account):
            raise LocalAwsError(f"{account!r} is no account: a number of twelve digits is.")
        if account == self.account:
            return self
        if self.is_guest:
            raise LocalAwsError(
                f"This is the key of account {self.account}. Only the host can use {account}."
            )
        return replace(
            self,
            account=account,
            access_key=account,
            secret_key=secret_of(account, self.secret_key),
        )

    def __repr__(self) -> str:
        """Leave the credentials out: records end up in logs and tracebacks."""
        return f"ServerRecord(endpoint={self.endpoint!r}, pid={self.pid}, account={self.account!r})"

    def write(self, path: Path = STATE_FILE) -> None:
        """Store the record so that only its owner can read it (mode 0600), in one step."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{self.pid}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)
        draft.replace(path)

    @classmethod
    def read(cls, path: Path = STATE_FILE) -> ServerRecord | None:
        """Return the stored record, or None where there is none or it cannot be understood."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
