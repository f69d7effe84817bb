"""Learners as users of the computer: their homes, and what is done in them, which is done as them.

A learner may put anything at home, a link to somebody else's file for one. So root never reads or
writes there: a process of the learner's user does.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import Any, BinaryIO

from helpers.errors import WorkbookError
from helpers.localaws import ServerRecord
from helpers.workshop.room import Room
from helpers.workshop.seats import Seat, SeatError

# A zip that is bigger is not kept: a learner could fill the host's disk.
LARGEST = 200 * 2**20
PATIENCE_SECONDS, ENDING_SECONDS = 120, 20
# Where every user may leave something.
# https://refspecs.linuxfoundation.org/FHS_3.0/fhs/index.html
EVERYBODYS = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108 - to delete there


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
        _command(room, "desk", str(room.workbook)),
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
        reason = done.stderr.strip().splitlines()[-1:]
        raise SeatError(" ".join(["Your folder could not be prepared. Tell the host:", *reason]))


def _command(room: Room, module: str, argument: str) -> list[str]:
    # -P: a folder `helpers` in the learner's home is not ours.
    return [str(room.python), "-P", "-m", f"helpers.workshop.{module}", argument]


def keep(room: Room, seat: Seat, name: str) -> Path | None:
    """Put a learner's work into a zip file of the keeper's; return it, None where there is none.

    It is called ``name``, with a number where there is one of that name. Raises WorkbookError where
    the work cannot be packed; it is left as it was.
    """
    home = room.home(seat.name)
    if not home.exists():
        return None
    _open_to_keeper(room)
    draft = room.kept / f"{seat.name}.part"
    with (
        open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file,
        subprocess.Popen(
            _command(room, "archive", "workbook"),
            **identity(room.user(seat.number)),
            cwd=home,
            env=variables(room, seat),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as packing,
    ):
        late = Timer(PATIENCE_SECONDS, packing.kill)
        late.start()
        if not _copied(packing.stdout, file):
            packing.kill()
        late.cancel()
    if packing.returncode:
        draft.unlink()
        raise WorkbookError(
            f"{seat.name}'s work could not be kept: as a zip file it is larger than "
            f"{LARGEST >> 20} MB, or it cannot be read within {PATIENCE_SECONDS} s. It was left in "
            f"{home}: delete there what is too large, and press the button again."
        )
    os.chown(draft, *room.keeper)
    target = _free(room.kept / f"{name}.zip")
    draft.replace(target)
    return target


def _open_to_keeper(room: Room) -> None:
    """Let who started the workshop by sudo into the day's folder; it stays root's to write in.

    In a folder of somebody else's, root would follow that one's links.
    """
    room.kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(room.kept, 0, room.keeper[1])
    room.kept.chmod(0o750)


def _copied(source: BinaryIO, target: BinaryIO) -> bool:
    """Copy everything, unless it is too much; return whether it was copied."""
    size = 0
    while piece := source.read(2**16):
        size += len(piece)
        if size > LARGEST:
            return False
        target.write(piece)
    return True


def _free(path: Path) -> Path:
    """Return a path that nothing has yet: work that was kept is never written over."""
    paths = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return path if not path.exists() else next(other for other in paths if not other.exists())


def leave(room: Room, seat: Seat) -> None:
    """End whatever a learner's user runs, and delete the home and what lies about elsewhere."""
    user = room.user(seat.number)
    end_processes(user)
    _delete("rm", "-rf", "--", room.home(seat.name), room.runtime(seat.number))
    # A seat's next learner is the same user.
    theirs = ("-mindepth", "1", "-maxdepth", "1", "-uid", str(user))
    places = filter(Path.exists, EVERYBODYS)
    deletion = ("-exec", "rm", "-rf", "--", "{}", "+")
    _delete("find", *places, "-ignore_readdir_race", *theirs, *deletion)


def _delete(*command: str | Path) -> None:
    """Delete by a program of the system's: they follow no links, and go down as far as it goes.

    Python's own way ends at a thousand folders within each other. Raises WorkbookError.
    """
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:]
        raise WorkbookError(
            " ".join(["Not all that a learner left could be deleted. Try again.", *reason])
        )


def end_processes(*users: int) -> None:
    """End every process of these users. Raises WorkbookError where some remain all the same.

    All are stopped before any is killed: a process that is stopped starts no other.
    """
    deadline = time.monotonic() + ENDING_SECONDS
    while found := [process for user in users for process in processes(user)]:
        if time.monotonic() > deadline:
            raise WorkbookError(f"Some processes of learners do not end: {found}")
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                with suppress(ProcessLookupError):
                    os.kill(process, sign)
        time.sleep(0.01)


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
