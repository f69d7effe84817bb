"""Binder, conda and a devcontainer: as far as they can be looked at without those services."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from helpers.localaws.record import CHECKOUT


def test_conda_installs_just_what_pip_does() -> None:
    environment = yaml.safe_load((CHECKOUT / "environment.yml").read_text())
    *_, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.txt", "-e ."]}


def test_what_binder_runs_once_can_be_run(tmp_path: Path) -> None:
    """All of postBuild, with this Python, for a user without settings."""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [CHECKOUT / "postBuild"],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "JUPYTER_DATA_DIR": str(home / "jupyter"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list((home / "jupyter").glob("nbsignatures.db"))


def test_a_devcontainer_calls_the_makefile() -> None:
    container = json.loads((CHECKOUT / ".devcontainer" / "devcontainer.json").read_text())
    targets = (CHECKOUT / "Makefile").read_text()
    # Whoever comes again finds JupyterLab running: its address is said, and no second one started.
    listed, started = container["postAttachCommand"].split(" || ")
    assert listed.startswith(".venv/bin/jupyter server list")
    for command in (container["postCreateCommand"], started):
        program, target = command.split()
        assert program == "make"
        assert f"\n{target}:" in targets
    assert container["forwardPorts"] == [8888]
