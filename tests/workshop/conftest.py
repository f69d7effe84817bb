"""What the tests of a workshop share: who may run them, and a place that other users may enter."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.workshop import installation
from helpers.workshop.room import Room
from tests.workshop.users import folder_for_everybody

needs_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="only root can start processes of other users, and only on Linux",
)


@pytest.fixture(scope="session")
def room() -> Iterator[Room]:
    """A room that is furnished and in which all is installed; nothing runs in it."""
    folder = folder_for_everybody()
    room = Room(
        folder=folder / "room",
        seats=2,
        first=60900,
        address="127.0.0.1",
        port=0,
        hub=0,
        page=0,
        proxy_port=0,
        kept=folder / "kept",
    )
    try:
        before = os.umask(0o022)
        try:
            room.furnish(CHECKOUT)
            installation.install(room, str(Path(sys.executable).with_name("uv")))
        except WorkbookError as error:
            pytest.fail(str(error))
        finally:
            os.umask(before)
        yield room
    finally:
        shutil.rmtree(folder)
