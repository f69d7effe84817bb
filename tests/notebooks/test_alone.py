"""Each lesson opens alone, and runs again on what it has left."""

from __future__ import annotations

from pathlib import Path

from helpers.render import TEMPLATE
from tests.notebooks.shelf import code, each_lesson, run_twice


@each_lesson
def test_it_opens_alone_and_runs_twice(path: Path, tmp_path: Path) -> None:
    run_twice(path, tmp_path / "state.json")


def test_the_template_of_a_lesson_does_so_too_and_its_outputs_are_stored(tmp_path: Path) -> None:
    assert all(cell.execution_count for cell in code(TEMPLATE))
    run_twice(TEMPLATE, tmp_path / "state.json")
