"""Guests: accounts that belong to other users of this computer, as in a workshop.

The server is root's then. What it does on disk for a guest's account, and the functions that it
starts for one, it does as that account's user: a guest's code is a guest's process, which reads
neither the server's files nor another guest's.

Accounts and users are counted alike: account 000000000007 is the seventh user. The digits before
the last six tell accounts of the same user apart. An account without a user acts as the first
number, which is nobody's.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SEATS = 1_000_000


@dataclass(frozen=True)
class Guests:
    """``count`` users, numbered after the user id ``first``."""

    first: int
    count: int

    @classmethod
    def read(cls, words: str) -> Guests:
        """Return what the command line says as FIRST:COUNT. Raises ValueError."""
        first, _, count = words.partition(":")
        guests = cls(int(first), int(count))
        if guests.first < 1 or guests.count < 1:  # 0 is root
            raise ValueError(f"{words} names no users")
        return guests

    def user(self, account: str) -> int:
        """Return the user id of an account, which is never root's."""
        seat = int(account) % SEATS
        return self.first + (seat if seat <= self.count else 0)


_guests: Guests | None = None


def install(guests: Guests | None) -> None:
    """Let accounts belong to other users from now on; None: to nobody but this one."""
    global _guests
    if guests and os.geteuid() != 0:
        raise PermissionError("Only root can act for other users.")
    _guests = guests
    if guests:
        os.umask(0o077)
        # Root has groups, of which files are: who acts on files as a guest would keep them.
        os.setgroups([])


def are_here() -> bool:
    """Whether accounts belong to other users."""
    return _guests is not None


def user_of(account: str) -> int | None:
    """Return the user id that an account's code runs as, None where it is this process's own."""
    return _guests.user(account) if _guests else None


def open_way(folder: Path) -> None:
    """Let guests through a folder, to what is theirs in it; they cannot list it."""
    if _guests:
        folder.chmod(0o711)


def lend(folder: Path, user: int) -> None:
    """Let a user's processes read a folder, which stays ours: on Lambda, code is read-only too.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    for name, _, names in os.walk(folder):
        place = Path(name)
        os.chown(place, -1, user)
        place.chmod(0o750)
        for path in map(place.joinpath, names):
            os.chown(path, -1, user, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(0o640)


@contextmanager
def filing_for(account: str, folder: Path) -> Iterator[None]:
    """Work in an account's ``folder`` as its user does; without guests, as ever.

    A guest may put a link anywhere in a folder of its own. Who follows it must be the guest.
    """
    user = user_of(account)
    if user is None:
        yield
        return
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, user, user)
    _act_on_files_as(user)
    try:
        yield
    finally:
        _act_on_files_as(0)


def _act_on_files_as(user: int) -> None:
    """Change whose files this thread, and no other, may open.

    https://man7.org/linux/man-pages/man2/setfsuid.2.html: it reports no failure, so it is asked
    what holds now.
    """
    system = ctypes.CDLL(None)
    for change in (
        (system.setfsgid, system.setfsuid) if user else (system.setfsuid, system.setfsgid)
    ):
        change(user)
        if change(-1) != user:
            raise PermissionError(f"Files cannot be used as user {user}.")


def become(user: int) -> None:
    """Be a user from now on, in this whole process, with no way back."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
