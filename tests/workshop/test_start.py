"""How a workshop starts, or says why it does not."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.session import Session
from helpers.workshop import __main__ as start
from helpers.workshop import installation, people
from helpers.workshop.room import HOST_PASSWORD, MOST, PASSWORD, Room
from helpers.workshop.seats import Seats
from tests.workshop import running
from tests.workshop.conftest import needs_root
from tests.workshop.users import folder_for_everybody

FIRST = 61900
# Port 0: the one that is usual may be taken.
EVERYWHERE = ("--host", "0.0.0.0", "--port", "0")


def _room(folder: Path, address: str = start.LOCAL) -> Room:
    return Room(folder, 3, 60600, address, 8000, 1, 2, 3, folder / "kept")


@pytest.mark.skipif(os.geteuid() == 0, reason="it is root who may")
def test_without_root_it_says_why_and_what_to_do() -> None:
    command = [sys.executable, "-m", "helpers.workshop"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "only root can start processes of other users" in done.stderr
    assert "sudo make workshop" in done.stderr


@needs_root
def test_another_user_is_told_why_and_what_to_do(room: Room) -> None:
    done = subprocess.run(
        [str(room.python), "-m", "helpers.workshop"],
        user=60999,
        group=60999,
        extra_groups=(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "sudo make workshop" in done.stderr


@needs_root
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--learners", "0"], "1 to 400 learners"),
        (["--learners", "401"], "1 to 400 learners"),
        (["--port", "99999"], "cannot be used"),
        (["--room", "/root/workshop"], "lets none of them in"),
        (["--room", f"/opt/{'x' * 90}"], "path is too long"),
        (["--first-user", "65533"], "has one of them"),
        (["--host", "192.0.2.1"], "is not an address of this computer"),
        (["--host", "no.such.name.invalid"], "is not an address of this computer"),
        ([*EVERYWHERE], "Choose its password"),
        ([*EVERYWHERE, "short"], "at least 10 characters"),
        ([*EVERYWHERE, "/nowhere/password"], "cannot be read from PASSWORD_FILE=/nowhere"),
    ],
)
def test_what_cannot_be_is_a_sentence(words: list[str], reason: str, tmp_path: Path) -> None:
    if words[-1] == "/root/workshop" and Path("/root").stat().st_mode & 0o001:
        pytest.skip("everybody may enter this root's home")
    words = list(words)
    variables = {name: value for name, value in os.environ.items() if "PASSWORD" not in name}
    if words[-1] == "short":
        (tmp_path / "password").write_text(words.pop())
        variables["PASSWORD_FILE"] = str(tmp_path / "password")
    elif words[-1].endswith("/password"):
        variables["PASSWORD_FILE"] = words.pop()
    done = subprocess.run(
        [sys.executable, "-m", "helpers.workshop", *words],
        cwd=CHECKOUT,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr


def test_a_room_open_to_the_network_has_the_host_s_own_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    monkeypatch.setenv("PASSWORD_FILE", str(tmp_path / "password"))
    password, host_password = start._passwords("0.0.0.0")
    assert password == "correct horse"
    start._announce(_room(tmp_path, "0.0.0.0"), password, host_password, 1)
    said = capsys.readouterr().out
    assert "open to the network, without TLS" in said
    assert password not in said
    assert said.count(host_password) == 1
    if number := start._own_address():
        assert re.search(rf"http://{re.escape(number)}:8000\b", said)


def test_where_there_is_no_network_the_name_alone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    start._announce(_room(tmp_path, "0.0.0.0"), "correct horse", "other", 1)
    assert re.findall(r"http://([^:]+):8000\n", capsys.readouterr().out) == [socket.gethostname()]


def test_each_day_s_work_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["workshop", "--kept", str(tmp_path)])
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1001")
    room = start._room(start._arguments())
    assert room.kept.parent == tmp_path
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d{6}", room.kept.name)
    assert room.keeper == (1000, 1001)


def test_fewer_seats_than_were_taken_are_refused(tmp_path: Path) -> None:
    room = _room(tmp_path)
    room.state.mkdir()
    start._check_seats(room)
    seats = Seats(room.state, 5)
    for name in ("ada", "bob", "cleo"):
        seats.take(name, None)
    start._check_seats(room)
    seats.take("dora", None)
    with pytest.raises(WorkbookError, match=r"4 seats are taken in this room.*LEARNERS=4 or more"):
        start._check_seats(room)


@needs_root
@pytest.mark.parametrize("state", ["none", "open", "another's", "a link"])
def test_a_folder_of_something_else_s_is_left_as_it_is(state: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "workbook").mkdir(parents=True)
    (folder / "workbook" / "mine.txt").write_text("my work")
    os.chown(folder, 60999, 60999)
    if state == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (folder / "state").symlink_to(tmp_path / "elsewhere")
    elif state != "none":
        (folder / "state").mkdir(mode=0o755 if state == "open" else 0o700)
        os.chown(folder / "state", *((0, 0) if state == "open" else (60999, 60999)))

    def seen() -> list[tuple[Path, os.stat_result]]:
        every = [folder, *sorted(folder.rglob("*"))]
        return [(path, path.lstat()[:6], path.lstat().st_ctime_ns) for path in every]

    before = seen()
    with pytest.raises(WorkbookError, match="is not empty, and no workshop's room"):
        _room(folder).furnish(CHECKOUT)
    assert seen() == before


@needs_root
def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WorkbookError, match=r"cannot be laid out in .*/file/room .*choose another"):
        start._furnish(_room(tmp_path / "file" / "room"))


@needs_root
def test_an_empty_folder_becomes_a_room_and_stays_one(tmp_path: Path) -> None:
    room = _room(tmp_path)
    for _ in range(2):
        replace(room, kept=tmp_path / "kept" / "day").furnish(CHECKOUT)
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "workbook" / "notebooks").is_dir()
        assert list((tmp_path / "kept").iterdir()) == []


@needs_root
@pytest.mark.parametrize(("words", "name"), [("jupyterhub", "hub"), ("helpers.localaws", "aws")])
def test_who_is_lost_is_named_and_nothing_is_left(room: Room, words: str, name: str) -> None:
    with running.workshop(room.folder, 3, FIRST) as workshop:
        family = psutil.Process(workshop.process.pid).children()
        (lost,) = [process for process in family if process.cmdline()[2] == words]
        everybody = lost.children(recursive=True)
        lost.kill()
        said, _ = workshop.process.communicate(timeout=150)
    assert workshop.process.returncode == 1
    assert "Nothing is left running." in said
    assert f"{name}.log says why" in said
    _, alive = psutil.wait_procs([*family, *everybody], timeout=10)
    assert alive == []
    start._check_port("127.0.0.1", int(workshop.address.rsplit(":", 1)[1]))


@pytest.fixture
def emptied(room: Room) -> Iterator[Room]:
    """The room, which other tests find as it was: nobody has a seat or a home."""
    yield room
    for seat in Seats(room.state, room.seats).all():
        people.leave(replace(room, first=FIRST), seat)
    (room.state / "seats.json").unlink(missing_ok=True)


@needs_root
def test_a_learner_s_module_does_not_stand_in_for_python_s(emptied: Room) -> None:
    with running.workshop(emptied.folder, 3, FIRST) as workshop:
        zoe = workshop.visitor("zoe")
        assert zoe.log_in(workshop.password) == ""
        zoe.sit_down()
        zoe.run("open('../random.py', 'w').write('raise SystemExit')")
        zoe.leave()
        zoe.sit_down()
        # A notebook still imports what lies beside it.
        said = zoe.run("import without_step_functions as beside; print(beside.__file__)")
        assert said.strip().endswith("/workbook/notebooks/without_step_functions.py")
        assert people.processes(FIRST + 1) != []
        workshop.process.send_signal(signal.SIGTERM)
        workshop.process.send_signal(signal.SIGHUP)
        assert workshop.process.wait(150) == 0
    assert people.processes(FIRST + 1) == []
    assert not emptied.aws.exists()


@needs_root
def test_the_hub_lists_as_many_as_there_can_be(room: Room) -> None:
    config = room.workbook / "helpers" / "workshop" / "hub.py"
    done = subprocess.run(
        [str(room.python), "-m", "jupyterhub", "-f", str(config), "--show-config-json"],
        env={PASSWORD: "correct horse", HOST_PASSWORD: "other", **room.variables()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["JupyterHub"]["api_page_max_limit"] == MOST


def test_a_room_of_this_computer_has_new_passwords_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = start._passwords(start.LOCAL), start._passwords(start.LOCAL)
    assert len({*first, *second}) == 4
    start._announce(_room(tmp_path), *first, 1)
    said = capsys.readouterr().out
    assert [said.count(password) for password in first] == [1, 1]
    assert "network" not in said


def test_no_list_of_what_is_installed_names_a_registry() -> None:
    for path in installation.LISTS:
        text = path.read_text()
        assert '"resolved"' not in text
        assert "index-url" not in text
    requirements = installation.LISTS[0].read_text()
    assert re.search(r"(?m)^jupyterhub==", requirements)
    assert not re.search(r"(?m)^debugpy==", requirements)


def test_the_workshop_s_versions_are_the_workbook_s() -> None:
    def versions(path: Path) -> dict[str, str]:
        return dict(re.findall(r"(?m)^([\w.\[\]-]+)==(\S+)", path.read_text()))

    ours = versions(CHECKOUT / "requirements.txt")
    theirs = versions(installation.LISTS[0])
    assert {name: theirs[name] for name in ours if name != "debugpy"} == {
        name: version for name, version in ours.items() if name != "debugpy"
    }


@needs_root
def test_a_python_that_is_somebody_s_own_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_for_everybody()
    try:
        own = folder / "own"
        own.mkdir(mode=0o700)
        shutil.copy(sys.executable, own / "python3")
        monkeypatch.setattr(installation, "_pythons", lambda: iter([own / "python3"]))
        with pytest.raises(WorkbookError, match="lies where other users cannot go"):
            installation._python_for_everybody()
        own.chmod(0o755)
        for version, words in {
            (3, 10, 9): r"is Python 3\.10\. Install one",
            (3, 12, 0): r"is Python 3\.12\.0, which would give learners root's groups",
        }.items():
            monkeypatch.setattr(installation, "_version", lambda _, found=version: found)
            with pytest.raises(WorkbookError, match=words):
                installation._python_for_everybody()
        monkeypatch.setattr(installation, "_version", lambda _: (3, 11, 0))
        assert installation._python_for_everybody() == str(own / "python3")
    finally:
        shutil.rmtree(folder)


def test_a_browser_s_address_goes_through_the_hub(
    aws: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = "https://abc.execute-api.us-east-1.amazonaws.com/Prod/allow?token=t"
    assert aws.page(link) == aws.url(link)
    monkeypatch.setenv("WORKBOOK_LINKS", "/services/links")
    assert aws.page(link) == "/services/links/restapis/abc/Prod/_user_request_/allow?token=t"
    assert aws.url(link).startswith("http://127.0.0.1:")
    assert aws.page("https://example.com/a") == "https://example.com/a"
