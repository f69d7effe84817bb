"""Each notebook opens alone, and runs again on what it has left."""

from __future__ import annotations

from pathlib import Path

from helpers import localaws, render
from tests.notebooks.shelf import each_notebook


@each_notebook
def test_each_opens_alone_and_runs_twice(path: Path, tmp_path: Path) -> None:
    """On a local AWS that has seen no other notebook; then again, on what the first run left."""
    state = tmp_path / "state.json"
    try:
        render.run(path, state)
        render.run(path, state)
    finally:
        localaws.stop(state)
