"""`make run`'s end."""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path

import requests
import websocket

from helpers import localaws
from tests.browser import lab
from tests.workshop.visitor import Kernel


def test_who_asks_again_and_again_leaves_nothing_running(tmp_path: Path) -> None:
    with lab.running(tmp_path) as workbook:
        for ending in itertools.cycle((signal.SIGTERM, signal.SIGHUP, signal.SIGINT)):
            if workbook.process.poll() is not None:
                break
            workbook.process.send_signal(ending)
            time.sleep(0.01)
        said = workbook.process.stdout.read()
        left = localaws.running(workbook.state)
        localaws.stop(workbook.state)
    assert left is None
    assert "Nothing is left running" in said


def test_a_cell_at_work_does_not_complain_when_the_workbook_ends(tmp_path: Path) -> None:
    """Its kernel would be closed under it, and a traceback be the last thing on the screen."""
    with lab.running(tmp_path) as workbook:
        channel = websocket.create_connection(_kernel(workbook), timeout=60)
        Kernel(channel).begin("import time; time.sleep(600)", "cell")
        workbook.process.send_signal(signal.SIGINT)
        assert workbook.process.wait(90) == 0
        channel.close()
    assert "Traceback" not in workbook.complaints.read_text()


def _kernel(workbook: lab.Lab) -> str:
    """Start a notebook's kernel; return the address at which it is talked to."""
    address, token = f"127.0.0.1:{workbook.port}/api", workbook.url.partition("token=")[2]
    wanted = {"path": "x.ipynb", "type": "notebook", "name": "x", "kernel": {"name": "python3"}}
    answer = requests.post(
        f"http://{address}/sessions",
        json=wanted,
        headers={"Authorization": f"token {token}"},
        timeout=60,
    )
    kernel = answer.json()["kernel"]["id"]
    return f"ws://{address}/kernels/{kernel}/channels?token={token}"
