"""The notebooks as the tests read them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from helpers import localaws, render, starter

LESSONS, SOLUTIONS = render.series()

each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
each_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize(
    "path", [*LESSONS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def solved(path: Path) -> nbformat.NotebookNode:
    """Return a lesson as a learner leaves it who has found every answer."""
    lesson, solution = read(path), render.SOLUTIONS / path.name
    if solution.exists():
        answers = {cell.id: cell.source for cell in code(solution)}
        for cell in lesson.cells:
            if starter.ANSWER in starter.tags(cell):
                cell.source = answers[cell.id]
    return lesson


def text(path: Path) -> str:
    """What a page says: of a notebook its Markdown cells, one after another."""
    if path.suffix == ".md":
        return path.read_text()
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def run_twice(path: Path, state: Path) -> None:
    """Run a notebook on a local AWS that has seen no other; then again, on what it has left."""
    try:
        render.run(path, state)
        render.run(path, state)
    finally:
        localaws.stop(state)
