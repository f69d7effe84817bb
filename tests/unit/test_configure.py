"""The settings that kernels and JupyterLab start with are where they look."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import configure


def test_the_settings_are_copied_below_the_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    configure.main()
    configure.main()
    for name, place in configure.SETTINGS.items():
        source = Path(configure.__file__).with_name(name)
        assert (tmp_path / place).read_text() == source.read_text()


def test_setting_up_leaves_a_list_of_fonts(tmp_path: Path) -> None:
    """Else the first picture waits for it. Started as `make setup` does, in a prefix of its own."""
    code = (
        "import runpy, sys; sys.prefix = sys.argv[1]; "
        "runpy.run_module('helpers.configure', run_name='__main__')"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "prefix")],
        env={**os.environ, "MPLCONFIGDIR": str(tmp_path / "matplotlib")},
        check=True,
    )
    assert list((tmp_path / "matplotlib").glob("fontlist-*.json"))


def test_a_kernel_of_this_environment_loads_the_extension() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "IPython", "-c", "import os; print(os.environ['AWS_ENDPOINT_URL'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "run-the-first-cell" in found.stdout


def test_jupyterlab_asks_nobody_for_news() -> None:
    source = Path(configure.__file__).with_name("jupyterlab_overrides.json")
    notification = json.loads(source.read_text())["@jupyterlab/apputils-extension:notification"]
    assert notification == {"fetchNews": "false", "checkForUpdates": False}
