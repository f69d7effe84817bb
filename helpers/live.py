"""Show a view that changes: in place in a notebook; a terminal sees nothing of it."""

from __future__ import annotations

import sys
from typing import Any, Self


class Live:
    """One output that is replaced by each newer view; the last one stays as a plain output.

    While it changes it is shown under a display id, and that is emptied at the end: tools that
    run notebooks do not all follow updates, and a stored output must not depend on them.
    """

    def __init__(self, view: Any) -> None:
        self._view = view
        self._handle: Any = None

    def __enter__(self) -> Self:
        if in_notebook():
            from IPython.display import HTML, display

            self._handle = display(HTML(""), display_id=True)
        return self

    def show(self, view: Any) -> None:
        """Replace what is shown."""
        if self._handle is not None and view != self._view:
            self._handle.update(view)
        self._view = view

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            from IPython.display import HTML, display

            self._handle.update(HTML(""))
            display(self._view)


def in_notebook() -> bool:
    """Whether a notebook's cell is where this is shown."""
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
