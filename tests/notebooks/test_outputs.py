"""Stored outputs are what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from helpers import localaws, render
from helpers.localaws.record import CHECKOUT

SANITIZE = Path(__file__).with_name("sanitize.cfg")


def test_stored_outputs_are_what_comes_out(tmp_path: Path) -> None:
    """In order, on one fresh local AWS, as `make render` made them."""
    state = tmp_path / "state.json"
    localaws.ensure(state)
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"),
                *("--nbval-sanitize-with", str(SANITIZE), "-p", "no:cacheprovider"),
                *map(str, render.in_order()),
            ],
            cwd=CHECKOUT,
            env={**os.environ, "WORKBOOK_STATE": str(state)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        localaws.stop(state)
    assert done.returncode == 0, done.stdout[-8000:]
