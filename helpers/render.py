"""``make render``: run every notebook on a fresh local AWS and store its outputs."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers import localaws, saved, starter
from helpers.localaws.record import CHECKOUT
from helpers.sockets import AsyncKernel

NOTEBOOKS = CHECKOUT / "notebooks"
SOLUTIONS = NOTEBOOKS / "solutions"
TEMPLATE = NOTEBOOKS / "_template.ipynb"  # of a new lesson
CELL_SECONDS = 120


def main() -> int:
    """Run the notebooks in order, as a learner does, and write them back with their outputs."""
    put_exercises()
    for paths in [*series(), [TEMPLATE]]:
        with tempfile.TemporaryDirectory(prefix="workbook-render-") as folder:
            state = Path(folder) / "state.json"
            localaws.ensure(state)
            try:
                for path in paths:
                    begun = time.monotonic()
                    nbformat.write(_tidy(run(path, state)), path)
                    seconds = time.monotonic() - begun
                    print(f"{path.relative_to(NOTEBOOKS)}: {seconds:.1f} s", flush=True)
            finally:
                localaws.stop(state)
    return 0


def series() -> list[list[Path]]:
    """Return what runs in order on one local AWS: the lessons, and apart from them solutions."""
    return [sorted(folder.glob("[0-9]*.ipynb")) for folder in (NOTEBOOKS, SOLUTIONS)]


def put_exercises() -> None:
    """Write each solution's exercises into its lesson. Raises KeyError where one has no place."""
    for path in sorted(SOLUTIONS.glob("[0-9]*.ipynb")):
        lesson = nbformat.read(NOTEBOOKS / path.name, as_version=4)
        starter.put(nbformat.read(path, as_version=4), lesson)
        nbformat.write(lesson, NOTEBOOKS / path.name)


def run(path: Path, state: Path) -> nbformat.NotebookNode:
    """Run one notebook from top to bottom with the local AWS of ``state``; return it with outputs.

    Raises nbclient's CellExecutionError where a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        kernel_manager_class=AsyncKernel,
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
    )
    return client.execute(env={**os.environ, "WORKBOOK_STATE": str(state)})


def _tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader sees; leave out what differs from machine to machine."""
    saved.without_widgets(notebook)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


if __name__ == "__main__":
    sys.exit(main())
