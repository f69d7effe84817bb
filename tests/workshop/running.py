"""A workshop that runs, started as `make workshop` starts it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helpers.localaws.record import CHECKOUT
from tests.browser.lab import free_port
from tests.workshop.visitor import Visitor


@dataclass
class Workshop:
    """A workshop that runs in ``folder``; ``words`` is its start message."""

    process: subprocess.Popen[str]
    words: str
    folder: Path
    address: str
    kept: Path
    password: str
    host_password: str

    def visitor(self, name: str) -> Visitor:
        return Visitor(self.address, name)


@contextmanager
def workshop(folder: Path, seats: int, first: int) -> Iterator[Workshop]:
    """Run a workshop in a folder, whose work goes beside it; end it as Ctrl-C does.

    The learners have user ids after ``first``.
    """
    port = free_port()
    room = ("--learners", str(seats), "--room", str(folder), "--first-user", str(first))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "helpers.workshop", *room),
            *("--port", str(port), "--kept", str(folder.parent / "kept")),
        ],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        words = _start_message(process, folder)
        password = re.search(r"room's password: (\S+)", words)[1]
        host_password = re.search(r"host's password: (\S+)", words)[1]
        address = f"http://127.0.0.1:{port}"
        kept = Path(re.search(r"Work goes to (.+) when", words)[1])
        yield Workshop(process, words, folder, address, kept, password, host_password)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(150)  # it gives the hub and the local AWS a minute each


def _start_message(process: subprocess.Popen[str], folder: Path) -> str:
    words = ""
    for line in process.stdout:
        words += line
        if "Ctrl-C" in line:
            return words
    logs = "".join(path.read_text() for path in (folder / "state").glob("*.log"))
    raise AssertionError(words + logs)
