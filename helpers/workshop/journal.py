"""What a learner's cells came to, as lines of JSON: written by the kernels, read by the host.

Whoever reads it must not trust it: the file is the learner's.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

LONGEST_SENTENCE = 400
LARGEST = 2**20  # the newest entries: a thousand runs are a tenth of it


@dataclass(frozen=True)
class Entry:
    """A cell that was run: when, in seconds since 1970, where, and why it failed, "" if not."""

    time: float
    notebook: str
    cell: str
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether the cell did what it should."""
        return not self.sentence


def keep(shell: Any, path: str) -> None:
    """Note each cell that a kernel runs from now on, in a file that is the learner's own."""
    # Jupyter's server tells a kernel the path of its notebook, seen from where the server is.
    notebook = os.environ.get("JPY_SESSION_NAME", "")

    def note(result: Any) -> None:
        entry = Entry(time.time(), notebook, result.info.cell_id or "", _sentence(result))
        with suppress(OSError):  # a disk that is full is not to be told after every cell
            _append(path, json.dumps(asdict(entry)).encode() + b"\n")

    # https://ipython.readthedocs.io/en/stable/config/callbacks.html
    shell.events.register("post_run_cell", note)


def _append(path: str, line: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def _sentence(result: Any) -> str:
    from helpers import errors

    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return ""
    sentence = errors.explain(error) or f"{type(error).__name__}: {error}"
    return sentence[:LONGEST_SENTENCE]


def read(path: Path, user: int) -> list[Entry]:
    """Return the newest entries of the journal of ``user``, oldest first; none where it is none.

    A link, a pipe or another user's file is no journal, nor is a line that nobody's kernel wrote.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != user:
            return []
        lines = os.pread(file, LARGEST, max(0, facts.st_size - LARGEST)).splitlines()
    finally:
        os.close(file)
    return [entry for line in lines if (entry := _parsed(line))]


def _parsed(line: bytes) -> Entry | None:
    try:
        fields = json.loads(line)
        entry = Entry(
            float(fields["time"]),
            str(PurePosixPath(fields["notebook"]))[-100:],
            str(fields["cell"])[:100],
            str(fields["sentence"])[:LONGEST_SENTENCE],
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return entry if 0 < entry.time < 1e11 else None
