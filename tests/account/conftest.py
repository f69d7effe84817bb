"""What the tests of the way to a real account share: accounts that play one, and short waits."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.session import Session, connect
from tests.account.playing import PlayingAccount, shorten_waits

_numbers = itertools.count(900_000_000_001)


@pytest.fixture
def account(state: Path) -> PlayingAccount:
    """A fresh account: nobody has ever done anything in it."""
    return PlayingAccount.opened(state, str(next(_numbers)))


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Session]]:
    """Connect as the user of these variables does, who types the account's number."""

    def entering(variables: dict[str, str], number: str) -> Session:
        monkeypatch.setattr("helpers.environment._users_own", variables)
        return connect("aws", confirm=lambda _: number)

    return entering


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_waits(monkeypatch.setitem)
