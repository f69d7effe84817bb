"""What the host sees and does: everybody's standing, and four buttons.

Runs as root, for it puts learners' work away; what it does in a learner's home it does as the
learner.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from helpers import localaws
from helpers.errors import WorkbookError
from helpers.workshop import decisions, journal, page, people, standing
from helpers.workshop.room import Room
from helpers.workshop.seats import Seat, Seats

LOOK_SECONDS = 3
AWAY_SECONDS = 1  # until a page has gone through the proxy, which ends with the hub
# Of the disk, of the hub, of the local AWS.
FAILURES = (OSError, HTTPClientError, BotoCoreError, ClientError)


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


class Host:
    """What the host sees and does."""

    def __init__(self, room: Room, hub: Hub) -> None:
        """Look after a ``room``."""
        self.room, self.hub = room, hub
        self.seats = Seats(room.state, room.seats)
        self.lessons = standing.lessons(room.workbook / "notebooks")
        self._looking, self._acting = asyncio.Lock(), asyncio.Lock()
        self._seen: tuple[float, list[page.Learner]] = (0.0, [])

    async def learners(self) -> list[page.Learner]:
        """Return everybody, looked at not more often than every few seconds."""
        async with self._looking:
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
        acts = {"let-in": self._let_in, "reset": self._reset, "free": self._free, "end": self._end}
        if act not in acts:
            raise WorkbookError("There is no such button.")
        async with self._acting:  # two tabs of the host's, or two clicks
            try:
                return await acts[act](name)
            except FAILURES as error:
                raise WorkbookError(f"That was not done: {error}. Try again.") from error
            finally:
                self.seats.open()
                self._seen = (0.0, [])

    async def _let_in(self, name: str) -> str:
        self.seats.of(name)
        await self.hub.log_out(name)
        self.seats.let_in(name)
        return f"The next browser that comes with the room's password may be {name}."

    async def _reset(self, name: str) -> str:
        earlier = await self._put_away(self.seats.of(name))
        self.seats.renew(name)
        return f"{name} starts over, in an empty account.{earlier}"

    async def _free(self, name: str) -> str:
        """Log out before the name is free: a browser that stayed would be the next one's too."""
        earlier = await self._put_away(self.seats.of(name))
        await self.hub.log_out(name)
        self.seats.free(name)
        return f"{name}'s seat is free, and the name too.{earlier}"

    async def _end(self, _: str) -> str:
        """Keep everybody's work before anybody's home is deleted: else a second try has none."""
        seats, problems = self.seats.all(), []
        for seat in seats:
            try:
                await self._keep(seat, seat.name)
            except (WorkbookError, *FAILURES) as error:
                problems.append(str(error))
        if problems:
            raise WorkbookError(" ".join(["The day goes on:", *problems]))
        for seat in seats:
            await asyncio.to_thread(people.leave, self.room, seat)
        self.seats.clear(seats)
        return (
            f"The day is over. Everybody's work is in {self.room.kept}. You can close this page: "
            "the workshop ends by itself. If its terminal does not say so, press Ctrl-C there."
        )

    async def _put_away(self, seat: Seat) -> str:
        """Keep a learner's work, and delete the home; return a sentence on where the work is."""
        kept = await self._keep(seat, f"{seat.name}-before-{datetime.now(UTC):%H%M%S}")
        await asyncio.to_thread(people.leave, self.room, seat)
        return f" The earlier work is in {kept.name}." if kept else ""

    async def _keep(self, seat: Seat, name: str) -> Path | None:
        """Stop what a learner has running, and keep the work under a name; return where it is."""
        self.seats.close(seat.name)
        await self.hub.stop(seat.name)
        await asyncio.to_thread(self._stop, seat)
        return await asyncio.to_thread(people.keep, self.room, seat, name)

    def _stop(self, seat: Seat) -> None:
        """End a learner's executions first: they would start functions, which are processes."""
        record = localaws.running(self.room.aws)
        if record:
            decisions.stop_all(record.of(seat.account))
        people.end_processes(self.room.user(seat.number))

    async def close(self) -> None:
        """End the hub, and this service with it, once the page that says so is on its way.

        Raises what the hub's API raises where it refuses; the page says what to do then.
        """
        await asyncio.sleep(AWAY_SECONDS)
        await self.hub.shut_down()
