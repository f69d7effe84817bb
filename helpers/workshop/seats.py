"""The seats: who sits where, with which account, and which browser has the name.

One file of the room's state, which the hub and the host's page both change; a lock keeps them from
doing so at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers.errors import WorkbookError
from helpers.localaws.guests import SEATS

HOST = "host"
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


class SeatError(WorkbookError):
    """A learner cannot sit down; the message says why and what to do."""

    @property
    def jupyterhub_message(self) -> str:
        """What JupyterHub shows where a server could not start."""
        return str(self)


@dataclass
class Seat:
    """A learner's seat: its ``number`` counts from 1, ``times`` how often the account was emptied.

    ``browser`` is the digest of the cookie that the name's browser has, "" where it may be taken.
    While it is ``closed`` no server starts, and nobody comes in: the host is putting the work away.
    """

    name: str
    number: int
    times: int = 0
    browser: str = ""
    closed: bool = False

    @property
    def account(self) -> str:
        """The number of the account: another one each time that it was emptied."""
        return f"{self.times * SEATS + self.number:012d}"


class Seats:
    """All seats of a room, kept in a file; one that is free again has no name there."""

    def __init__(self, folder: Path, count: int) -> None:
        """Keep ``count`` seats in a file of ``folder``."""
        self._file = folder / "seats.json"
        self._lock = folder / "seats.lock"
        self.count = count

    def all(self) -> list[Seat]:
        """Return the seats that are taken, in the order in which they were."""
        with self._held() as seats:
            return [seat for seat in seats if seat.name]

    def of(self, name: str) -> Seat:
        """Return a learner's seat. Raises SeatError where nobody of that name has one."""
        with self._held() as seats:
            return _of(seats, name)

    def take(self, name: str, cookie: str | None) -> str:
        """Let somebody sit down who knows the password; return the cookie of the name's browser.

        A name belongs to the browser that took it: ``cookie`` proves it. Raises SeatError.
        """
        _check(name)
        with self._held() as seats:
            seat = _named(seats, name) or self._next(seats, name)
            if not seat.browser:
                cookie = secrets.token_urlsafe(32)
                seat.browser = _digest(cookie)
            elif not cookie or not hmac.compare_digest(seat.browser, _digest(cookie)):
                raise SeatError(
                    f"The name {name} is taken by another browser. Choose another name; if it is "
                    "yours, ask the host to let you in again."
                )
            if seat.closed:  # who came in now might stay when the name is somebody else's
                raise SeatError(
                    "The host is putting your work away. Wait a moment, then come in again."
                )
            return cookie

    def _next(self, seats: list[Seat], name: str) -> Seat:
        """Return a seat for somebody new, in an account that nobody had."""
        earlier = {seat.number: seat for seat in seats}
        for number in range(1, self.count + 1):
            seat = earlier.get(number, Seat("", number))
            if not seat.name:
                seats[:] = [*(each for each in seats if each is not seat), seat]
                seat.name = name
                return seat
        raise SeatError(
            f"All {self.count} seats are taken. Ask the host, who can free one, or start the "
            "workshop with more."
        )

    def let_in(self, name: str) -> None:
        """Let the next browser that comes have a name."""
        with self._held() as seats:
            _of(seats, name).browser = ""

    def renew(self, name: str) -> Seat:
        """Give a learner an account that is empty; return the seat."""
        with self._held() as seats:
            seat = _of(seats, name)
            seat.times += 1
            return seat

    def free(self, name: str) -> None:
        """Let the next who comes have a seat and its name, with another account."""
        with self._held() as seats:
            seat = _of(seats, name)
            seats[seats.index(seat)] = Seat("", seat.number, seat.times + 1)

    def close(self, name: str) -> None:
        """Let no server start at a seat, and nobody come in under its name."""
        with self._held() as seats:
            _of(seats, name).closed = True

    def open(self) -> None:
        """Let servers start at every seat."""
        with self._held() as seats:
            for seat in seats:
                seat.closed = False

    def clear(self, gone: Iterable[Seat]) -> None:
        """Let some go; who has come meanwhile keeps the seat."""
        names = {"", *(seat.name for seat in gone)}
        with self._held() as seats:
            seats[:] = [seat for seat in seats if seat.name not in names]

    @contextmanager
    def _held(self) -> Iterator[list[Seat]]:
        with open(self._lock, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = self._file.read_text() if self._file.exists() else "[]"
            seats = [Seat(**seat) for seat in json.loads(text)]
            yield seats
            changed = json.dumps([asdict(seat) for seat in seats])
            if changed != text:
                draft = self._file.with_suffix(".new")
                draft.write_text(changed)
                draft.replace(self._file)


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise SeatError(
            "A name is up to 20 letters a to z, digits and hyphens, and begins with a letter."
        )
    if name == HOST:
        raise SeatError(f"The name {HOST} has a password of its own.")


def _named(seats: list[Seat], name: str) -> Seat | None:
    return next((seat for seat in seats if seat.name == name), None)


def _of(seats: list[Seat], name: str) -> Seat:
    seat = _named(seats, name) if name else None
    if seat is None:
        raise SeatError(f"Nobody here is called {name}.")
    return seat


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
