"""The lists of what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.localaws.record import CHECKOUT

LISTS = ("requirements.txt", "helpers/workshop/requirements.txt", "bench/requirements.txt")


@pytest.mark.parametrize("name", LISTS)
def test_nothing_compiles_a_grammar_when_jupyterlab_starts(name: str) -> None:
    """jsonschema imports rfc3987-syntax wherever it is installed, and needs it nowhere here.

    It took 1.2 of the 2.9 seconds of processor time in which JupyterLab starts, for each learner
    of a workshop too. A later uv that reads ``exclude-dependencies`` otherwise would bring it back.
    """
    text = (CHECKOUT / name).read_text()
    assert "\nrfc3987-syntax==" not in text


@pytest.mark.parametrize("name", LISTS)
def test_a_list_names_no_index(name: str) -> None:
    lines = Path(CHECKOUT / name).read_text().splitlines()
    assert not [line for line in lines if line.startswith("-") or "://" in line]
