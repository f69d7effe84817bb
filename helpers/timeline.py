"""The timeline of an execution: where its time went, and how much of it was waiting for a person.

Takes the events that boto3 returns and calls nothing. The picture is matplotlib's, as SVG.
"""

from __future__ import annotations

import io
import warnings
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from itertools import pairwise
from typing import Any

from helpers import history
from helpers.history import Span
from helpers.visits import Event, StepStatus, Visit, Walk

__all__ = ["Timeline", "duration"]

MOST_ROWS = 40
_TEXT_WIDTH = 40
_LABEL_WIDTH = 34
_LARGE, _SMALL = 11, 9.5  # points of text; the picture is narrow, so that it stays readable
_LETTER = 7.1  # points: the room of one in a label, rather too much than too little
_LANES = 4  # visits at the same time that get a bar of their own each
_LEAST = 0.004  # of the width: a bar that is shorter would not be seen
_TAIL = 0.1  # of the width: there what still lasts goes on
_CUT = 20  # so many times longer than all shorter stretches together: drawn with a break in it
_MOST_CUTS = 6
_BREAK = 0.012  # of the width: the gap in a bar that is drawn too short


@dataclass(frozen=True, slots=True)
class _Look:
    words: str
    fill: str
    hatch: str  # seen without colours
    edge: str
    letter: str  # in plain text


# matplotlib knows no currentColor, so this stands for it; no other colour here is the same.
_INK = "#010203"
_LINE, _BAD = "#858d97", "#e5534b"  # seen on white and on black alike: at least 3:1 on either
_LOOKS = {
    "work": _Look("works", "#2f81f7", "", "#2f81f7", "█"),
    "person": _Look("waits for a person", "#fef3c7", "////", "#b45309", "░"),
    "clock": _Look("waits for the time", "#d0d7de", "....", "#57606a", "·"),
    "states": _Look("holds other states", "none", "", _LINE, "─"),
}
_SIGNS = {
    StepStatus.FAILED: "✗",
    StepStatus.TIMED_OUT: "⏱",
    StepStatus.CAUGHT: "⤷",
    StepStatus.ABORTED: "■",
}
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_SECONDS += (600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)


def duration(milliseconds: float) -> str:
    """A length of time as a person says it.

    >>> duration(4.2), duration(950), duration(61_000), duration(90_061_000)
    ('4 ms', '950 ms', '1 min 1 s', '1 d 1 h')
    >>> duration(2_345)
    '2.3 s'
    """
    seconds = milliseconds / 1000
    if round(milliseconds) < 1000:
        return f"{milliseconds:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    left, parts = round(seconds), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


