"""Learners as users of the computer: what they leave at home, and what root does with it."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.errors import WorkbookError
from helpers.localaws import ServerRecord
from helpers.workshop import archive, people
from helpers.workshop.room import Room
from helpers.workshop.seats import Seat
from tests.workshop.conftest import needs_root
from tests.workshop.users import as_user

pytestmark = needs_root

SEAT = Seat("ada", 1)
RECORD = ServerRecord(1, 1, "", "000000000001", "us-east-1", "000000000001", "", "")
MAKE = "import os, sys; os.mkdir(sys.argv[1] + '/new')"
SHADOW = "import time; time.sleep(1000)"


@pytest.fixture
def here(room: Room) -> Iterator[Room]:
    """A room with one learner in it."""
    mine = replace(room, first=60950)
    people.settle(mine, SEAT, RECORD)
    yield mine
    people.leave(mine, SEAT)
    for path in mine.kept.glob("*"):
        path.unlink()


def _write(room: Room, path: str, text: str) -> None:
    """Write a file as the learner."""
    target = room.home(SEAT.name) / path
    code = f"import pathlib; p = pathlib.Path({str(target)!r}); "
    code += f"p.parent.mkdir(parents=True, exist_ok=True); p.write_text({text!r})"
    done = as_user(room.user(SEAT.number), [str(room.python), "-c", code])
    assert done.returncode == 0, done.stderr


def test_what_a_learner_calls_helpers_is_not_what_packs_the_work(here: Room) -> None:
    for path in ("helpers/__init__.py", "zipfile.py", "json.py"):
        _write(here, path, SHADOW)
    _write(here, "workbook/notebooks/mine.txt", "my work")
    people.settle(here, SEAT, RECORD)
    with zipfile.ZipFile(people.keep(here, SEAT, "ada")) as packed:
        assert packed.read("workbook/notebooks/mine.txt") == b"my work"
        assert archive.MISSING not in packed.namelist()


def test_what_cannot_be_read_does_not_cost_the_rest(here: Room) -> None:
    """Whoever is root reads everything, so it is the learner's process that must fail."""
    _write(here, "workbook/mine.txt", "my work")
    _write(here, "workbook/closed.txt", "closed")
    (here.home(SEAT.name) / "workbook" / "closed.txt").chmod(0)
    _write(here, "workbook/shut/in.txt", "in")
    (here.home(SEAT.name) / "workbook" / "shut").chmod(0)
    odd = here.home(SEAT.name) / "workbook" / os.fsdecode(b"caf\xe9.txt")
    odd.write_text("old letters")
    os.chown(odd, here.user(1), here.user(1))
    with zipfile.ZipFile(people.keep(here, SEAT, "ada")) as packed:
        assert packed.read("workbook/mine.txt") == b"my work"
        assert packed.read(r"workbook/caf\xe9.txt") == b"old letters"
        missing = packed.read(archive.MISSING).decode()
    assert "closed.txt" in missing
    assert "shut" in missing


def test_work_that_was_kept_is_not_written_over(here: Room) -> None:
    _write(here, "workbook/mine.txt", "before")
    first = people.keep(here, SEAT, "ada")
    _write(here, "workbook/mine.txt", "after")
    second = people.keep(here, SEAT, "ada")
    assert (first.name, second.name) == ("ada.zip", "ada-2.zip")
    with zipfile.ZipFile(first) as packed:
        assert packed.read("workbook/mine.txt") == b"before"


def test_who_started_the_workshop_by_sudo_can_open_what_was_kept(here: Room) -> None:
    keeper = here.user(2)
    mine = replace(here, keeper=(keeper, keeper))
    _write(here, "workbook/mine.txt", "my work")
    kept = people.keep(mine, SEAT, "ada")
    look = "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read('workbook/mine.txt'))"
    words = [str(here.python), "-c", look, str(kept)]
    assert as_user(keeper, words).stdout == "b'my work'\n"
    assert "PermissionError" in as_user(here.user(SEAT.number), words).stderr
    assert "PermissionError" in as_user(keeper, ["python3", "-c", MAKE, str(kept.parent)]).stderr


def test_work_that_is_too_large_stays_where_it_is(
    here: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "LARGEST", 1000)
    with pytest.raises(WorkbookError, match="delete there what is too large"):
        people.keep(here, SEAT, "ada")
    assert list(here.kept.iterdir()) == []
    assert (here.home("ada") / "workbook" / "notebooks").is_dir()


def test_packing_does_not_take_for_ever(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with holes is read for an hour, and the host would wait."""
    _write(here, "workbook/holes", "")
    os.truncate(here.home("ada") / "workbook" / "holes", 2**40)
    monkeypatch.setattr(people, "PATIENCE_SECONDS", 1)
    with pytest.raises(WorkbookError, match="within 1 s"):
        people.keep(here, SEAT, "ada")


def test_a_desk_is_laid_out_whatever_lies_in_its_place(here: Room) -> None:
    place = here.home("ada") / ".workbook"
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    _write(here, ".workbook", "a file")
    people.settle(here, SEAT, RECORD)
    assert (place / "state.json").exists()


def test_processes_that_start_others_are_ended(here: Room) -> None:
    user = here.user(SEAT.number)
    restless = "while :; do sleep 100 & (sleep 100 & sleep 0.01); done"
    with subprocess.Popen(["/bin/sh", "-c", restless], **people.identity(user), cwd="/"):
        while len(people.processes(user)) < 20:
            pass
        people.end_processes(user)
    assert people.processes(user) == []


DIG = """
import os, sys
for place in sys.argv[1:]:
    os.makedirs(place, exist_ok=True)
    os.chdir(place)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    open("deep.txt", "w").close()
"""


def test_folders_within_folders_without_end_stop_nobody(here: Room) -> None:
    """Else a learner could keep the host from ending the day."""
    left = people.EVERYBODYS[0] / f"deep-{here.user(SEAT.number)}"
    places = [str(here.home("ada") / "workbook"), str(left)]
    done = as_user(here.user(SEAT.number), [str(here.python), "-c", DIG, *places])
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(people.keep(here, SEAT, "ada")) as packed:
        assert f"workbook/{'d/' * 1500}deep.txt" in packed.namelist()
    people.leave(here, SEAT)
    assert not left.exists()
    assert not here.home("ada").exists()


@pytest.mark.parametrize("place", people.EVERYBODYS)
def test_the_next_learner_of_a_seat_owns_nothing_of_the_last_one_s(
    here: Room, place: Path, tmp_path: Path
) -> None:
    user = here.user(SEAT.number)
    (tmp_path / "roots.txt").write_text("of root")
    left, others = place / f"left-{user}", place / f"left-{user}-by-another"
    lay = """
import os, sys
left, target = sys.argv[1:]
os.mkdir(left)
open(left + "/file", "w").close()
os.chmod(left, 0)
open(left + ".txt", "w").close()
os.symlink(target, left + ".link")
os.symlink(target, left + ".folder")
"""
    done = as_user(user, [str(here.python), "-c", lay, str(left), str(tmp_path)])
    assert done.returncode == 0, done.stderr
    assert as_user(user + 1, ["touch", str(others)]).returncode == 0
    people.leave(here, SEAT)
    try:
        assert list(place.glob(f"left-{user}*")) == [others]
        assert (tmp_path / "roots.txt").read_text() == "of root"
    finally:
        others.unlink()
