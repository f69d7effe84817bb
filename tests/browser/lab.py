"""A running workbook, and what a learner does in it: open a notebook, run cells, look."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from helpers.localaws.record import CHECKOUT

# `make render` stores them as the README's pictures.
PICTURES = Path(os.environ.get("WORKBOOK_PICTURES", CHECKOUT / "test-results"))
SECONDS = 1000  # playwright counts in milliseconds
PATIENCE = 120 * SECONDS  # it only ends what is broken
THEMES = "@jupyterlab/apputils-extension/themes.jupyterlab-settings"


@dataclass
class Lab:
    """A running workbook: its process, JupyterLab's address, the local AWS's state, settings."""

    process: subprocess.Popen[str]
    url: str
    port: int
    state: Path
    settings: Path
    complaints: Path  # what it writes to standard error

    def notebook(self, name: str) -> str:
        return re.sub(r"tree/.*\?", f"tree/notebooks/{name}?reset&", self.url)

    def wear(self, theme: str) -> None:
        """Let the pages that are opened from now on be "Light" or "Dark"."""
        file = self.settings / THEMES
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"theme": f"JupyterLab {theme}", "adaptive-theme": False}))


@contextmanager
def running(folder: Path) -> Iterator[Lab]:
    """Start the workbook as `make run` does, and end it as Ctrl-C does."""
    state, port, settings = folder / "state.json", free_port(), folder / "settings"
    environment = {
        **os.environ,
        "WORKBOOK_STATE": str(state),
        "WORKBOOK_NO_BROWSER": "1",
        # Neither the user's settings nor their open tabs.
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    environment.pop("DISPLAY", None)
    command = [sys.executable, "-m", "helpers.run", "--port", str(port)]
    complaints = folder / "complaints.txt"
    with open(complaints, "wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    url = ""
    for line in process.stdout:
        if "JupyterLab:" in line:
            url = line.split()[-1]
            break
    assert url, f"JupyterLab did not start: {complaints.read_text()}"
    yield Lab(process, url, port, state, settings, complaints)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(90)  # it has patience with JupyterLab, and with the local AWS


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def open_notebook(page: Page, url: str) -> None:
    """Open a notebook's address and wait until cells may be run."""
    page.goto(url)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    # Before the kernel has said so, JupyterLab may drop what it is given to run.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def cell(page: Page, words: str) -> Locator:
    """The first code cell that has ``words`` in it."""
    return page.locator(".jp-CodeCell", has_text=words).first


def run(page: Page, first: str, last: str) -> None:
    """Run the cells from the one that has ``first`` in it to the one that has ``last``."""
    cell(page, first).locator(".jp-InputPrompt").first.click()
    for _ in range(60):
        active = page.locator(".jp-Cell.jp-mod-active .jp-InputArea-editor").first
        source = active.inner_text() if active.count() else ""
        page.keyboard.press("Shift+Enter")
        if last in source:
            break
    else:
        raise AssertionError(f"no cell has {last!r} in it")
    # A number in the prompt: the cell has run, and so have those before it.
    try:
        expect(cell(page, last).locator(".jp-InputPrompt").first).to_have_text(
            re.compile(r"\[\d+\]:")
        )
    except AssertionError as error:
        picture(page, "failure")
        raise AssertionError("\n".join(page.locator(".jp-CodeCell").all_inner_texts())) from error


def picture(page: Page, name: str) -> None:
    """Keep what the page shows."""
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