class Timeline:
    """The states of an execution as bars over time: HTML in a notebook, letters when printed.

    A state has one row, however often it was entered: iterations of a Map state do not make the
    picture longer. What still runs lasts until the newest event, and is drawn going on. A stretch
    that is very much longer than all others has a break in it, with its true length below, so that
    milliseconds of work are seen beside days of waiting.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        # Both are walked through in the same order, so that a span's row is a visit's place.
        visits, rows = Walk(events).visits, {}
        for visit in visits:
            rows.setdefault(visit.name, _Row(visit.name, _depth(visit))).visits.append(visit)
        for span in history.spans(events):
            rows[span.step].spans.append(span)
        self.rows = list(rows.values())
        times = [event["timestamp"] for event in events]
        self.length = (max(times) - min(times)).total_seconds() * 1e3 if times else 0.0
        self._begin = min(times, default=None)

    @property
    def waited(self) -> float:
        """Milliseconds in which somebody's answer was waited for, added up."""
        return sum(row.lasted(self.length, "person") for row in self.rows)

    @property
    def summary(self) -> str:
        """One sentence with the times in it."""
        waited = f", {duration(self.waited)} of it waiting for a person" if self.waited else ""
        return f"{_count(len(self.rows))} in {duration(self.length)}{waited}"

    def __repr__(self) -> str:
        """What is the same each time that the same happens: no times."""
        asks = [row for row in self.rows if any(span.what == "person" for span in row.spans)]
        told = [f"{'waits' if row.lasts else 'waited'} for a person in {row.name}" for row in asks]
        told += [f"{row.sign} {row.name}" for row in self.rows if row.sign]
        return "; ".join([f"Timeline of {_count(len(self.rows))}", *told[:4]])

    def __str__(self) -> str:
        """The bars as letters."""
        if not self.rows:
            return "No state has been entered."
        widest = max(len(row.label) for row in self._shown)
        lines = [
            f"{row.label:<{widest}}  {self._letters(row)}  {row.told(self.length)}"
            for row in self._shown
        ]
        cut = ", ".join(duration(end - begin) for begin, end in self._scale.cuts)
        return "\n".join([*lines, *([f"╱ is a cut: {cut}"] if cut else []), *self._more()])

    def _repr_html_(self) -> str:
        return f"<div>{escape(self.summary)}</div>{self.svg()}"

    def svg(self) -> str:
        """The picture: as wide as its text needs, narrower where there is less room."""
        from matplotlib.figure import Figure  # 0.3 s: only who looks at one waits for it

        picture = io.StringIO()
        # What is hatched is found by its id in the whole page, which may hold other pictures: in a
        # tab that is hidden, the hatching would be hidden too. The same picture has the same ids.
        with _settings(ids=f"{self._begin} {self}"):
            figure = Figure(figsize=(4.3, 0.5 + 0.32 * max(len(self._shown), 1)), facecolor="none")
            axes = figure.add_axes((0, 0, 1, 1), facecolor="none")
            self._draw(axes)
            figure.savefig(
                picture, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None}
            )
        svg = picture.getvalue().replace(_INK, "currentColor")
        head, rest = svg[svg.index("<svg") :].split(">", maxsplit=1)
        words = f"<title>{escape(repr(self))}</title><desc>{escape(str(self))}</desc>"
        return f'{head} role="img" style="max-width:100%;height:auto">{words}{rest}'

    @property
    def _shown(self) -> list[_Row]:
        return self.rows[:MOST_ROWS]

    @cached_property
    def _scale(self) -> _Scale:
        return _Scale.of([span for row in self._shown for span in row.spans], self.length)

    def _draw(self, axes: Any) -> None:
        room = _LETTER * max((len(row.label) for row in self._shown), default=0)
        for place, row in enumerate(self._shown):
            for bar in row.bars(self._scale):
                look = _LOOKS[bar.what]
                for begin, end in self._scale.pieces(bar.begin, bar.end):
                    axes.barh(
                        place - 0.31 + bar.height * (bar.lane + 0.5) * 0.62,
                        end - begin,
                        left=begin,
                        height=0.62 * bar.height,
                        facecolor=look.fill,
                        edgecolor=look.edge,
                        hatch=look.hatch,
                        linewidth=0.8,
                        clip_on=False,
                    )
            words = {"va": "center", "fontsize": _SMALL, "alpha": 0.75, "linespacing": 1.1}
            axes.text(1.015, place, row.told(self.length).replace(", ", "\n"), **words)
            beside = {"textcoords": "offset points", "va": "center", "fontsize": _LARGE}
            colour = _BAD if row.sign else _INK
            # Spaces at the beginning of a text are lost in SVG.
            left = 2 * row.depth * _LETTER - room
            axes.annotate(row.label.lstrip(), (0, place), (left, 0), color=colour, **beside)
        axes.set_yticks([])
        axes.set_ylim(max(len(self._shown), 1) - 0.4, -0.6)  # the first on top
        axes.set_xlim(0, 1)
        for side in axes.spines.values():
            side.set_visible(False)
        self._measure(axes)
        self._explain(axes)

    def _measure(self, axes: Any) -> None:
        """The axis: times, or with a break in it a measure for the rest."""
        scale, bottom = self._scale, max(len(self._shown), 1) - 0.4
        words = {"fontsize": _SMALL, "alpha": 0.75, "va": "top", "clip_on": False}
        step = _step(scale.whole / 5)
        marks = range(int(self.length / step) + 1) if self.rows and not scale.cuts else ()
        times = [duration(mark * step).replace(".0 s", " s") for mark in marks]
        axes.set_xticks([scale(mark * step) for mark in marks], times)
        axes.tick_params(axis="x", length=0, labelsize=_SMALL, labelcolor=_INK)
        axes.grid(axis="x", color=_LINE, linewidth=0.5, alpha=0.5)
        axes.set_axisbelow(True)
        for begin, end in scale.cuts:
            middle = (scale(begin) + scale(end)) / 2
            axes.axvline(middle, color=_LINE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
            axes.text(middle, bottom, f"╱ {duration(end - begin)} ╱", ha="center", **words)
        if scale.cuts:
            width, low = step * scale.per_millisecond, bottom + 0.62
            axes.plot([0, 0, 0, width, width, width],
                      [low - 0.12, low + 0.12, low, low, low - 0.12, low + 0.12],
                      color=_INK, linewidth=0.8, clip_on=False)  # fmt: skip
            axes.text(width + 0.01, low, duration(step), **{**words, "va": "center"})
        if self._more():
            axes.text(0, bottom + 1.1, self._more()[0], **words)

    def _explain(self, axes: Any) -> None:
        """The legend: of what is in the picture only."""
        from matplotlib.patches import Patch

        present = {span.what for row in self._shown for span in row.spans}
        patches = [
            Patch(facecolor=look.fill, edgecolor=look.edge, hatch=look.hatch, label=look.words)
            for what, look in _LOOKS.items()
            if what in present
        ]
        if patches:
            legend = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}
            axes.legend(
                handles=patches, ncols=len(patches), frameon=False, fontsize=_SMALL, **legend
            )
        else:
            axes.text(0, 0.2, "No state has been entered.")

    def _letters(self, row: _Row) -> str:
        """A row of `_TEXT_WIDTH` letters; each bar has one at least."""
        line = [" "] * _TEXT_WIDTH
        for bar in row.bars(self._scale):
            begin = min(int(bar.begin * _TEXT_WIDTH), _TEXT_WIDTH - 1)
            end = max(begin + 1, round(bar.end * _TEXT_WIDTH))
            line[begin:end] = _LOOKS[bar.what].letter * (end - begin)
        for begin, end in self._scale.cuts:
            middle = int((self._scale(begin) + self._scale(end)) / 2 * _TEXT_WIDTH)
            line[middle] = "╱" if line[middle] != " " else " "
        return "".join(line)

    def _more(self) -> list[str]:
        left = len(self.rows) - MOST_ROWS
        return [f"… {left:,} more states: history.steps(events) has them all"] if left > 0 else []


