"""What of a notebook is saved: pictures and tables; no widgets, which live only with their kernel.

A saved widget that has no kernel any more is shown as an error, even where the same stands beside
it as HTML. JupyterLab asks `before_saving` for each notebook that it writes (helpers/run.py).
https://jupyter-server.readthedocs.io/en/latest/developers/savehooks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"


def without_widgets(notebook: Mapping[str, Any]) -> None:
    """Take the widgets out of a notebook's outputs, where HTML says the same."""
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output["data"].pop(WIDGET, None)


def before_saving(model: Mapping[str, Any], **_: Any) -> None:
    """Be JupyterLab's pre-save hook: ``model`` is what it is about to write."""
    if model.get("type") == "notebook" and isinstance(model.get("content"), Mapping):
        without_widgets(model["content"])
