"""Each learner's JupyterLab: a process of a user of its own, in a home that nobody else may open.

https://jupyterhub.readthedocs.io/en/stable/reference/spawners.html
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from tornado.web import HTTPError

from helpers import localaws
from helpers.workshop import people
from helpers.workshop.room import DOOR, Room
from helpers.workshop.seats import HOST, Seat, SeatError, Seats

LINKS = "/services/links"
LOOK_SECONDS = 0.5


class LearnerSpawner(LocalProcessSpawner):
    """Starts a learner's server as the user of the learner's seat, who needs no name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._room = Room.current()

    def _seat(self) -> Seat:
        """Raises SeatError for the host, who has none."""
        if self.user.name == HOST:
            raise SeatError(
                "The host has no seat and no JupyterLab: the host's page is /services/host/. To "
                "work as a learner, come in under another name, in another browser."
            )
        return Seats(self._room.state, self._room.seats).of(self.user.name)

    async def start(self) -> tuple[str, int]:
        """Prepare the learner's home, then start the server; return its address and port."""
        try:
            return await self._started()
        except SeatError as error:
            # Of another exception, who has just clicked is told "Unhandled error" and no more.
            refusal = HTTPError(503, reason="Not now")
            refusal.jupyterhub_message = str(error)
            raise refusal from error

    async def _started(self) -> tuple[str, int]:
        """Raises SeatError where no server can start, or where it ends before it answers."""
        seat = self._seat()
        await asyncio.to_thread(self._prepare, seat)
        # A port that is free anybody may take, and the proxy would send the learner's browser there
        # with its cookies: after a crash, until it is noticed. So the hub holds it as long as it
        # knows this spawner, which it forgets after it has taken the proxy's route away.
        self._door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._door.getsockname()[1]
        self.popen_kwargs = {
            **people.identity(self._room.user(seat.number)),
            "preexec_fn": None,
            # Root goes there before it is the learner: not into a folder that may be a link.
            "cwd": str(self._room.home(seat.name)),
            "pass_fds": (self._door.fileno(),),
            "stdin": subprocess.DEVNULL,
        }
        address = await super().start()
        await self._until_it_answers()
        return address

    def _prepare(self, seat: Seat) -> None:
        if seat.closed:
            raise SeatError("The host is putting your work away. Wait a moment, then start again.")
        record = localaws.running(self._room.aws)
        if record is None:
            raise SeatError("The local AWS of this workshop does not answer. Tell the host.")
        people.settle(self._room, seat, record.of(seat.account))

    async def _until_it_answers(self) -> None:
        """The hub would take minutes to notice that the process has ended."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {self.user.base_url}api HTTP/1.0\r\n\r\n".encode())
        answer = asyncio.ensure_future(reader.read(1))
        try:
            while not answer.done():
                if await self.poll() is not None:
                    raise SeatError(
                        "Your JupyterLab ended before it could be used. Start it again; if it "
                        "ends again, tell the host, who can reset you."
                    )
                await asyncio.wait((answer,), timeout=LOOK_SECONDS)
        finally:
            answer.cancel()
            writer.close()

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add what a learner's server and kernels need to know to JupyterHub's own variables."""
        seat = self._seat()
        own = people.variables(self._room, seat)
        return {**env, **own, "WORKBOOK_LINKS": LINKS, DOOR: str(self._door.fileno())}

    def make_preexec_fn(self, name: str) -> None:
        """The system changes the user, before anything of ours runs in the new process."""
