"""The state file: how a notebook finds the local AWS of this checkout."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers.errors import WorkbookError

ACCOUNT = "123456789012"  # the number that AWS's documentation uses in examples
REGION = "us-east-1"
CHECKOUT = Path(__file__).resolve().parents[2]
STATE_FILE = Path(os.environ.get("WORKBOOK_STATE", CHECKOUT / ".localaws" / "state.json"))


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
