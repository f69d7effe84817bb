"""The process from which Python functions are forked, with boto3 loaded and its models read.

A cold start is mostly imports. This one process does them once; each execution environment is
a fork of it, with an environment, pipes and a working directory of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
import time
import types
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection
from typing import Any

from helpers.localaws import guests

_context = multiprocessing.get_context("forkserver")

# What the lessons' functions call; others still profit from boto3 being there.
SERVICES = ("iam", "sns", "stepfunctions")

ENV = "/usr/bin/env"
TRIES = 3  # at a fork: where the process is found dead, it is started anew


def start() -> None:
    """Start the process that is forked.

    It must not know the root credentials. Now there are none; should it die, another is started
    without them.
    """
    _context.set_forkserver_preload(["helpers.localaws.preload"])
    forkserver.util = types.SimpleNamespace(**{**vars(util), "spawnv_passfds": _spawn})
    forkserver.ensure_running()


def _spawn(path: str, arguments: list[str], files: list[int]) -> int:
    """Take the place of multiprocessing's function, which passes this process's environment on."""
    secret = ("-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY")
    words = [os.fsencode(each) for each in ("env", *secret, path)]
    return util.spawnv_passfds(os.fsencode(ENV), [*words, *map(os.fsencode, arguments[1:])], files)


class Fork:
    """Takes the place of ``subprocess.Popen`` for a worker script, with the members it needs."""

    def __init__(
        self, command: list[str], *, cwd: str, env: dict[str, str], user: int | None, **_: Any
    ) -> None:
        """Start a worker script, as another ``user`` where one is named."""
        child_stdin, stdin = _context.Pipe(duplex=False)
        stdout, child_stdout = _context.Pipe(duplex=False)
        stderr, child_stderr = _context.Pipe(duplex=False)
        child = (child_stdin, child_stdout, child_stderr)
        self._process = _started(command[1], cwd, env, user, *child)
        for pipe in child:
            pipe.close()
        self.pid = self._process.pid
        self.stdin = _stream(stdin, "w")
        self.stdout = _stream(stdout, "r")
        self.stderr = _stream(stderr, "r")

    @property
    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raise subprocess.TimeoutExpired where it does not come in time."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a Lambda function", timeout or 0)
        return self._process.exitcode

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process."""
        self._process.kill()


def _started(*arguments: Any, tries: int = TRIES) -> Any:
    """Return a process that has become a worker. Raises OSError or EOFError where none starts."""
    process = _context.Process(target=become, args=arguments, daemon=True)
    try:
        process.start()
    except (OSError, EOFError):  # the process to fork from has died this moment
        if tries == 1:
            raise
        time.sleep(0.1)
        return _started(*arguments, tries=tries - 1)
    return process


def become(
    script: str,
    folder: str,
    environment: dict[str, str],
    user: int | None,
    stdin: Connection,
    stdout: Connection,
    stderr: Connection,
) -> None:
    """In the fork: take on the function's environment and run MiniStack's worker script."""
    for number, pipe in enumerate((stdin, stdout, stderr)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdin = open(0)  # noqa: SIM115 - these three stay open as long as the process lives
    sys.stdout = open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    if user is not None:
        _keep_only_the_pipes()
        guests.become(user)
    os.chdir(folder)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    runpy.run_path(script, run_name="__main__")


def _keep_only_the_pipes() -> None:
    """Close what else was inherited: it is the server's user's, not the function's."""
    kept = multiprocessing.parent_process().sentinel
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _end_with_the_server() -> None:
    """End in the midst of an invocation when nobody waits for its answer any more."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _stream(pipe: Connection, mode: str) -> Any:
    stream = os.fdopen(os.dup(pipe.fileno()), mode, buffering=1)
    pipe.close()
    return stream
