"""The order of the lessons is a proposal: from the last to the first they run as well."""

from __future__ import annotations

from pathlib import Path

from helpers import localaws, render
from tests.notebooks.shelf import LESSONS


def test_they_run_in_reverse_order(tmp_path: Path) -> None:
    """Whatever a later notebook leaves behind, an earlier one copes with it."""
    state = tmp_path / "state.json"
    try:
        for path in reversed(LESSONS):
            render.run(path, state)
    finally:
        localaws.stop(state)
