"""Show a view that changes: in place in a notebook, line by line in a terminal."""

from __future__ import annotations

import sys
from typing import Any, Self


class Live:
    """One output that is replaced by each newer view; the last one stays in the notebook."""

    def __init__(self, view: Any) -> None:
        self._view = view
        self._handle: Any = None

    def __enter__(self) -> Self:
        if _in_notebook():
            from IPython.display import display

            self._handle = display(self._view, display_id=True)
        return self

    def show(self, view: Any) -> None:
        """Replace what is shown."""
        if self._handle is not None and repr(view) != repr(self._view):
            self._handle.update(view)
        self._view = view

    def __exit__(self, *_: object) -> None:
        self._handle = None


def _in_notebook() -> bool:
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
