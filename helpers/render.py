"""``make render``: run every notebook on a fresh local AWS and store its outputs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers import localaws
from helpers.localaws.record import CHECKOUT

NOTEBOOKS = CHECKOUT / "notebooks"
CELL_SECONDS = 120


def main() -> int:
    """Run the notebooks named on the command line, or all of them, in order."""
    chosen = [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    for path in chosen:
        print(f"{path.name} ...", flush=True)
        render(path)
    return 0


def render(path: Path) -> None:
    """Run one notebook on a local AWS of its own and write it back with its outputs.

    Raises nbclient's CellExecutionError where a cell fails; the file is left as it was then.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="workbook-render-") as folder:
        state = Path(folder) / "state.json"
        environment = {**os.environ, "WORKBOOK_STATE": str(state)}
        try:
            NotebookClient(
                notebook,
                timeout=CELL_SECONDS,
                kernel_name="python3",
                resources={"metadata": {"path": str(path.parent)}},
                store_widget_state=False,
                record_timing=False,
            ).execute(env=environment)
        finally:
            localaws.stop(state)
    nbformat.write(_tidy(notebook), path)


def _tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader sees; leave out what differs from machine to machine."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


if __name__ == "__main__":
    sys.exit(main())
