"""Start, find and stop the server process of this checkout."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from helpers import loopback
from helpers.localaws.record import (
    CHECKOUT,
    STATE_FILE,
    LocalAwsError,
    ServerRecord,
    is_alive,
)

START_SECONDS = 60
STOP_SECONDS = 10

# Servers that this process started: it has to collect them when they end.
_children: dict[int, subprocess.Popen[bytes]] = {}


def running(path: Path = STATE_FILE) -> ServerRecord | None:
    """Return the record of the server that answers now, or None.

    A state file alone proves nothing: its process may be gone and its port may belong to
    another program by now. So the server is asked for its instance.
    """
    record = ServerRecord.read(path)
    return record if record and _answers(record) else None


def ensure(path: Path = STATE_FILE, port: int = 0) -> tuple[ServerRecord, str]:
    """Return the running server, started if need be, and a sentence on what was done.

    ``port`` 0 lets the system choose a free one. The sentence is empty when the server was
    already there. Raises LocalAwsError when it does not start, when it lives and does not answer,
    for a guest's record whose server does not answer, and in a workshop where there is no record.
    """
    with _one_at_a_time(path):
        record = running(path)
        if record:
            return record, ""
        if _is_guest(path):
            raise LocalAwsError(
                "The local AWS that this key is for does not answer. Ask its host; after a "
                "restart there is a new key."
            )
        if os.environ.get("WORKBOOK_LINKS"):  # a workshop's kernel: its server is its host's
            raise LocalAwsError(
                "The record of your account in the room's local AWS is gone; another one would "
                "be yours alone, and empty. Restart your server: File > Hub Control Panel > Stop "
                "My Server, then Start My Server. If that does not help, ask the host."
            )
        if is_alive(path):
            raise LocalAwsError(
                "The local AWS is there but does not answer; it may be suspended. Wait and try "
                "again, or end it with: python -m helpers.localaws --stop"
            )
        stale = path.exists()
        record = _start(path, port)
    if stale:
        return record, (
            "The local AWS had stopped without cleaning up, and what was deployed in it is gone. "
            "A new, empty one was started. Run 01_deploy_the_app again, or this notebook from its "
            "first cell: it deploys the app where it needs it."
        )
    return record, "The local AWS was started."


def stop(path: Path = STATE_FILE) -> bool:
    """Stop the server and wait until it is gone; return False where none was running.

    One that does not end by itself in ten seconds, being suspended for instance, is killed.
    A guest's record stops nothing: the server is its host's.
    """
    if _is_guest(path):
        return False
    record = ServerRecord.read(path)
    if not record or not is_alive(path):
        path.unlink(missing_ok=True)
        return False
    # It lives, so the process id in its record is still its own.
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, ending)
        if _gone(path):
            break
    if child := _children.pop(record.pid, None):
        child.wait()
    path.unlink(missing_ok=True)
    return True


def _is_guest(path: Path) -> bool:
    record = ServerRecord.read(path)
    return bool(record and record.is_guest)


def _gone(path: Path) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if not is_alive(path):
            return True
        time.sleep(0.05)
    return False


def _answers(record: ServerRecord) -> bool:
    address = f"{record.endpoint}/_localaws/health"
    try:
        with loopback.opener().open(address, timeout=5) as answer:
            return json.load(answer).get("instance") == record.instance
    except (OSError, ValueError, AttributeError):
        return False


def _start(path: Path, port: int) -> ServerRecord:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    log = path.with_suffix(".log")
    command = [sys.executable, "-m", "helpers.localaws", "--state", str(path), "--port", str(port)]
    with open(log, "wb") as output:
        # A session of its own: interrupting a kernel must not stop everybody's server.
        server = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        record = _wait_for(server, path, log)
    except BaseException:  # an interrupted cell too: what nobody waits for must not go on
        server.kill()
        server.wait()
        raise
    _children[server.pid] = server
    return record


def _wait_for(server: subprocess.Popen[bytes], path: Path, log: Path) -> ServerRecord:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        record = running(path)
        if record:
            return record
        if server.poll() is not None:
            last_words = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise LocalAwsError(" ".join([*last_words, f"(all of it: {log})"]))
        time.sleep(0.02)
    raise LocalAwsError(f"The local AWS did not answer within {START_SECONDS} s; see {log}")


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Keep two notebooks that open together from starting two servers."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
