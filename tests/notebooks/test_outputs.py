"""Stored outputs are what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from helpers import localaws
from helpers.localaws.record import CHECKOUT
from tests.notebooks.shelf import LESSONS, SOLUTIONS

SANITIZE = Path(__file__).with_name("sanitize.cfg")


def _compared(paths: list[Path], state: Path) -> str:
    """Run notebooks in order on one fresh local AWS; return what nbval says of the differences."""
    localaws.ensure(state)
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"),
                *("--nbval-sanitize-with", str(SANITIZE), "-p", "no:cacheprovider"),
                *map(str, paths),
            ],
            cwd=CHECKOUT,
            env={**os.environ, "WORKBOOK_STATE": str(state)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        localaws.stop(state)
    return done.stdout[-8000:] if done.returncode else ""


def test_stored_outputs_are_what_comes_out(tmp_path: Path) -> None:
    """Lessons and solutions side by side, as `make render` made them, each on its local AWS."""
    states = [tmp_path / name / "state.json" for name in ("lessons", "solutions")]
    for state in states:
        state.parent.mkdir()
    with ThreadPoolExecutor() as pool:
        differences = list(pool.map(_compared, (LESSONS, SOLUTIONS), states))
    assert not any(differences), "\n".join(differences)
