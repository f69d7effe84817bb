"""The notebooks: their stored outputs are what comes out, each opens alone, all are alike."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import nbformat
import pytest

from helpers import localaws, render, starter
from helpers.localaws.record import CHECKOUT

LESSONS = sorted(render.NOTEBOOKS.glob("[0-9]*.ipynb"))
SOLUTIONS = sorted(render.SOLUTIONS.glob("[0-9]*.ipynb"))
SANITIZE = Path(__file__).with_name("sanitize.cfg")
HEADINGS = ("## On a real account", "## You learned", "## What's next")

each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
each_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize(
    "path", render.in_order(), ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def test_there_are_notebooks() -> None:
    assert [path.name[:3] for path in LESSONS] == [f"{number:02}_" for number in range(11)]
    assert [path.name for path in SOLUTIONS] == [path.name for path in LESSONS[2:]]


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


@each_notebook
def test_each_opens_alone_and_runs_twice(path: Path, tmp_path: Path) -> None:
    """On a local AWS that has seen no other notebook; then again, on what the first run left."""
    state = tmp_path / "state.json"
    try:
        render.run(path, state)
        render.run(path, state)
    finally:
        localaws.stop(state)


def test_they_run_in_reverse_order(tmp_path: Path) -> None:
    """Whatever a later notebook leaves behind, an earlier one copes with it."""
    state = tmp_path / "state.json"
    try:
        for path in reversed(LESSONS):
            render.run(path, state)
    finally:
        localaws.stop(state)


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def _code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in _read(path).cells if cell.cell_type == "code"]


def _text(path: Path) -> str:
    return "\n".join(cell.source for cell in _read(path).cells if cell.cell_type == "markdown")


def _html(path: Path) -> str:
    """Everything in a notebook that is shown as HTML: its texts' and its outputs'."""
    outputs = [
        "".join(output.data["text/html"])
        for cell in _code(path)
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    return "\n".join([_text(path), *outputs])


@each_lesson
class TestLesson:
    """What makes the lessons alike."""

    def test_it_opens_with_aims_and_minutes(self, path: Path) -> None:
        first = _read(path).cells[0].source
        assert first.startswith("# ")
        for words in ("**What you'll do.**", "**What you'll learn.**", "**What you'll need.**"):
            assert words in first
        assert re.search(r"About \d+ minutes", first)

    def test_it_closes_with_what_was_learned(self, path: Path) -> None:
        places = [_text(path).find(heading) for heading in HEADINGS]
        assert places == sorted(places)
        assert places[0] > 0

    def test_it_is_not_too_long(self, path: Path) -> None:
        lines = [len(cell.source.splitlines()) for cell in _code(path)]
        assert len(_read(path).cells) <= 45
        assert median(lines) <= 4

    def test_it_leads_on(self, path: Path) -> None:
        """The next lesson, or the first again, is linked at the end."""
        following = LESSONS[(LESSONS.index(path) + 1) % len(LESSONS)].name
        assert f"]({following})" in _read(path).cells[-1].source


@each_notebook
class TestNotebook:
    """What is asked of lessons and solutions alike."""

    def test_no_cell_is_long(self, path: Path) -> None:
        assert max(len(cell.source.splitlines()) for cell in _code(path)) <= 20

    def test_it_was_run_from_top_to_bottom(self, path: Path) -> None:
        counts = [cell.execution_count for cell in _code(path)]
        assert counts == list(range(1, len(counts) + 1))
        outputs = [output for cell in _code(path) for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error"]
        assert not [output for output in outputs if output.get("name") == "stderr"]

    def test_it_has_no_empty_cell_and_the_common_kernel(self, path: Path) -> None:
        notebook = _read(path)
        assert all(cell.source.strip() for cell in notebook.cells)
        assert notebook.metadata.kernelspec.name == "python3"

    def test_its_links_lead_somewhere(self, path: Path) -> None:
        for target in re.findall(r"\]\(([^)]+)\)", _text(path)):
            if target.startswith("https://"):
                continue
            file, _, place = target.partition("#")
            found = path.parent / file if file else path
            assert found.exists(), target
            if place:
                assert place in _places(found), target

    def test_pictures_have_words(self, path: Path) -> None:
        assert "![](" not in _text(path)
        for tag in re.findall(r"<img\b[^>]*>", _html(path)):
            assert re.search(r'\balt="[^"]', tag), tag[:200]
        for tag in re.findall(r"<svg\b.*?</svg>", _html(path), re.DOTALL):
            assert re.search(r"<title\b|aria-label=|aria-hidden=", tag), tag[:200]
        for cell in _code(path):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    assert output.metadata.get("image/png", {}).get("alt") or (
                        "text/html" in output.data
                    ), "a picture without words"


def _places(path: Path) -> set[str]:
    """The headings of a page, as JupyterLab and GitHub both name them: lower case, no signs."""
    text = path.read_text() if path.suffix == ".md" else _text(path)
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}


@each_solution
class TestExercises:
    """A lesson's exercises are its solutions' with dots, and its solutions are right."""

    def test_the_lesson_has_them_with_dots(self, path: Path) -> None:
        solution, lesson = _read(path), _read(render.NOTEBOOKS / path.name)
        there = {
            cell.id: cell.source for cell in lesson.cells if starter.TASK in starter.tags(cell)
        }
        assert there == starter.exercises(solution)

    def test_there_are_two_each_with_a_hint(self, path: Path) -> None:
        tasks = [cell for cell in _read(path).cells if starter.TASK in starter.tags(cell)]
        assert sum(starter.ANSWER in starter.tags(cell) for cell in tasks) >= 2
        words = [cell.source for cell in tasks if cell.cell_type == "markdown"]
        hints = "\n".join(words).count("<summary>Hint</summary>")
        assert hints == sum(starter.ANSWER in starter.tags(cell) for cell in tasks)

    def test_the_solution_is_right_and_the_dots_are_not(self, path: Path) -> None:
        assert set(_verdicts(path)) == {"✓"}
        assert set(_verdicts(render.NOTEBOOKS / path.name)) == {"○"}


def _verdicts(path: Path) -> list[str]:
    """The sign that each answer's check has put under it."""
    return [
        cell.outputs[-1].data["text/plain"][0]
        for cell in _code(path)
        if starter.ANSWER in starter.tags(cell)
    ]
