"""What cells came to: written by a kernel, read as a stranger's words, shown to the host."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers.localaws.record import CHECKOUT
from helpers.workshop import archive, journal, page, standing
from helpers.workshop.decisions import Waiting
from helpers.workshop.journal import Entry
from helpers.workshop.seats import Seat

SCRIPT = "<script>alert(1)</script>\u202e'\""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/notebooks/00_x.ipynb")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shell = InteractiveShell()
    journal.keep(shell, str(tmp_path / "journal"))
    return shell


def _read(tmp_path: Path) -> list[Entry]:
    return journal.read(tmp_path / "journal", os.getuid())


def test_each_cell_is_noted_with_its_sentence(shell: InteractiveShell, tmp_path: Path) -> None:
    shell.run_cell("a = 1", cell_id="one")
    shell.run_cell("from helpers.errors import WorkbookError", cell_id="two")
    shell.run_cell("raise WorkbookError('Run the first cell.')", cell_id="three")
    shell.run_cell("1/0", cell_id="four")
    shell.run_cell("this is no Python", cell_id="five")
    entries = _read(tmp_path)
    assert [(entry.cell, entry.ok) for entry in entries] == [
        ("one", True),
        ("two", True),
        ("three", False),
        ("four", False),
        ("five", False),
    ]
    assert entries[2].sentence == "Run the first cell."
    assert entries[3].sentence == "ZeroDivisionError: division by zero"
    assert entries[4].sentence.startswith("SyntaxError")
    assert {entry.notebook for entry in entries} == {"/home/ada/notebooks/00_x.ipynb"}


def test_a_journal_that_cannot_be_written_troubles_nobody(
    shell: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a disk that is full."""
    (tmp_path / "journal").mkdir()
    assert shell.run_cell("print('done')").success
    assert capsys.readouterr() == ("done\n", "")


def test_a_kernel_keeps_a_journal_where_a_variable_names_one(tmp_path: Path) -> None:
    code = "from IPython.testing.globalipapp import start_ipython as s\n"
    code += "s().extension_manager.load_extension('helpers.kernel')\nget_ipython().run_cell('1')"
    for variables, there in (({}, False), ({"WORKBOOK_PROGRESS": str(tmp_path / "j")}, True)):
        environment = {**os.environ, "IPYTHONDIR": str(tmp_path), **variables}
        subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environment, check=True)
        assert (tmp_path / "j").exists() == there


def test_what_is_no_entry_is_left_out(tmp_path: Path) -> None:
    good = {"time": 1.0, "notebook": "n", "cell": "c", "sentence": ""}
    lines = [
        json.dumps(good),
        "",
        "no JSON",
        "[1]",
        "[" * 100_000,
        json.dumps({**good, "time": "soon"}),
        json.dumps({**good, "time": 1e300}),
        json.dumps({**good, "time": float("nan")}),
        json.dumps({**good, "notebook": 7}),
        "{}",
        json.dumps({**good, "sentence": "x" * 100_000}),
    ]
    (tmp_path / "journal").write_bytes("\n".join(lines).encode() + b"\n\xff\n")
    assert [len(entry.sentence) for entry in _read(tmp_path)] == [0, journal.LONGEST_SENTENCE]


