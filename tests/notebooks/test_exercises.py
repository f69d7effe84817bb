"""The lessons' exercises are their solutions' with dots, and the solutions are right."""

from __future__ import annotations

import re
from pathlib import Path

from helpers import render, starter
from tests.notebooks.shelf import code, each_solution, read


@each_solution
class TestExercises:
    """A lesson's exercises are its solutions' with dots, and its solutions are right."""

    def test_the_lesson_has_them_with_dots(self, path: Path) -> None:
        solution, lesson = read(path), read(render.NOTEBOOKS / path.name)
        there = {
            cell.id: cell.source for cell in lesson.cells if starter.TASK in starter.tags(cell)
        }
        assert there == starter.exercises(solution)

    def test_there_are_two_each_with_a_hint(self, path: Path) -> None:
        tasks = [cell for cell in read(path).cells if starter.TASK in starter.tags(cell)]
        assert sum(starter.ANSWER in starter.tags(cell) for cell in tasks) >= 2
        words = "\n".join(cell.source for cell in tasks if cell.cell_type == "markdown")
        # In one block of HTML: what follows an empty line is outside of it in some viewers.
        hints = re.findall(r"<details><summary>Hint</summary>\n(?:.+\n)+</details>", words)
        assert len(hints) == sum(starter.ANSWER in starter.tags(cell) for cell in tasks)

    def test_each_begins_alike(self, path: Path) -> None:
        tasks = [cell for cell in read(path).cells if starter.TASK in starter.tags(cell)]
        for cell in tasks:
            if cell.cell_type == "markdown":
                assert cell.source.startswith("### Exercise: ")

    def test_the_solution_is_right_and_the_dots_are_not(self, path: Path) -> None:
        assert set(_verdicts(path)) == {"✓"}
        assert set(_verdicts(render.NOTEBOOKS / path.name)) == {"○"}


def _verdicts(path: Path) -> list[str]:
    """The sign that each answer's check has put under it."""
    return [
        cell.outputs[-1].data["text/plain"][0]
        for cell in code(path)
        if starter.ANSWER in starter.tags(cell)
    ]
