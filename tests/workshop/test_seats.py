"""Who sits where: names, browsers, accounts, and two processes that change them at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers.workshop.seats import SeatError, Seats


@pytest.fixture
def seats(tmp_path: Path) -> Seats:
    return Seats(tmp_path, 2)


def test_a_name_stays_with_its_browser(seats: Seats) -> None:
    cookie = seats.take("ada", None)
    assert seats.take("ada", cookie) == cookie
    for other in (None, "", "guess", seats.take("bob", None)):
        with pytest.raises(SeatError, match="taken by another browser"):
            seats.take("ada", other)


def test_the_cookie_itself_is_not_kept(seats: Seats, tmp_path: Path) -> None:
    cookie = seats.take("ada", None)
    assert cookie not in (tmp_path / "seats.json").read_text()


def test_who_is_let_in_again_has_the_same_seat(seats: Seats) -> None:
    before = seats.take("ada", None)
    seat = seats.of("ada")
    seats.let_in("ada")
    after = seats.take("ada", before)
    assert after != before
    assert seats.of("ada").account == seat.account
    with pytest.raises(SeatError, match="taken"):
        seats.take("ada", before)


def test_seats_are_bounded_and_numbered(seats: Seats) -> None:
    for name in ("ada", "bob"):
        seats.take(name, None)
    with pytest.raises(SeatError, match="All 2 seats are taken"):
        seats.take("eve", None)
    assert [(seat.name, seat.number) for seat in seats.all()] == [("ada", 1), ("bob", 2)]
    seats.clear(seats.all())
    seats.take("eve", None)
    assert seats.of("eve").number == 1


@pytest.mark.parametrize("name", ["", "Ada", "a/b", "..", "a" * 21, "1a", "a b", "a\n", "é"])
def test_a_name_is_fit_for_a_folder(seats: Seats, name: str) -> None:
    with pytest.raises(SeatError, match="A name is"):
        seats.take(name, None)


def test_nobody_is_called_host(seats: Seats) -> None:
    with pytest.raises(SeatError, match="password of its own"):
        seats.take("host", None)


def test_an_emptied_account_is_another_one_of_the_same_seat(seats: Seats) -> None:
    seats.take("ada", None)
    assert seats.of("ada").account == "000000000001"
    assert seats.renew("ada").account == "000001000001"
    assert seats.of("ada").account == "000001000001"


def test_a_seat_that_is_free_again_has_another_account(seats: Seats) -> None:
    for name in ("ada", "bob"):
        seats.take(name, None)
    seats.renew("ada")
    seats.free("ada")
    assert [seat.name for seat in seats.all()] == ["bob"]
    with pytest.raises(SeatError, match="Nobody here is called ada"):
        seats.of("ada")
    seats.take("eve", None)
    assert (seats.of("eve").number, seats.of("eve").account) == (1, "000002000001")
    assert [seat.name for seat in seats.all()] == ["bob", "eve"]
    with pytest.raises(SeatError, match=r"All 2 seats are taken\. Ask the host, who can free one"):
        seats.take("ada", None)
    seats.free("bob")
    seats.clear(seats.all())
    assert seats.take("ada", None)
    assert seats.of("ada").account == "000000000001"


def test_nobody_comes_in_while_the_work_is_put_away(seats: Seats) -> None:
    """Else who was logged out this moment would be there when the name is another's."""
    cookie = seats.take("ada", None)
    seats.close("ada")
    with pytest.raises(SeatError, match="Wait a moment, then come in again"):
        seats.take("ada", cookie)
    seats.open()
    assert seats.take("ada", cookie) == cookie


def test_who_is_not_there_is_a_sentence(seats: Seats) -> None:
    for act in (seats.of, seats.let_in, seats.renew, seats.free):
        with pytest.raises(SeatError, match="Nobody here is called eve"):
            act("eve")


def test_many_at_once_get_a_seat_each(tmp_path: Path) -> None:
    def take(number: int) -> str:
        return Seats(tmp_path, 40).take(f"learner{number}", None)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(take, range(40)))) == 40
    assert {seat.number for seat in Seats(tmp_path, 40).all()} == set(range(1, 41))


def test_a_seat_is_closed_until_all_are_opened(seats: Seats, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        seats.take(name, None)
    seats.close("ada")
    assert [seat.closed for seat in Seats(tmp_path, 2).all()] == [True, False]
    seats.open()
    assert [seat.closed for seat in seats.all()] == [False, False]


def test_who_has_come_meanwhile_stays(seats: Seats) -> None:
    seats.take("ada", None)
    gone = seats.all()
    seats.take("bob", None)
    seats.clear(gone)
    assert [seat.name for seat in seats.all()] == ["bob"]
