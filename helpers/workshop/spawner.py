"""Each learner's JupyterLab: a process of a user of its own, in a home that nobody else may open.

https://jupyterhub.readthedocs.io/en/stable/reference/spawners.html
"""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner

from helpers import localaws
from helpers.workshop import people
from helpers.workshop.room import Room
from helpers.workshop.seats import Seat, SeatError, Seats

LINKS = "/services/links"


class LearnerSpawner(LocalProcessSpawner):
    """Starts a learner's server as the user of the learner's seat, who needs no name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._room = Room.current()

    def _seat(self) -> Seat:
        """Raises SeatError for the host, who has none."""
        return Seats(self._room.state, self._room.seats).of(self.user.name)

    async def start(self) -> tuple[str, int]:
        """Prepare the learner's home, then start the server; return its address and port."""
        seat = self._seat()
        await asyncio.to_thread(self._prepare, seat)
        self.popen_kwargs = {
            **people.identity(self._room.user(seat.number)),
            "preexec_fn": None,
            "cwd": str(self._room.home(seat.name) / "workbook"),
            "stdin": subprocess.DEVNULL,
        }
        return await super().start()

    def _prepare(self, seat: Seat) -> None:
        if seat.closed:
            raise SeatError("The host is putting your work away. Wait a moment, then start again.")
        record = localaws.running(self._room.aws)
        if record is None:
            raise SeatError("The local AWS of this workshop does not answer. Tell the host.")
        people.settle(self._room, seat, record.of(seat.account))

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add what a learner's server and kernels need to know to JupyterHub's own variables."""
        seat = self._seat()
        own = people.variables(self._room, seat)
        return {**env, **own, "WORKBOOK_LINKS": LINKS}

    def make_preexec_fn(self, name: str) -> None:
        """The system changes the user, before anything of ours runs in the new process."""
