"""Learners as users of the computer: their homes, and what is done in them, which is done as them.

A learner may put anything at home, a link to somebody else's file for one. So root never reads or
writes there: a process of the learner's user does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from helpers.errors import WorkbookError
from helpers.localaws import ServerRecord
from helpers.workshop.room import Room
from helpers.workshop.seats import Seat

# A zip that is bigger is not kept: a learner could fill the host's disk.
LARGEST = 200 * 2**20
PATIENCE_SECONDS = 120


def identity(user: int) -> dict[str, Any]:
    """Return what makes `subprocess.Popen` start a process of a user, of no group but its own."""
    return {"user": user, "group": user, "extra_groups": (), "umask": 0o077}


def variables(room: Room, seat: Seat) -> dict[str, str]:
    """Return the environment of a learner's processes: nothing of root's is in it."""
    home = room.home(seat.name)
    return {
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(room.runtime(seat.number)),
        "LANG": "C.UTF-8",
        "PATH": f"{room.python.parent}:/usr/local/bin:/usr/bin:/bin",
        "SHELL": "/bin/bash",
        "USER": seat.name,
        "WORKBOOK_PROGRESS": str(home / ".workbook" / "progress.jsonl"),
        "WORKBOOK_STATE": str(home / ".workbook" / "state.json"),
    }


def settle(room: Room, seat: Seat, record: ServerRecord) -> None:
    """Make a learner's home, with the workbook in it unless it is there, and the account's key."""
    user = room.user(seat.number)
    shutil.rmtree(room.runtime(seat.number), ignore_errors=True)  # of a server that has ended
    for folder in (room.home(seat.name), room.runtime(seat.number)):
        folder.mkdir(mode=0o700, exist_ok=True)  # in a folder that is root's
        os.chown(folder, user, user)
    done = subprocess.run(
        [str(room.python), "-m", "helpers.workshop.desk", str(room.workbook)],
        **identity(user),
        cwd=room.home(seat.name),
        env=variables(room, seat),
        input=json.dumps(asdict(record)),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{seat.name}'s desk could not be prepared: {done.stderr[-500:]}")


def keep(room: Room, seat: Seat, target: Path) -> None:
    """Put a learner's work into a zip file of root's. Raises WorkbookError where it cannot be."""
    home = room.home(seat.name)
    if not home.exists():
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_suffix(".part")
    command = [str(room.python), "-m", "helpers.workshop.archive", "workbook"]
    with (
        open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file,
        subprocess.Popen(
            command,
            **identity(room.user(seat.number)),
            cwd=home,
            env=variables(room, seat),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as packing,
    ):
        size = 0
        while piece := packing.stdout.read(2**16):
            size += len(piece)
            if size > LARGEST:
                packing.kill()
                break
            file.write(piece)
    if packing.returncode:
        draft.unlink()
        raise WorkbookError(
            f"{seat.name}'s work could not be kept: it is larger than {LARGEST >> 20} MB, or "
            "cannot be read. It was left where it is."
        )
    draft.replace(target)


def leave(room: Room, seat: Seat) -> None:
    """End whatever a learner's user runs, and delete the home."""
    end_processes(room.user(seat.number))
    for folder in (room.home(seat.name), room.runtime(seat.number)):
        if folder.exists():
            shutil.rmtree(folder)  # follows no links


def end_processes(user: int) -> None:
    """End every process of a user; until none is left, for one may start another meanwhile."""
    for _ in range(50):
        found = processes(user)
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if not found:
            return


def processes(user: int) -> list[int]:
    """Return the ids of the processes of a user; those that have ended do not count."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # it has ended meanwhile
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if int(fields["Uid"].split()[0]) == user and not fields["State"].strip().startswith(
                "Z"
            ):
                found.append(int(status.parent.name))
    return found
