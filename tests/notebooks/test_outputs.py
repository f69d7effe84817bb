"""Stored outputs are what comes out."""

from __future__ import annotations

from pathlib import Path

from bench import curriculum


def test_stored_outputs_are_what_comes_out(tmp_path: Path) -> None:
    """In order, the lessons on one fresh local AWS, the solutions on another, as rendered."""
    differences = curriculum.compare(tmp_path)
    assert not any(differences), "\n".join(differences)
