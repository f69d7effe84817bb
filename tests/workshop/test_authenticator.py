"""Guesses of a password: how many an address has at once, and whom they keep waiting.

JupyterHub is installed in the room only, so what is tested runs there.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from helpers.workshop.room import HOST_PASSWORD, PASSWORD, Room
from tests.workshop.conftest import needs_root

pytestmark = needs_root

GUESSING = """
import asyncio, json, types
from tornado.httputil import HTTPHeaders
from helpers.workshop import authenticator

def ask(password, *headers):
    request = types.SimpleNamespace(headers=HTTPHeaders(headers))
    data = {"username": "host", "password": password}
    return asyncio.ensure_future(door.authenticate(types.SimpleNamespace(request=request), data))

async def sleep(seconds):
    slept.append(seconds)
    await go_on.wait()

async def main():
    seen = {}
    guesses = [ask("guess", ("X-Forwarded-For", "192.0.2.1")) for _ in range(3)]
    guesses.append(ask("guess", ("X-Forwarded-For", "192.0.2.9,192.0.2.1")))
    guesses.append(ask("guess", ("X-Forwarded-For", "192.0.2.1"), ("X-Real-IP", "192.0.2.9")))
    seen["elsewhere"] = await ask("right", ("X-Forwarded-For", "192.0.2.2"))
    seen["at once"] = len(slept)
    last = ask("right", ("X-Forwarded-For", "192.0.2.1"))
    go_on.set()
    seen["guessed"] = await asyncio.gather(*guesses)
    seen["after them"] = await last
    seen["slept"] = slept
    seen["remembered"] = len(door._asking)
    print(json.dumps(seen))

slept, go_on = [], asyncio.Event()
authenticator.asyncio = types.SimpleNamespace(**{**vars(asyncio), "sleep": sleep})
door = authenticator.RoomAuthenticator()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def seen(room: Room) -> dict[str, object]:
    """What came of five guesses from one address, and of the right password from two."""
    done = subprocess.run(
        [str(room.python), "-c", GUESSING],
        env={PASSWORD: "another", HOST_PASSWORD: "right", **room.variables()},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_who_guesses_keeps_nobody_waiting_who_comes_from_elsewhere(
    seen: dict[str, object],
) -> None:
    assert seen["elsewhere"] == "host"


def test_guesses_from_one_address_take_half_a_second_each(seen: dict[str, object]) -> None:
    """Whatever the sender says of where they come from: the proxy's word is the last."""
    assert seen["at once"] == 1
    assert seen["guessed"] == [None] * 5
    assert seen["slept"] == [0.5] * 5
    assert seen["after them"] == "host"


def test_an_address_at_which_nobody_waits_is_forgotten(seen: dict[str, object]) -> None:
    assert seen["remembered"] == 0
