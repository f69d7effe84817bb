"""What the host's buttons do, with a hub that starts and stops nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.errors import WorkbookError
from helpers.workshop import host, people
from helpers.workshop.host import Host
from helpers.workshop.room import Room
from tests.workshop.conftest import needs_root
from tests.workshop.test_people import RECORD

pytestmark = needs_root

NAMES = ("ada", "bob")


class Hub:
    """A hub in which nobody's server runs."""

    def __init__(self) -> None:
        self.ended = False
        self.logged_out: list[str] = []

    async def at_work(self) -> set[str]:
        return set()

    async def stop(self, name: str) -> None:
        """Nothing runs."""

    async def log_out(self, name: str) -> None:
        self.logged_out.append(name)

    async def shut_down(self) -> None:
        self.ended = True


@pytest.fixture
def day(room: Room) -> Iterator[Host]:
    """A day with two learners at their seats."""
    found = Host(replace(room, first=60960, kept=room.folder / "kept"), Hub())
    for name in NAMES:
        found.seats.take(name, None)
        people.settle(found.room, found.seats.of(name), RECORD)
    yield found
    for number, name in enumerate((*NAMES, "cleo"), 1):
        people.leave(found.room, people.Seat(name, number))
    found.seats.clear(found.seats.all())
    for path in found.room.kept.glob("*"):
        path.unlink()


def _act(day: Host, act: str, name: str = "") -> str:
    return asyncio.run(day.act(act, name))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def test_a_day_that_cannot_end_goes_on_with_everybody_s_work_in_place(
    day: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that was deleted after the first try would be missing from the second's zip file."""
    whole = people.keep

    def keep(room: Room, seat: people.Seat, name: str) -> Path | None:
        if seat.name == "bob":
            raise OSError("No space left on device")
        return whole(room, seat, name)

    monkeypatch.setattr(people, "keep", keep)
    with pytest.raises(WorkbookError, match=r"The day goes on: No space left"):
        _act(day, "end")
    assert _names(day.room.folder / "learners") == ["ada", "bob"]
    assert [seat.closed for seat in day.seats.all()] == [False, False]
    monkeypatch.undo()
    assert "The day is over" in _act(day, "end")
    assert _names(day.room.kept) == ["ada-2.zip", "ada.zip", "bob.zip"]
    assert _names(day.room.folder / "learners") == []
    assert day.seats.all() == []


def test_a_hub_that_does_not_end_is_not_passed_over(
    day: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is there by then: it says what to do, and who calls has the hub's words to log."""
    assert "If its terminal does not say so, press Ctrl-C there." in _act(day, "end")
    monkeypatch.setattr(host, "AWAY_SECONDS", 0)
    asyncio.run(day.close())
    assert day.hub.ended

    async def refuse() -> None:
        raise host.HTTPClientError(403, "of the hub")

    monkeypatch.setattr(day.hub, "shut_down", refuse)
    with pytest.raises(host.HTTPClientError, match="403"):
        asyncio.run(day.close())


def test_who_comes_while_the_day_ends_keeps_the_seat(
    day: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = people.leave

    def late(room: Room, seat: people.Seat) -> None:
        if seat.name == "ada":
            day.seats.clear([day.seats.of("bob")])
            day.seats.take("cleo", None)
        leave(room, seat)

    monkeypatch.setattr(people, "leave", late)
    _act(day, "end")
    assert [seat.name for seat in day.seats.all()] == ["cleo"]


def test_nobody_sits_down_while_the_work_is_put_away(
    day: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    whole = people.keep

    def keep(room: Room, seat: people.Seat, name: str) -> Path | None:
        closed.append(day.seats.of(seat.name).closed)
        return whole(room, seat, name)

    monkeypatch.setattr(people, "keep", keep)
    assert "ada starts over" in _act(day, "reset", "ada")
    assert closed == [True]
    assert day.seats.of("ada").closed is False
    assert day.seats.of("ada").times == 1


def test_a_seat_is_freed_with_its_work_kept_and_its_browsers_logged_out(day: Host) -> None:
    before = day.seats.of("ada").account
    said = _act(day, "free", "ada")
    assert "ada's seat is free, and the name too. The earlier work is in ada-before-" in said
    assert day.hub.logged_out == ["ada"]
    assert [name.split("-")[0] for name in _names(day.room.kept)] == ["ada"]
    assert _names(day.room.folder / "learners") == ["bob"]
    day.seats.take("cleo", None)
    assert day.seats.of("cleo").number == 1
    assert day.seats.of("cleo").account != before


def test_a_seat_stays_taken_where_its_browsers_cannot_be_logged_out(
    day: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be logged in under a name that is somebody else's."""

    async def refuse(name: str) -> None:
        with pytest.raises(people.SeatError, match="Wait a moment"):
            day.seats.take(name, cookie)
        raise host.HTTPClientError(500, "of the hub")

    day.seats.let_in("ada")
    cookie = day.seats.take("ada", None)
    monkeypatch.setattr(day.hub, "log_out", refuse)
    with pytest.raises(WorkbookError, match=r"That was not done: HTTP 500.*Try again"):
        _act(day, "free", "ada")
    assert day.seats.take("ada", cookie) == cookie
    monkeypatch.undo()
    assert "ada's seat is free" in _act(day, "free", "ada")


def test_two_clicks_do_one_thing_after_the_other(day: Host) -> None:
    async def twice() -> list[str]:
        return await asyncio.gather(day.act("reset", "ada"), day.act("reset", "ada"))

    first, second = asyncio.run(twice())
    assert "ada-before-" in first
    assert second == "ada starts over, in an empty account."


def test_what_goes_wrong_is_a_sentence(day: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkbookError, match="Nobody here is called eve"):
        _act(day, "reset", "eve")
    with pytest.raises(WorkbookError, match="no such button"):
        _act(day, "explode")

    async def stop(name: str) -> None:
        raise host.HTTPClientError(500, "of the hub")

    monkeypatch.setattr(day.hub, "stop", stop)
    with pytest.raises(WorkbookError, match="That was not done: HTTP 500"):
        _act(day, "reset", "ada")
    assert _names(day.room.folder / "learners") == ["ada", "bob"]
