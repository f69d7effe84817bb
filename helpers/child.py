"""Processes that were started here, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import FrameType

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed


def end_when_asked() -> None:
    """Let the first signal that asks this process to end raise KeyboardInterrupt or SystemExit.

    Set, not left to the shell: what is started in the background inherits an ignored SIGINT.
    """
    for ending in ENDINGS:
        signal.signal(ending, _end)


def be_asked_no_more() -> None:
    """Ask again in vain: a second signal must not leave behind half of what is being ended.

    Not SIG_IGN, which Python reports as an error where the second one is waiting already.
    """
    for ending in ENDINGS:
        signal.signal(ending, lambda *_: None)


def _end(ending: int, _: FrameType | None) -> None:
    be_asked_no_more()
    if ending == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(0)


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """End a process that leads a session of its own, with all that it has started.

    JupyterLab, JupyterHub and the local AWS end their own children when they are asked in order;
    who does not within ``patience`` seconds is killed with them.
    """
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
