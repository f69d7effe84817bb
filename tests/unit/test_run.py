"""`make run`'s end."""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path

from helpers import localaws
from tests.browser import lab


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
