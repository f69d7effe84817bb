"""The service beside the hub: the host's page, and the pages that mails link to.

https://jupyterhub.readthedocs.io/en/stable/reference/services.html
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from urllib.parse import quote

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import Application, HTTPError, RequestHandler, authenticated

from helpers import localaws
from helpers.errors import WorkbookError
from helpers.workshop import links, page
from helpers.workshop.host import Host, Hub
from helpers.workshop.room import Room
from helpers.workshop.seats import HOST
from helpers.workshop.spawner import LINKS

PREFIX = "/services/host"


class HostHandler(HubOAuthenticated, RequestHandler):
    """What only the host may see: the hub gives nobody else access to this service."""

    def initialize(self, host: Host) -> None:
        """``host`` does the work."""
        self.host = host

    def prepare(self) -> None:
        """Let the page load nothing, and nobody keep or frame it."""
        self.nonce = secrets.token_urlsafe(16)
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{self.nonce}'; "
            "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        )
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")

    def _only_the_host(self) -> None:
        if self.current_user["name"] != HOST:
            raise HTTPError(403)

    async def _room(self) -> str:
        learners = await self.host.learners()
        form = self.xsrf_form_html()
        return page.room(learners, self.host.lessons, self.host.room.seats, form)


class PageHandler(HostHandler):
    """The whole page."""

    @authenticated
    async def get(self) -> None:
        """Show it, with a note on what was done last."""
        self._only_the_host()
        note = self.get_query_argument("note", "")[:2000]
        kept, form = str(self.host.room.kept), self.xsrf_form_html()
        self.finish(page.whole(await self._room(), note, kept, form, self.nonce))


class RoomHandler(HostHandler):
    """The part of the page that is drawn anew."""

    @authenticated
    async def get(self) -> None:
        """Show it."""
        self._only_the_host()
        self.finish(await self._room())


class ActHandler(HostHandler):
    """The buttons."""

    @authenticated
    async def post(self) -> None:
        """Do what a button says, and go back to the page."""
        self._only_the_host()
        act, name = self.get_body_argument("act"), self.get_body_argument("name", "")
        over = act == "end"
        try:
            note = await self.host.act(act, name)
        except WorkbookError as error:
            note, over = str(error), False
        if over:
            await self.finish(page.whole("", note, str(self.host.room.kept), "", self.nonce))
            await self.host.close()  # where it fails, tornado writes it into the hub's log
        else:
            self.redirect(f"{PREFIX}/?note={quote(note)}", status=303)


def application(room: Room) -> Application:
    """Return the service of a room."""
    host = Host(room, Hub())
    host.seats.open()  # closed by a page that did not live to open them

    def endpoint() -> str | None:
        record = localaws.ServerRecord.read(room.aws)
        return record.endpoint if record else None

    return Application(
        [
            (f"{PREFIX}/", PageHandler, {"host": host}),
            (f"{PREFIX}/room", RoomHandler, {"host": host}),
            (f"{PREFIX}/do", ActHandler, {"host": host}),
            (f"{PREFIX}/oauth_callback", HubOAuthCallbackHandler),
            (f"{LINKS}/(.*)", links.LinkHandler, {"endpoint": endpoint, "client": links.client()}),
        ],
        cookie_secret=secrets.token_bytes(32),
        xsrf_cookies=True,
    )


async def main() -> None:
    """Serve until the hub ends this process."""
    room, ended = Room.current(), asyncio.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, ended.set)
    application(room).listen(room.page, "127.0.0.1", max_body_size=2**20)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
