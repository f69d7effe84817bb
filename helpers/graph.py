"""A state machine as a picture: its definition in Amazon States Language to SVG, with statuses.

Graphviz places the boxes and routes the arrows, once for each definition; a redraw does not need
it. What it is made of is in `helpers.chart`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from helpers import history
from helpers.chart import drawing, layout, signs
from helpers.chart.machine import Machine
from helpers.errors import WorkbookError
from helpers.history import Event

__all__ = ["Graph", "html", "svg"]

Definition = Mapping[str, Any] | str


def svg(definition: Definition, events: Sequence[Event] | None = None) -> str:
    """A picture of a state machine as SVG text.

    `definition` is Amazon States Language, JSON text or parsed, JSONPath or JSONata; what is wrong
    in it (a target that does not exist, a state nothing leads to) is drawn, not raised. `events`
    is the history of an execution so far: it gives each state its status and marks the arrows
    taken. Raises WorkbookError when the definition is not a JSON object.
    """
    return drawing.draw(_placed(_text(definition)), events or ())


def html(definition: Definition, events: Sequence[Event] | None = None) -> str:
    """The picture for a notebook's page, with its words for a viewer that shows no SVG."""
    return drawing.page(_placed(_text(definition)), svg(definition, events))


class Graph:
    """A state machine that displays itself: SVG in a notebook, a list of its states elsewhere."""

    def __init__(self, definition: Definition, events: Sequence[Event] | None = None) -> None:
        self.definition = definition
        self.events = list(events or ())

    def __repr__(self) -> str:
        statuses = history.statuses(self.events)
        lines = []
        for node in _machine(_text(self.definition)).nodes:
            if node.name is None:
                continue
            status = statuses.get(node.name)
            sign = signs.SIGNS[status.status] if status else signs.NOT_STARTED
            words = f"  {signs.words(status)}" if status else ""
            lines.append(f"{'  ' * node.depth}{sign.text} {node.name} ({node.subtitle}){words}")
        return "\n".join(lines) or "(no states)"

    def _repr_html_(self) -> str:
        return html(self.definition, self.events)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """HTML, which notebooks prefer; plain SVG for what shows no HTML, a PDF for one."""
        picture = svg(self.definition, self.events)
        return {
            "text/html": drawing.page(_placed(_text(self.definition)), picture),
            "image/svg+xml": picture,
            "text/plain": repr(self),
        }


def _text(definition: Definition) -> str:
    if isinstance(definition, str):
        return definition
    try:
        return json.dumps(definition)
    except (TypeError, ValueError, RecursionError) as error:
        raise WorkbookError(f"The definition cannot be written as JSON: {error}.") from None


@lru_cache(maxsize=64)
def _placed(text: str) -> Machine:
    """The machine of a definition, with the place of everything in it."""
    machine = _machine(text)
    layout.place(machine)
    return machine


@lru_cache(maxsize=64)
def _machine(text: str) -> Machine:
    try:
        return Machine(_parsed(text))
    except RecursionError:
        raise WorkbookError("The definition is nested too deeply to be drawn.") from None


def _parsed(text: str) -> dict[str, Any]:
    try:
        definition = json.loads(text)
    except ValueError as error:
        try:
            definition = json.loads(_QUOTED_OR_BARE.sub(_quote, text))
        except ValueError:
            raise WorkbookError(f"The definition is not JSON: {error}.") from None
    if not isinstance(definition, dict):
        raise WorkbookError(f"The definition is not a JSON object but {text.strip()[:40]!r}.")
    return definition


# A template may put a substitution where a number is to be: `"Seconds": ${Seconds}`.
_QUOTED_OR_BARE = re.compile(r'"(?:[^"\\]|\\.)*"|\$\{[^}"]*\}')


def _quote(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else f'"{match[0]}"'
