"""Each notebook of solutions opens alone, and runs again on what it has left."""

from __future__ import annotations

from pathlib import Path

from tests.notebooks.shelf import each_solution, run_twice


@each_solution
def test_it_opens_alone_and_runs_twice(path: Path, tmp_path: Path) -> None:
    run_twice(path, tmp_path / "state.json")
