"""The servers that are measured: the workbook's local AWS, and MiniStack alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3

from helpers import localaws
from helpers.localaws.record import ACCOUNT, ServerRecord
from helpers.session import REGION, Session, connect


@contextlib.contextmanager
def ours() -> Iterator[tuple[Session, int]]:
    """Run a local AWS; give a session and the server's process id."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.json"
        try:
            session = connect("local", state=state)
            yield session, ServerRecord.read(state).pid
        finally:
            localaws.stop(state)


@contextlib.contextmanager
def ministack_alone() -> Iterator[tuple[Session, int]]:
    """Run MiniStack as it is, IAM enforced; give a session and the server's process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key, secret = "bench", secrets.token_urlsafe(16)
    settings = {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "CRITICAL",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    server = subprocess.Popen(
        [sys.executable, "-m", "ministack.app"],
        env={**environment, **settings},
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{endpoint}/_ministack/health")
        os.environ.update(
            AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_ENDPOINT_URL=endpoint
        )
        boto = boto3.session.Session(key, secret, region_name=REGION)
        yield Session("local", ACCOUNT, REGION, "root", endpoint, None, boto), server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


class PeakMemory:
    """Samples the memory of a process and all that it started, each shared page counted once."""

    def __init__(self, pid: int) -> None:
        self.megabytes = 0
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self.megabytes = max(self.megabytes, megabytes(self._pid))


def megabytes(pid: int) -> int:
    """Return the memory of a process and all that it started, each shared page counted once."""
    return round(sum(_proportional_kilobytes(pid) for pid in _family(pid)) / 1024)


def _family(pid: int) -> list[int]:
    """Return a process and its descendants, from /proc (Linux)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def _proportional_kilobytes(pid: int) -> int:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _wait_for(address: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)
    raise TimeoutError(address)