def test_a_long_journal_is_read_from_its_end(tmp_path: Path) -> None:
    line = json.dumps({"time": 1, "notebook": "n", "cell": "c", "sentence": "x" * 300})
    with open(tmp_path / "journal", "w") as file:
        file.writelines(f"{line}\n" for _ in range(2 * journal.LARGEST // len(line)))
        file.write(line.replace('"c"', '"last"'))
    entries = _read(tmp_path)
    assert entries[-1].cell == "last"
    assert len(entries) * len(line) <= journal.LARGEST


def test_what_is_no_plain_file_of_the_learner_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert _read(tmp_path) == []
    (tmp_path / "real").write_text('{"time": 1, "notebook": "", "cell": "", "sentence": ""}\n')
    path.symlink_to(tmp_path / "real")
    assert _read(tmp_path) == []
    path.unlink()
    os.mkfifo(path)
    assert _read(tmp_path) == []
    path.unlink()
    path.mkdir()
    assert _read(tmp_path) == []
    assert len(journal.read(tmp_path / "real", os.getuid())) == 1
    assert journal.read(tmp_path / "real", os.getuid() + 1) == []


# --- checkpoints -------------------------------------------------------------------------


def _notebook(folder: Path, name: str, *cells: tuple[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    kinds = {"m": "markdown", "c": "code"}
    listed = [{"cell_type": kinds[kind[0]], "id": kind, "source": [text]} for kind, text in cells]
    (folder / name).write_text(json.dumps({"cells": listed}))


def test_the_cell_after_a_checkpoint_s_text_proves_it(tmp_path: Path) -> None:
    texts = (("m1", "# A"), ("c1", "x"), ("m2", f"{standing.MARK} Done."), ("c2", "assert x"))
    _notebook(tmp_path, "01_b.ipynb", *texts, ("c3", "y"), ("m3", standing.MARK), ("c4", ""))
    _notebook(tmp_path, "00_a.ipynb", ("c1", "x"))
    _notebook(tmp_path, "_template.ipynb", ("m", standing.MARK), ("c", ""))
    found = standing.lessons(tmp_path)
    assert [(lesson.name, lesson.checkpoints) for lesson in found] == [
        ("00_a.ipynb", ()),
        ("01_b.ipynb", ("c2", "c4")),
    ]
    assert found[1].title == "01 b"


def test_the_real_notebooks_have_checkpoints() -> None:
    found = standing.lessons(CHECKOUT / "notebooks")
    assert found
    assert sum(len(lesson.checkpoints) for lesson in found) >= len(found)


def _entry(cell: str, sentence: str = "", notebook: str = "/h/notebooks/00_a.ipynb") -> Entry:
    return Entry(time.time(), notebook, cell, sentence)


def test_stuck_is_who_has_run_nothing_since_it_failed() -> None:
    failed = _entry("c1", "It failed.")
    assert standing.of([]).stuck is None
    assert standing.of([_entry("c1"), failed]).stuck == failed
    after = standing.of([failed, _entry("c2")])
    assert after.stuck is None
    assert after.reached == {"00_a.ipynb": {"c2"}}


def test_a_solution_that_was_run_is_no_checkpoint_reached() -> None:
    ran = standing.of([_entry("c1", notebook="/h/notebooks/solutions/00_a.ipynb")])
    assert ran.reached == {}


# --- the page ----------------------------------------------------------------------------


def test_the_page_shows_a_stranger_s_words_as_text() -> None:
    ran = standing.of([_entry("c1"), _entry(SCRIPT, SCRIPT, SCRIPT)])
    waiting = [Waiting(SCRIPT, datetime.now(UTC))]
    learner = page.Learner(Seat("ada", 1), True, ran, waiting)
    lessons = [standing.Lesson("00_a.ipynb", ("c1", "c2")), standing.Lesson("01_b.ipynb", ())]
    shown = page.room([learner], lessons, 3, "")
    for text in (shown, page.whole(shown, SCRIPT, SCRIPT, "", "nonce")):
        assert "<script>alert" not in text
        assert "\u202e" not in text
        assert "alert(1)" in text
    assert "1 of 3" in shown
    assert "00 a: 1 of 2 checkpoints" in shown
    assert "●○" in shown
    assert "1 decision waits" in shown


def test_an_empty_room_says_so() -> None:
    assert "Nobody is here yet" in page.room([], [], 3, "")


# --- work that is put away ---------------------------------------------------------------


def test_a_zip_has_the_plain_files_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("not for you")
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    (work / "deep" / "a.txt").write_text("mine")
    (work / "link").symlink_to(tmp_path / "secret")
    (work / "folder").symlink_to(tmp_path)
    os.mkfifo(work / "pipe")
    (work / "__pycache__").mkdir()
    (work / "__pycache__" / "a.pyc").write_text("")
    packed = io.BytesIO()
    archive.pack(Path("work"), packed)
    assert zipfile.ZipFile(packed).namelist() == ["work/deep/a.txt"]