# What is drawn ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bar:
    """A bar in a row: where it begins and ends, from 0 to 1, and its share of the row's height."""

    what: str
    begin: float
    end: float
    lane: int = 0
    height: float = 1.0


@dataclass(slots=True)
class _Row:
    """A state: all visits of it, and what their time went into."""

    name: str
    depth: int
    visits: list[Visit] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    @property
    def lasts(self) -> bool:
        return any(visit.status is None for visit in self.visits)

    @property
    def sign(self) -> str:
        """The sign of how a visit ended, where one ended badly."""
        found = {visit.status for visit in self.visits}
        return next((sign for status, sign in _SIGNS.items() if status in found), "")

    @property
    def label(self) -> str:
        times, retries = len(self.visits), sum(visit.attempts - 1 for visit in self.visits)
        name = self.name if len(self.name) <= _LABEL_WIDTH else f"{self.name[: _LABEL_WIDTH - 1]}…"
        # A name may have line breaks in it; here it is one line.
        words = [self.sign, " ".join(name.split()), f"×{times:,}" if times > 1 else ""]
        words.append(f"↻{retries:,}" if retries else "")
        return "  " * self.depth + " ".join(word for word in words if word)

    def lasted(self, length: float, what: str | None = None) -> float:
        """Milliseconds, of all visits, that went into `what`, or into everything."""
        return sum(
            (length if span.end is None else span.end) - span.begin
            for span in self.spans
            if what in (None, span.what)
        )

    def told(self, length: float) -> str:
        """The row's time in words."""
        waited = self.lasted(length, "person")
        if len(self.visits) > 1:
            longest = max(visit.duration or 0 for visit in self.visits)
            words = f"{duration(longest)} at most"
        else:
            words = duration(self.lasted(length))
        if self.lasts and self.spans[-1].what == "person":
            return f"{words}, still waits …"
        waits = f", waited {duration(waited)}" if waited else ""
        return f"{words}{waits}{' …' if self.lasts else ''}"

    def bars(self, scale: _Scale) -> Iterator[_Bar]:
        """What is drawn: side by side where few visits overlap, as one where many do."""
        by_visit: dict[int, list[Span]] = {}
        for span in self.spans:
            by_visit.setdefault(span.row, []).append(span)
        lanes = len(by_visit) if len(by_visit) <= _LANES and _overlap(by_visit.values()) else 1
        for number, spans in enumerate(by_visit.values() if lanes > 1 else [self.spans]):
            for what in ("states", "clock", "work", "person"):  # the later ones are drawn on top
                drawn = [scale.bar(span) for span in spans if span.what == what]
                for begin, end in _union(drawn):
                    yield _Bar(what, begin, end, number, 1 / lanes)


