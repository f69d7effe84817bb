"""The notebooks: their stored outputs are what comes out, each opens alone, all are alike."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import nbformat
import pytest

from helpers import localaws, render
from helpers.errors import NOTEBOOK_NAMES
from helpers.localaws.record import CHECKOUT

NOTEBOOKS = sorted(render.NOTEBOOKS.glob("[0-9]*.ipynb"))
SANITIZE = Path(__file__).with_name("sanitize.cfg")
HEADINGS = ("## On a real account", "## You learned", "## What's next")


def test_there_are_notebooks() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == ["00_", "01_", "02_", "03_", "04_"]


def test_stored_outputs_are_what_comes_out(tmp_path: Path) -> None:
    """In order, on one fresh local AWS, as `make render` made them."""
    state = tmp_path / "state.json"
    localaws.ensure(state)
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"),
                *("--nbval-sanitize-with", str(SANITIZE), "-p", "no:cacheprovider"),
                *map(str, NOTEBOOKS),
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_opens_alone_and_runs_twice(path: Path, tmp_path: Path) -> None:
    """On a local AWS that has seen no other notebook; then again, on what the first run left."""
    state = tmp_path / "state.json"
    try:
        render.run(path, state)
        render.run(path, state)
    finally:
        localaws.stop(state)


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def _code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in _read(path).cells if cell.cell_type == "code"]


def _text(path: Path) -> str:
    return "\n".join(cell.source for cell in _read(path).cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestStyle:
    """What makes the notebooks alike."""

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
        assert max(lines) <= 20
        assert median(lines) <= 4

    def test_it_was_run_from_top_to_bottom(self, path: Path) -> None:
        counts = [cell.execution_count for cell in _code(path)]
        assert counts == list(range(1, len(counts) + 1))
        assert not [
            output
            for cell in _code(path)
            for output in cell.outputs
            if output.output_type == "error"
        ]

    def test_it_has_no_empty_cell_and_the_common_kernel(self, path: Path) -> None:
        notebook = _read(path)
        assert all(cell.source.strip() for cell in notebook.cells)
        assert notebook.metadata.kernelspec.name == "python3"

    def test_its_links_lead_somewhere(self, path: Path) -> None:
        for target in re.findall(r"\]\(([^)#]+)\)", _text(path)):
            if not target.startswith("https://"):
                assert (path.parent / target).exists(), target

    def test_a_name_that_is_missing_is_explained(self, path: Path) -> None:
        """Whatever a cell defines: running a later cell first ends in a sentence."""
        assert _defined(path) <= NOTEBOOK_NAMES


def _defined(path: Path) -> set[str]:
    names: set[str] = set()
    for cell in _code(path):
        if cell.source.startswith("%%"):
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            if isinstance(node, ast.alias):
                names.add(node.asname or node.name)
    return names
