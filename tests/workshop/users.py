"""Other users of this computer: where they may go, and what they do there."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path


def folder_for_everybody() -> Path:
    """A new folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="workshop-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def as_user(user: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command as a user who has no name."""
    return subprocess.run(
        command,
        user=user,
        group=user,
        extra_groups=(),
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
