"""``make upgrade-check``: what has newer releases, and whether the local AWS holds with them.

The local AWS reaches into MiniStack and moto, so both are pinned exactly. This takes the newest
releases of everything that pyproject.toml's other bounds allow, says what moved, and runs the
tests of the seams with them, in an environment of their own. Nothing of the project is changed:
`make requirements` does that, after the pins in pyproject.toml were moved by hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PLACE = CHECKOUT / ".venv" / "upgrade"
UV = Path(sys.executable).with_name("uv")
REACHED_INTO = ("ministack", "moto")
CONTRACT = "tests/localaws/test_seams.py"
COMPILE = "--quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links"


def main() -> int:
    """Print what moved and how the seams fared; return 0 where they hold."""
    try:
        return _check()
    except subprocess.CalledProcessError:
        print(
            "The newest releases could not be had; uv says why above. Without a network there is "
            "nothing to compare with: try again when there is one.",
            file=sys.stderr,
        )
        return 1


def _check() -> int:
    PLACE.mkdir(parents=True, exist_ok=True)
    newest = _compiled(loosened((CHECKOUT / "pyproject.toml").read_text()))
    moved = list(differences((CHECKOUT / "requirements.txt").read_text(), newest.read_text()))
    for name, before, after in moved:
        print(f"{name:<32} {before or 'new':<12} -> {after or 'gone'}")
    print(f"{len(moved)} of the packages have moved.\n" if moved else "Nothing has moved.\n")
    return _try(newest)


def loosened(project: str) -> str:
    """Return pyproject.toml's text with newer releases of what is reached into let in.

    >>> loosened('"ministack==1.5.33", "moto[stepfunctions]==5.2.5", "nbval==0.11"')
    '"ministack>=1.5.33", "moto[stepfunctions]>=5.2.5", "nbval==0.11"'
    """
    names = "|".join(REACHED_INTO)
    return re.sub(rf'"((?:{names})(?:\[\w+\])?)==', r'"\1>=', project)


def differences(before: str, after: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield what differs between two requirements files: (package, version before, after).

    A package with a version for each of several Pythons has them all, with commas.
    """
    old, new = _versions(before), _versions(after)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _versions(requirements: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", requirements):
        found[name] = f"{found[name]}, {version}" if name in found else version
    return found


def _compiled(project: str) -> Path:
    """Compile the newest of everything; return the requirements file."""
    source, target = PLACE / "pyproject.toml", PLACE / "requirements.txt"
    source.write_text(project)
    command = [UV, "pip", "compile", *COMPILE.split(), "--upgrade", source, "--output-file", target]
    subprocess.run(command, check=True)
    return target


def _try(requirements: Path) -> int:
    """Run the tests of the seams with these requirements; return their exit status."""
    environment = PLACE / "venv"
    python = environment / "bin" / "python"
    subprocess.run(
        [UV, "venv", "--quiet", "--clear", "--python", sys.executable, environment], check=True
    )
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--python", python, "-r", requirements], check=True
    )
    names = _versions(requirements.read_text())
    with_what = " and ".join(f"{name} {names[name]}" for name in REACHED_INTO)
    print(f"The seams, with {with_what}:", flush=True)
    variables = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [
            python,
            "-m",
            "pytest",
            CONTRACT,
            "-p",
            "no:cacheprovider",
            "-o",
            "filterwarnings=default",
        ],
        cwd=CHECKOUT,
        env=variables,
        check=False,
    )
    holds = "hold" if done.returncode == 0 else "do NOT hold: each failed test says what moved"
    print(f"\nThe seams {holds}.")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
