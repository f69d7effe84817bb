"""How far a learner is: the checkpoints of the notebooks, and which of them were reached."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from helpers.workshop.journal import Entry

MARK = "**Checkpoint.**"


@dataclass(frozen=True)
class Lesson:
    """A notebook's name, and for each of its checkpoints the cell that must run without error."""

    name: str
    checkpoints: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name as people say it: ``03_catch_a_bad_policy.ipynb`` is "03 catch a bad policy"."""
        return self.name.removesuffix(".ipynb").replace("_", " ")


@dataclass(frozen=True)
class Standing:
    """What a learner's journal says: the ``reached`` cells by notebook, and the newest entry."""

    reached: dict[str, frozenset[str]]
    newest: Entry | None

    @property
    def stuck(self) -> Entry | None:
        """The failure that nothing has come after, None where the newest cell ran."""
        return self.newest if self.newest and not self.newest.ok else None


def lessons(folder: Path) -> list[Lesson]:
    """Return the numbered notebooks of a folder in their order."""
    return [_lesson(path) for path in sorted(folder.glob("[0-9]*.ipynb"))]


def _lesson(path: Path) -> Lesson:
    """Read a notebook: after a checkpoint's text, the next cell of code is what proves it."""
    found, promised = [], False
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            if promised:
                found.append(cell["id"])
            promised = False
        elif "".join(cell["source"]).startswith(MARK):
            promised = True
    return Lesson(path.name, tuple(found))


def of(entries: Iterable[Entry]) -> Standing:
    """Return how far a learner is who ran these cells; solutions are not the learner's."""
    reached: dict[str, set[str]] = {}
    newest = None
    for entry in entries:
        notebook = PurePosixPath(entry.notebook)
        if entry.ok and notebook.parent.name == "notebooks":
            reached.setdefault(notebook.name, set()).add(entry.cell)
        newest = entry
    return Standing({name: frozenset(cells) for name, cells in reached.items()}, newest)
