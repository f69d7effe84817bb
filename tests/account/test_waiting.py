"""Waits: silent while they are short, with words when they are long, over when patience is."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers import waiting
from helpers.session import Session


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on only while somebody sleeps; its last entry is now."""
    now = [0.0]
    monkeypatch.setattr("helpers.waiting.time.monotonic", lambda: now[-1])
    monkeypatch.setattr("helpers.waiting.time.sleep", lambda s: now.append(now[-1] + s))
    monkeypatch.setitem(waiting.PAUSE_SECONDS, "aws", 1)
    return now


def _session(target: str) -> Session:
    return Session(target, "", "", "", None, None, None)


def _wait(seconds: float, time: list[float], target: str = "aws", patience: float = 60) -> bool:
    """Wait for something that is there after so many seconds; return whether it came."""
    for _ in waiting.looks(_session(target), "a thing", "It takes long.", patience):
        if time[-1] >= seconds:
            return True
    return False


@pytest.mark.parametrize(
    ("target", "seconds", "said"),
    [("aws", 2, ""), ("aws", 4, "Waiting for a thing. It takes long. (3 s so far.)\n")],
)
def test_words_come_when_it_takes_long(
    target: str,
    seconds: float,
    said: str,
    time: list[float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _wait(seconds, time, target)
    assert capsys.readouterr().out == said


def test_a_slow_computer_is_no_news_locally(
    time: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(waiting.PAUSE_SECONDS, "local", 1)
    assert _wait(15, time, "local")
    assert capsys.readouterr().out == ""


def test_patience_ends_after_one_look_more(time: list[float]) -> None:
    assert not _wait(100, time, patience=10)
    assert time[-1] == 11
    assert not _wait(1_000, time, patience=0)


def test_in_a_notebook_the_line_is_replaced_and_goes_away(
    time: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, view: object) -> None:
            shown.append(view.data)

    def display(view: object, **_: object) -> Handle:
        shown.append(view.data)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    InteractiveShell.instance()
    try:
        assert _wait(2, time)
        assert shown == []
        assert _wait(7, time)
    finally:
        InteractiveShell.clear_instance()
    assert shown == [
        "<i>Waiting for a thing. It takes long. (3 s so far.)</i>",
        "<i>Waiting for a thing. It takes long. (4 s so far.)</i>",
        "",
    ]
