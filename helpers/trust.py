"""Notebooks that JupyterLab may show as they are stored: it hides SVG of what nobody has signed.

https://jupyter-server.readthedocs.io/en/latest/operators/security.html
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary


def sign(folder: Path) -> None:
    """Sign the notebooks of a folder as this user; a damaged one is left as it is."""
    notary = NotebookNotary()
    for path in sorted(folder.rglob("*.ipynb")):
        try:
            notary.sign(nbformat.read(path, as_version=4))
        except (nbformat.reader.NotJSONError, nbformat.ValidationError):
            print(f"{path.name} is damaged and was left as it is.", file=sys.stderr)
