"""Who may come in: with the room's password, under a name that is free or one's own.

JupyterHub's SharedPasswordAuthenticator lets everybody in under everybody's name. Here a name
belongs to the browser that took it first.
https://jupyterhub.readthedocs.io/en/stable/reference/authenticators.html
"""

from __future__ import annotations

import asyncio
import hmac
import os
from typing import Any
from weakref import WeakValueDictionary

from jupyterhub.auth import Authenticator
from tornado.web import HTTPError, RequestHandler

from helpers.workshop.room import HOST_PASSWORD, PASSWORD, Room
from helpers.workshop.seats import HOST, SeatError, Seats

PAUSE_SECONDS = 0.5


class RoomAuthenticator(Authenticator):
    """Asks for a name and a password, and remembers which browser has which name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Taken out of the environment: what the hub starts must not have them.
        self._password = os.environ.pop(PASSWORD)
        self._host_password = os.environ.pop(HOST_PASSWORD)
        room = Room.current()
        self._seats = Seats(room.state, room.seats)
        # Those of addresses at which somebody waits: nothing else keeps a lock.
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def authenticate(self, handler: RequestHandler, data: dict[str, str]) -> str | None:
        """Return the name of who may come in, None where the password is wrong."""
        name, password = data.get("username", "").lower(), data.get("password", "")
        wanted = self._host_password if name == HOST else self._password
        # One at a time of each address: a guess takes half a second, and not a thousand of them.
        # Who comes from elsewhere does not wait for who guesses.
        async with self._asking.setdefault(_address(handler), asyncio.Lock()):
            if not hmac.compare_digest(password.encode(), wanted.encode()):
                await asyncio.sleep(PAUSE_SECONDS)
                return None
        if name == HOST:
            return name
        cookie = f"workshop-name-{name}"
        try:
            proof = self._seats.take(name, handler.get_cookie(cookie))
        except SeatError as error:
            raise HTTPError(403, str(error).replace("%", "%%"), reason="Forbidden") from error
        # For the log-in only: no learner's server gets to see it.
        handler.set_cookie(
            cookie, proof, path="/hub/login", httponly=True, samesite="Lax", expires_days=3
        )
        return name


def _address(handler: RequestHandler) -> str:
    """Return the address that the proxy has seen a request come from, the last that it names.

    Tornado's ``remote_ip`` is what the sender says in X-Real-IP, if that is there.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For
    """
    return handler.request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