@dataclass(frozen=True)
class _Scale:
    """Where a moment is drawn, from 0 to 1: in proportion, but for the stretches that are cut."""

    points: list[float]  # milliseconds
    places: list[float]
    cuts: list[tuple[float, float]]
    per_millisecond: float
    whole: float  # milliseconds that are drawn in proportion

    @classmethod
    def of(cls, spans: Iterable[Span], length: float) -> _Scale:
        """Choose what to cut: stretches in which nothing begins or ends, and that hide the rest."""
        ends = {length, 0.0}
        lasts = False
        for span in spans:
            ends.add(span.begin)
            ends.add(length if span.end is None else span.end)
            lasts = lasts or span.end is None
        points = sorted(ends)
        stretches = sorted(pairwise(points), key=lambda pair: pair[0] - pair[1])
        cuts = stretches[: _cut_count([end - begin for begin, end in stretches])]
        room = 1 - _TAIL if lasts else 1.0
        cut_room = min(0.6, 1 - 0.7 ** len(cuts)) * room
        whole = length - sum(end - begin for begin, end in cuts)
        per = (room - cut_room) / whole if whole else 0.0
        chosen, places = set(cuts), [0.0]
        for pair in pairwise(points):
            wide = cut_room / len(cuts) if pair in chosen else (pair[1] - pair[0]) * per
            places.append(places[-1] + wide)
        return cls(points, places, sorted(cuts), per, whole)

    def __call__(self, moment: float) -> float:
        after = bisect(self.points, moment)
        if after >= len(self.points):
            return self.places[-1]
        begin, end = self.points[after - 1], self.points[after]
        share = (moment - begin) / (end - begin)
        return self.places[after - 1] + share * (self.places[after] - self.places[after - 1])

    def bar(self, span: Span) -> tuple[float, float]:
        """Where a span is drawn: long enough to be seen; to the edge where it lasts."""
        begin = min(self(span.begin), 1 - _LEAST)
        end = 1.0 if span.end is None else self(span.end)
        return begin, max(end, begin + _LEAST)

    def pieces(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """A bar without its breaks, which are in the middle of what is cut."""
        for cut in self.cuts:
            middle = (self(cut[0]) + self(cut[1])) / 2
            if begin < middle - _BREAK and middle + _BREAK < end:
                yield begin, middle - _BREAK / 2
                begin = middle + _BREAK / 2
        yield begin, end


def _cut_count(lengths: Sequence[float]) -> int:
    """How many of the stretches, longest first, are so long that the rest would not be seen."""
    return max(
        (
            count
            for count in range(1, min(_MOST_CUTS, len(lengths)) + 1)
            if lengths[count - 1] > _CUT * sum(lengths[count:]) > 0
        ),
        default=0,
    )


def _union(pairs: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join what overlaps: a thousand bars are not drawn one over the other."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(pairs):
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _overlap(visits: Iterable[list[Span]]) -> bool:
    """Whether one of these visits, in the order entered, begins before the last one has ended."""
    latest = 0.0
    for spans in visits:
        if spans[0].begin < latest:
            return True
        end = spans[-1].end
        latest = float("inf") if end is None else max(latest, end)
    return False


def _depth(visit: Visit) -> int:
    """How many Parallel and Map states are around it."""
    return sum(around.kind in ("Parallel", "Map") for around in visit.up()) - (
        visit.kind in ("Parallel", "Map")
    )


def _step(least: float) -> float:
    """A round number of milliseconds, not below `least`."""
    return next((s * 1e3 for s in _SECONDS if s * 1e3 >= least), _SECONDS[-1] * 1e3)


def _count(number: int) -> str:
    return f"{number:,} state{'' if number == 1 else 's'}"


def _settings(ids: str) -> Any:
    from contextlib import ExitStack

    from matplotlib import rc_context

    settings = ExitStack()
    settings.enter_context(
        rc_context(
            {
                # Text stays text: it is small, can be searched, and a screen reader reads it.
                "svg.fonttype": "none",
                "svg.hashsalt": ids,
                "hatch.linewidth": 0.7,
                "text.parse_math": False,  # a state may be called $x$
                "text.color": _INK,
            }
        )
    )
    # The browser draws the letters, and has them where matplotlib's font has not.
    settings.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
    return settings
