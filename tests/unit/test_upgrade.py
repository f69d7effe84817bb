"""What `make upgrade-check` reads and says; the check itself needs a package registry."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from tests import upgrade
from tests.upgrade import CHECKOUT, REACHED_INTO, differences, loosened


def test_only_the_exact_pins_of_what_is_reached_into_are_loosened() -> None:
    project = (CHECKOUT / "pyproject.toml").read_text()
    before, after = (
        tomllib.loads(text)["project"]["dependencies"] for text in (project, loosened(project))
    )
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [requirement.split("[")[0].split(">=")[0] for requirement in changed] == [*REACHED_INTO]
    assert all(">=" in requirement for requirement in changed)


def test_the_contract_is_there() -> None:
    assert (CHECKOUT / upgrade.CONTRACT).exists()


def test_what_cannot_be_fetched_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(upgrade, "PLACE", tmp_path)
    monkeypatch.setattr(upgrade, "UV", shutil.which("false"))
    assert upgrade.main() == 1
    assert "Without a network" in capsys.readouterr().err


def test_what_moved_came_and_went() -> None:
    before = "a==1.0\n    # via x\nb[extra]==2.0 ; python_version < '3.12'\nb==2.1\ngone==1\n"
    after = "a==1.1\nb==2.0\nb==2.1\nnew==3\n"
    assert list(differences(before, after)) == [
        ("a", "1.0", "1.1"),
        ("gone", "1", None),
        ("new", None, "3"),
    ]


def test_nothing_has_moved() -> None:
    requirements = (CHECKOUT / "requirements.txt").read_text()
    assert list(differences(requirements, requirements)) == []
