"""The service beside the hub: the host's page, and the pages that mails link to.

Runs as root, for it puts learners' work away; what it does in a learner's home it does as the
learner. https://jupyterhub.readthedocs.io/en/stable/reference/services.html
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError
from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.web import Application, HTTPError, RequestHandler, authenticated

from helpers import localaws
from helpers.errors import WorkbookError
from helpers.workshop import decisions, journal, page, people, standing
from helpers.workshop.links import LinkHandler
from helpers.workshop.room import Room
from helpers.workshop.seats import HOST, Seat, Seats
from helpers.workshop.spawner import LINKS

LOOK_SECONDS = 3
PREFIX = "/services/host"


class Hub:
    """The hub's own API, with this service's token.

    https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html
    """

    def __init__(self) -> None:
        self._address = os.environ["JUPYTERHUB_API_URL"]
        self._token = os.environ["JUPYTERHUB_API_TOKEN"]

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer; None where there is none, or nothing of that name is there."""
        request = HTTPRequest(
            f"{self._address}/{path}",
            method=method,
            headers={"Authorization": f"token {self._token}"},
            body=None if body is None else json.dumps(body),
            allow_nonstandard_methods=True,
            request_timeout=60,
        )
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        if answer.code == 404:
            return None
        answer.rethrow()
        return json.loads(answer.body) if answer.body else None

    async def at_work(self) -> set[str]:
        """Return the names of those whose servers run, or are about to."""
        users = await self.call("GET", "users?state=active") or []
        return {user["name"] for user in users}

    async def stop(self, name: str) -> None:
        """Stop a learner's server and wait until it has ended."""
        await self.call("DELETE", f"users/{name}/server")
        for _ in range(300):
            if name not in await self.at_work():
                return
            await asyncio.sleep(0.1)
        raise WorkbookError(f"{name}'s server does not end. Try again.")

    async def log_out(self, name: str) -> None:
        """Stop a learner's server, and end the log-in of every browser that had the name."""
        await self.stop(name)
        await self.call("DELETE", f"users/{name}")

    async def shut_down(self) -> None:
        """End the hub, and with it the proxy, every server and this service."""
        await self.call("POST", "shutdown", {"proxy": True, "servers": True})


class Desk:
    """What the host does."""

    def __init__(self, room: Room, hub: Hub) -> None:
        """Look after a ``room``."""
        self.room, self.hub = room, hub
        self.seats = Seats(room.state, room.seats)
        self.lessons = standing.lessons(room.workbook / "notebooks")
        self._one = asyncio.Lock()
        self._ending: asyncio.Task[None] | None = None
        self._seen: tuple[float, list[page.Learner]] = (0.0, [])

    async def learners(self) -> list[page.Learner]:
        """Return everybody, looked at not more often than every few seconds."""
        async with self._one:
            looked, found = self._seen
            if time.monotonic() - looked > LOOK_SECONDS:
                here = await self.hub.at_work()
                found = await asyncio.to_thread(self._look, here)
                self._seen = (time.monotonic(), found)
            return found

    def _look(self, here: set[str]) -> list[page.Learner]:
        record = localaws.ServerRecord.read(self.room.aws)
        return [self._learner(seat, seat.name in here, record) for seat in self.seats.all()]

    def _learner(
        self, seat: Seat, here: bool, record: localaws.ServerRecord | None
    ) -> page.Learner:
        path = self.room.home(seat.name) / ".workbook" / "progress.jsonl"
        entries = journal.read(path, self.room.user(seat.number))
        try:
            waiting = decisions.waiting(record.of(seat.account)) if record else []
        except (BotoCoreError, ClientError):
            waiting = []  # an execution was deleted meanwhile, or the local AWS has ended
        return page.Learner(seat, here, standing.of(entries), waiting)

    async def act(self, act: str, name: str) -> str:
        """Do what a button says; return a sentence on what was done. Raises WorkbookError."""
        self._seen = (0.0, [])
        if act == "let-in":
            return await self._let_in(name)
        if act == "reset":
            return await self._reset(name)
        if act == "end":
            return await self._end()
        raise WorkbookError("There is no such button.")

    async def _let_in(self, name: str) -> str:
        self.seats.of(name)
        await self.hub.log_out(name)
        self.seats.let_in(name)
        return f"The next browser that comes with the room's password may be {name}."

    async def _reset(self, name: str) -> str:
        seat = self.seats.of(name)
        await self.hub.stop(name)
        moment = datetime.now(UTC).strftime("%H%M%S")
        target = self.room.kept / f"{name}-before-{moment}.zip"
        await asyncio.to_thread(self._put_away, seat, target)
        record = localaws.running(self.room.aws)
        if record:
            await asyncio.to_thread(decisions.stop_all, record.of(seat.account))
        self.seats.renew(name)
        return f"{name} begins anew, in an empty account. The work before is in {target.name}."

    def _put_away(self, seat: Seat, target: Any) -> None:
        people.end_processes(self.room.user(seat.number))
        people.keep(self.room, seat, target)
        people.leave(self.room, seat)

    async def _end(self) -> str:
        problems = []
        for seat in self.seats.all():
            try:
                await self.hub.stop(seat.name)
                target = self.room.kept / f"{seat.name}.zip"
                await asyncio.to_thread(self._put_away, seat, target)
            except WorkbookError as error:
                problems.append(str(error))
        if problems:
            raise WorkbookError(" ".join(["The day goes on:", *problems]))
        self.seats.clear()
        self._ending = asyncio.create_task(self._shut_down())
        return f"The day is over. Everybody's work is in {self.room.kept}. You can close this page."

    async def _shut_down(self) -> None:
        """End the hub after the answer has gone out: this service ends with it."""
        await asyncio.sleep(1)
        await self.hub.shut_down()


class HostHandler(HubOAuthenticated, RequestHandler):
    """What only the host may see: the hub gives nobody else access to this service."""

    def initialize(self, desk: Desk) -> None:
        """``desk`` does the work."""
        self.desk = desk

    def prepare(self) -> None:
        """Ask nobody but the host; JupyterHub has checked the log-in by then."""
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
        learners = await self.desk.learners()
        form = self.xsrf_form_html()
        return page.room(learners, self.desk.lessons, self.desk.room.seats, form)


class PageHandler(HostHandler):
    """The whole page."""

    @authenticated
    async def get(self) -> None:
        """Show it, with a note on what was done last."""
        self._only_the_host()
        note = self.get_query_argument("note", "")[:500]
        kept, form = str(self.desk.room.kept), self.xsrf_form_html()
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
        try:
            note = await self.desk.act(act, name)
        except WorkbookError as error:
            note = str(error)
        if act == "end":
            self.finish(page.whole("", note, str(self.desk.room.kept), "", self.nonce))
        else:
            self.redirect(f"{PREFIX}/?note={quote(note)}", status=303)


def application(room: Room) -> Application:
    """Return the service of a room."""
    desk = Desk(room, Hub())

    def endpoint() -> str | None:
        record = localaws.ServerRecord.read(room.aws)
        return record.endpoint if record else None

    return Application(
        [
            (f"{PREFIX}/", PageHandler, {"desk": desk}),
            (f"{PREFIX}/room", RoomHandler, {"desk": desk}),
            (f"{PREFIX}/do", ActHandler, {"desk": desk}),
            (f"{PREFIX}/oauth_callback", HubOAuthCallbackHandler),
            (f"{LINKS}/(.*)", LinkHandler, {"endpoint": endpoint}),
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
