"""How a workshop starts, or says why it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.session import Session
from helpers.workshop import __main__ as start
from helpers.workshop import installation
from helpers.workshop.room import Room
from tests.workshop.conftest import needs_root
from tests.workshop.users import folder_for_everybody


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
        (["--host", "0.0.0.0"], "Choose its password"),
        (["--host", "0.0.0.0", "short"], "at least 10 signs"),
    ],
)
def test_what_cannot_be_is_a_sentence(words: list[str], reason: str, tmp_path: Path) -> None:
    if words[-1] == "/root/workshop" and Path("/root").stat().st_mode & 0o001:
        pytest.skip("everybody may enter this root's home")
    variables = {name: value for name, value in os.environ.items() if "PASSWORD" not in name}
    if words[-1] == "short":
        (tmp_path / "password").write_text(words.pop())
        variables["PASSWORD_FILE"] = str(tmp_path / "password")
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
    own = folder / "own"
    own.mkdir(mode=0o700)
    (own / "python3").symlink_to(sys.executable)
    monkeypatch.setattr(installation, "_pythons", lambda: iter([own.resolve() / "python3"]))
    closed = Path(sys.executable).resolve().parents
    if any(not parent.stat().st_mode & 0o001 for parent in closed):
        with pytest.raises(WorkbookError, match="lies where other users cannot go"):
            installation._python_for_everybody()
    (own / "python3").unlink()
    own.rmdir()
    folder.rmdir()


def test_a_browser_s_address_goes_through_the_hub(
    aws: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = "https://abc.execute-api.us-east-1.amazonaws.com/Prod/allow?token=t"
    assert aws.page(link) == aws.url(link)
    monkeypatch.setenv("WORKBOOK_LINKS", "/services/links")
    assert aws.page(link) == "/services/links/restapis/abc/Prod/_user_request_/allow?token=t"
    assert aws.url(link).startswith("http://127.0.0.1:")
    assert aws.page("https://example.com/a") == "https://example.com/a"
