"""All notebooks through nbval: run, and their outputs compared with those that are stored."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.metric import Metric
from helpers import localaws, render
from helpers.localaws.record import CHECKOUT

SANITIZE = CHECKOUT / "tests" / "notebooks" / "sanitize.cfg"


def metrics() -> Iterator[Metric]:
    """Yield the seconds for all notebooks, beside those of running them without comparing."""
    with tempfile.TemporaryDirectory(prefix="workbook-bench-") as folder:
        begun = time.perf_counter()
        differences = compare(Path(folder))
        seconds = time.perf_counter() - begun
    if any(differences):
        raise SystemExit("\n".join(differences))
    alone = "nbclient, one after another"
    yield Metric("notebooks_through_nbval", round(seconds, 1), "s", alone, round(_run_all(), 1))


def compare(folder: Path) -> list[str]:
    """Run lessons and solutions side by side, each series on a fresh local AWS of its own.

    Returns what nbval says of the differences: a text for each series, empty where there are none.
    """
    series = render.series()
    states = [folder / f"series-{number}" / "state.json" for number in range(len(series))]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_compare, series, states))


def _compare(paths: list[Path], state: Path) -> str:
    state.parent.mkdir()  # its mail is kept beside it
    localaws.ensure(state)
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"),
                *("--nbval-sanitize-with", str(SANITIZE), "-p", "no:cacheprovider"),
                *("-p", "tests.notebooks.kernels"),
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


def _run_all() -> float:
    """Return the seconds that the notebooks take one after another, without comparing anything."""
    begun = time.perf_counter()
    for paths in render.series():
        with tempfile.TemporaryDirectory(prefix="workbook-bench-") as folder:
            state = Path(folder) / "state.json"
            try:
                for path in paths:
                    render.run(path, state)
            finally:
                localaws.stop(state)
    return time.perf_counter() - begun
