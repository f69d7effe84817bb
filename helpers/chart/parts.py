"""The parts of a picture: boxes of states, arrows between them, frames around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from helpers.chart import text

LEAST_WIDTH, NAME_WIDTH = 150.0, 230.0  # pixels; a longer name is wrapped
NAME_LINE, LABEL_LINE = 16.0, 13.0
LABEL_WIDTH, LABEL_LINES = 180.0, 4
DISC = 38.0
POINTS = {"join": 8.0, "meeting": 0.5}
ROUND = ("start", "end", *POINTS)  # kinds of nodes that are no boxes

Way = Literal["next", "choice", "default", "catch", "retry", "enter", "join", "leave"]


@dataclass(slots=True)
class Node:
    """A state, or what is drawn beside states: start, end, a join, a target that is missing.

    `kind` is a state's Type or one of start, end, join, meeting, missing and unknown. `x` and `y`
    are the middle, in pixels from the upper left.
    """

    key: str
    kind: str
    name: str | None  # of a state
    lines: list[str]
    subtitle: str = ""
    width: float = DISC
    height: float = DISC
    depth: int = 0
    broken: bool = False
    x: float = 0.0
    y: float = 0.0

    def write(self, subtitle: str) -> None:
        """Give the box its texts, and the size they need."""
        name = self.lines[0] if self.name is None else self.name
        self.lines = text.wrap(name, NAME_WIDTH, text.NAME, bold=True)
        self.subtitle = text.clip(subtitle, NAME_WIDTH + 30, text.SUBTITLE)
        self._fit()

    def blame(self, fault: str) -> None:
        """Say what is wrong with it; it is drawn as an error."""
        self.broken = True
        self.subtitle = f"{self.subtitle} · {fault}"
        self._fit()

    def _fit(self) -> None:
        widest = max(
            text.width(self.subtitle, text.SUBTITLE),
            *(text.width(line, text.NAME, bold=True) for line in self.lines),
        )
        self.width = max(LEAST_WIDTH, widest + 36)
        self.height = NAME_LINE * len(self.lines) + 30


@dataclass(slots=True)
class Edge:
    """An arrow. `steps` are the transitions it stands for, as `history.transitions` names them."""

    tail: str
    head: str
    kind: Way
    steps: set[tuple[str | None, str | None]]
    labels: list[str] = field(default_factory=list)
    pointed: bool = True
    back: bool = False  # it closes a loop
    trunk: bool = False  # where arrows of caught errors run together
    rows: int = 1  # how many rows down it leads, at least
    lines: list[str] = field(default_factory=list)
    path: str = ""
    arrow: str = ""
    x: float = 0.0  # the middle of its label
    y: float = 0.0

    def write(self) -> None:
        """Break its labels into lines, shortened to what reads at a glance."""
        shown = self.labels
        if self.kind == "retry":
            shown = [f"↻ {' / '.join(label.split(' up to ')[-1] for label in self.labels)}"]
        lines = [line for label in shown for line in text.wrap(label, LABEL_WIDTH, text.LABEL)]
        if len(lines) > LABEL_LINES:
            lines = [*lines[: LABEL_LINES - 1], "…"]
        self.lines = lines

    @property
    def label_size(self) -> tuple[float, float]:
        """Width and height of its label in pixels."""
        widest = max(text.width(line, text.LABEL) for line in self.lines)
        return widest + 14, LABEL_LINE * len(self.lines) + 5


@dataclass(slots=True)
class Frame:
    """What is drawn around a Parallel or Map state; `bounds` are x, y, width and height."""

    key: str
    name: str
    parent: str
    members: list[str] = field(default_factory=list)
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass
class Chart:
    """The parts of a picture; `width` and `height` are of the whole, once it is laid out."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    columns: list[tuple[str, str, int]] = field(default_factory=list)  # below one another, rows
    width: float = 0.0
    height: float = 0.0
