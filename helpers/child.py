"""A process that was started here, and its end."""

from __future__ import annotations

import os
import signal
import subprocess


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
