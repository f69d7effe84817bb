"""The timeline of an execution: a bar for each step, waiting for a person told apart from work.

Takes the events that boto3 returns and calls nothing. The picture is matplotlib's, as SVG.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from helpers import history
from helpers.history import Span
from helpers.visits import Event, StepStatus

__all__ = ["Timeline", "duration"]

MOST_STEPS = 40
_TEXT_WIDTH = 40
_LEAST_SHARE = 0.004  # of the whole: a bar that is shorter would not be seen


@dataclass(frozen=True, slots=True)
class _Look:
    words: str
    fill: str
    hatch: str  # seen without colours
    letter: str  # in plain text


_LOOKS = {
    "work": _Look("works", "#2f81f7", "", "█"),
    "person": _Look("waits for a person", "#fef3c7", "////", "░"),
    "clock": _Look("waits for the time", "#e5e7eb", "....", "·"),
    "states": _Look("holds other states", "#ffffff", "", "─"),
}
_FAILED = {StepStatus.FAILED, StepStatus.TIMED_OUT, StepStatus.CAUGHT, StepStatus.ABORTED}
_INK, _FAINT, _EDGE, _PAPER, _BAD = "#1f2328", "#57606a", "#b45309", "#f6f8fa", "#b91c1c"


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
    """The steps of an execution as bars over time: SVG in a notebook, letters elsewhere.

    What still runs lasts until the newest event.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.steps = history.steps(events)
        self.spans = [span for span in history.spans(events) if span.row < MOST_STEPS]
        times = [event["timestamp"] for event in events]
        self.length = (max(times) - min(times)).total_seconds() * 1e3 if times else 0.0

    @property
    def waited(self) -> float:
        """Milliseconds in which somebody's answer was waited for, added up."""
        return sum(self._length(span) for span in self.spans if span.what == "person")

    def __repr__(self) -> str:
        rows = self._rows()
        if not rows:
            return "(no steps)"
        widest = max(len(self._label(row)) for row in rows)
        lines = []
        for row, spans in rows.items():
            bar = [" "] * _TEXT_WIDTH
            for span in spans:
                begin, end = self._letters(span)
                bar[begin:end] = _LOOKS[span.what].letter * (end - begin)
            lines.append(f"{self._label(row):<{widest}}  {''.join(bar)}  {self._told(spans)}")
        return "\n".join([*lines, *self._more()])

    def _repr_svg_(self) -> str:
        from matplotlib.figure import Figure  # 0.3 s: only who looks at one waits for it

        rows, picture = self._rows(), io.StringIO()
        # Text stays text: it is small, can be searched, and a screen reader reads it.
        with _settings():
            figure = Figure(figsize=(9, 0.9 + 0.32 * len(rows)), facecolor=_PAPER)
            self._draw(figure.add_subplot(), rows)
            figure.savefig(
                picture, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None}
            )
        svg = picture.getvalue()
        svg = svg[svg.index("<svg") :]
        head, rest = svg.split(">", maxsplit=1)
        title = escape(f"Timeline of {len(self.steps)} steps, {duration(self.length)}")
        return f'{head} role="img"><title>{title}</title><desc>{escape(repr(self))}</desc>{rest}'

    def _rows(self) -> dict[int, list[Span]]:
        rows: dict[int, list[Span]] = {}
        for span in self.spans:
            rows.setdefault(span.row, []).append(span)
        return rows

    def _draw(self, axes: Any, rows: dict[int, list[Span]]) -> None:
        for place, spans in enumerate(rows.values()):
            for span in spans:
                look = _LOOKS[span.what]
                axes.barh(
                    place,
                    max(self._length(span), self.length * _LEAST_SHARE),
                    left=span.begin,
                    height=0.62,
                    facecolor=look.fill,
                    edgecolor=_EDGE if span.what == "person" else _FAINT,
                    hatch=look.hatch,
                    linewidth=0.8,
                )
            end = spans[-1].begin + max(self._length(spans[-1]), self.length * _LEAST_SHARE)
            axes.annotate(
                self._told(spans),
                (end, place),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                color=_FAINT,
            )
        axes.set_yticks(range(len(rows)), [self._label(row) for row in rows], color=_INK)
        axes.invert_yaxis()
        axes.set_xlim(0, (self.length or 1) * 1.18)
        axes.xaxis.set_major_formatter(lambda value, _: duration(value))
        axes.tick_params(colors=_FAINT, labelsize=8.5, length=0)
        axes.tick_params(axis="y", labelsize=10, colors=_INK)
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            if self.steps.status[row] in _FAILED:
                label.set_color(_BAD)
        axes.set_facecolor(_PAPER)
        axes.grid(axis="x", color="#d0d7de", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in axes.spines.values():
            side.set_visible(False)
        self._explain(axes)

    def _explain(self, axes: Any) -> None:
        """The legend: of what is in the picture only."""
        from matplotlib.patches import Patch

        present = {span.what for span in self.spans}
        patches = [
            Patch(
                facecolor=look.fill,
                edgecolor=_EDGE if what == "person" else _FAINT,
                hatch=look.hatch,
                label=look.words,
            )
            for what, look in _LOOKS.items()
            if what in present
        ]
        if patches:
            axes.legend(
                handles=patches,
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=len(patches),
                frameon=False,
                fontsize=8.5,
                labelcolor=_FAINT,
            )
        for number, line in enumerate(self._more()):
            axes.text(0, -0.2 - 0.1 * number, line, transform=axes.transAxes, color=_FAINT)

    def _label(self, row: int) -> str:
        step = self.steps.iloc[row]
        again = f" ×{step.attempts}" if step.attempts > 1 else ""
        sign = "✗ " if step.status in _FAILED else ""
        return f"{sign}{step.step}{again}"

    def _told(self, spans: Sequence[Span]) -> str:
        whole = sum(self._length(span) for span in spans)
        person = sum(self._length(span) for span in spans if span.what == "person")
        running = "…" if spans[-1].end is None else ""
        waited = f", {duration(person)} of it waiting for a person" if person else ""
        return f"{duration(whole)}{running}{waited}"

    def _length(self, span: Span) -> float:
        return (self.length if span.end is None else span.end) - span.begin

    def _letters(self, span: Span) -> tuple[int, int]:
        """Where a span's letters begin and end; there is one at least."""
        scale = _TEXT_WIDTH / (self.length or 1)
        begin = min(int(span.begin * scale), _TEXT_WIDTH - 1)
        return begin, max(begin + 1, round((span.begin + self._length(span)) * scale))

    def _more(self) -> list[str]:
        left = len(self.steps) - MOST_STEPS
        return [f"… {left:,} more steps: history.steps(events) has them all"] if left > 0 else []


def _settings() -> Any:
    from matplotlib import rc_context

    return rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "timeline",  # the same picture has the same ids
            "hatch.linewidth": 0.7,
            "text.parse_math": False,  # a state may be called $x$
        }
    )
