"""A state machine as a picture: its definition in Amazon States Language to SVG, with statuses.

Graphviz places the boxes and routes the arrows; it is only ever given sizes and numbers, and this
module draws. So no name has to be escaped for Graphviz, and a redraw does not need it. The SVG
uses presentation attributes only (no style sheet, script, id or outside reference), which is what
JupyterLab, nbviewer and GitHub all show.

Source: Amazon States Language specification (https://states-language.net/spec.html); Graphviz
attributes (https://graphviz.org/doc/info/attrs.html).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from threading import Lock
from typing import Any, Literal
from xml.sax.saxutils import escape

import pygraphviz

from helpers import history
from helpers.history import Event, Status, StepStatus

__all__ = ["Graph", "svg"]

Definition = Mapping[str, Any] | str


def svg(definition: Definition, events: Sequence[Event] | None = None) -> str:
    """A picture of a state machine as SVG text.

    `definition` is Amazon States Language, JSON text or parsed, JSONPath or JSONata; what is wrong
    in it (a target that does not exist, a state nothing leads to) is drawn, not raised. `events`
    is the history of an execution so far: it gives each state its status and marks the arrows
    taken. Raises ValueError when the definition is not a JSON object.
    """
    return _draw(_layout(_text(definition)), events or ())


class Graph:
    """A state machine that displays itself: SVG in a notebook, a list of its states elsewhere."""

    def __init__(self, definition: Definition, events: Sequence[Event] | None = None) -> None:
        self.definition = definition
        self.events = list(events or ())

    def __repr__(self) -> str:
        statuses = history.statuses(self.events)
        lines = []
        for node in _layout(_text(self.definition)).nodes:
            if node.name is None:
                continue
            status = statuses.get(node.name)
            sign = _SIGNS[status.status].text if status else "·"
            words = f"  {_words(status)}" if status else ""
            lines.append(f"{'  ' * node.depth}{sign} {node.name} ({node.subtitle}){words}")
        return "\n".join(lines) or "(no states)"

    def _repr_svg_(self) -> str:
        return svg(self.definition, self.events)


# What is drawn ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    key: str
    kind: str  # a state's Type, or one of start, end, join, missing
    name: str | None
    lines: list[str]
    subtitle: str
    width: float
    height: float
    depth: int = 0
    broken: bool = False
    retry: list[str] = field(default_factory=list)  # what is retried, and how often
    most: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True)
class _Edge:
    tail: str
    head: str
    kind: Literal["next", "choice", "default", "catch", "enter", "leave"]
    steps: set[tuple[str | None, str | None]]  # from and to, as history.transitions names them
    labels: list[str] = field(default_factory=list)
    pointed: bool = True
    back: bool = False  # it closes a loop
    trunk: bool = False  # where arrows of caught errors run together
    lines: list[str] = field(default_factory=list)
    path: str = ""
    arrow: str = ""
    x: float = 0.0
    y: float = 0.0

    @property
    def label_size(self) -> tuple[float, float]:
        widest = max(_width(line, _LABEL) for line in self.lines)
        return widest + 14, _LABEL_LINE * len(self.lines) + 5


@dataclass(slots=True)
class _Box:
    """The frame around a Parallel or Map state."""

    key: str
    name: str
    parent: str
    members: list[str] = field(default_factory=list)
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # x, y, width, height


class _Machine:
    """Nodes, edges and boxes of a definition."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.nodes: list[_Node] = []
        self.edges: list[_Edge] = []
        self.boxes: list[_Box] = []
        self.width = 0.0
        self.height = 0.0
        self._numbers = count()
        start = self._add("start", None, "Start", 0, "")
        self._scope(definition, start.key, None, None, 0)

    def _add(self, kind: str, name: str | None, text: str, depth: int, box: str) -> _Node:
        lines, width, height = [text], _DISC, _DISC
        if kind in ("join", "meeting"):
            lines, width, height = [], _POINTS[kind], _POINTS[kind]
        node = _Node(f"n{next(self._numbers)}", kind, name, lines, "", width, height, depth)
        self.nodes.append(node)
        if box:
            self.boxes[int(box[1:])].members.append(node.key)
        return node

    def _state(self, name: str, kind: str, state: Mapping[str, Any], depth: int, box: str) -> _Node:
        node = self._add(kind, name, name, depth, box)
        for retrier in map(_mapping, _list(state.get("Retry"))):
            # Amazon States Language: MaxAttempts is 3 when it is not given, 0 is never.
            most = retrier.get("MaxAttempts", 3)
            if isinstance(most, int) and most > 0:
                node.retry.append(f"{_errors(retrier)} up to {most} times")
                node.most = max(node.most, most)
        self._write(node, _subtitle(kind, state))
        return node

    def _write(self, node: _Node, subtitle: str) -> None:
        """Give a box its texts, and the size they need."""
        name = node.name or node.lines[0]
        node.lines = _wrap(name, _NAME_WIDTH, _NAME, bold=True)
        node.subtitle = _clip(subtitle, _NAME_WIDTH + 30, _SUBTITLE)
        widest = max(
            _width(node.subtitle, _SUBTITLE), *(_width(line, _NAME, True) for line in node.lines)
        )
        node.width = max(_LEAST_WIDTH, widest + 36)
        node.height = _NAME_LINE * len(node.lines) + 30

    def _scope(
        self,
        definition: Any,
        before: str,
        around: str | None,
        join: str | None,
        depth: int,
        *,
        box: str = "",
    ) -> None:
        """Add the states of a machine, a branch or an item processor.

        `before` is the node its start is drawn from, `around` the name of the state it belongs to
        and `join` the node its ends lead to (the machine itself has an End instead).
        """
        states = _mapping(_mapping(definition).get("States"))
        entries: dict[str, str] = {}
        exits: dict[str, str] = {}
        for name, state in ((name, _mapping(state)) for name, state in states.items()):
            kind = state["Type"] if state.get("Type") in _TYPES else "unknown"
            if kind in ("Parallel", "Map"):
                entries[name], exits[name] = self._container(name, kind, state, depth, box)
            else:
                node = self._state(name, kind, state, depth, box)
                entries[name], exits[name] = node.key, node.key
                node.broken = kind == "unknown"
        first = len(self.edges)
        goal = _Goal(self, entries, join, depth, box)
        start = _mapping(definition).get("StartAt")
        if start is not None or states:
            head = goal.of(start, "no StartAt")
            self.edges.append(_Edge(before, head, "enter", {(around, _string(start))}))
        elif join:
            self.edges.append(_Edge(before, join, "enter", {(around, None)}))
        else:
            self.edges.append(_Edge(before, goal.end(), "enter", {(around, None)}))
        leads = {
            name: self._leave(name, _mapping(state), exits[name], goal)
            for name, state in states.items()
        }
        reached = _reached(_string(start), leads)
        self._gather(self.edges[first:], _string(start), depth, box)
        _turn_back(self.edges[first:], {exits[name]: entries[name] for name in states})
        for node in self.nodes:
            if node.name in states and node.key == entries[node.name] and node.name not in reached:
                node.broken = True
                self._write(node, f"{node.subtitle} · unreachable")

    def _container(
        self, name: str, kind: str, state: Mapping[str, Any], depth: int, box: str
    ) -> tuple[str, str]:
        """Add a Parallel or Map state; gives the node arrows enter by and the one they leave by."""
        inner = _Box(f"b{len(self.boxes)}", name, box)
        self.boxes.append(inner)
        head = self._state(name, kind, state, depth, inner.key)
        join = self._add("join", None, "", depth, inner.key)
        if kind == "Parallel":
            branches = state.get("Branches")
            parts = branches if isinstance(branches, list) else []
        else:
            parts = [state.get("ItemProcessor", state.get("Iterator", {}))]
        for part in parts:
            self._scope(part, head.key, name, join.key, depth + 1, box=inner.key)
        if not parts:
            self.edges.append(_Edge(head.key, join.key, "enter", {(name, None)}))
        return head.key, join.key

    def _leave(self, name: str, state: Mapping[str, Any], tail: str, goal: _Goal) -> set[str]:
        """Add the arrows out of a state; gives the names they lead to."""
        merged: dict[tuple[str, str], _Edge] = {}

        def lead(kind: Any, target: Any, label: str = "") -> None:
            head = goal.of(target, f"no {'Default' if kind == 'default' else 'Next'}")
            # A default that leads where a rule leads is one more label at that rule's arrow.
            along = "choice" if (("choice", head) in merged and kind == "default") else kind
            step = (name, _string(target))
            edge = merged.setdefault((along, head), _Edge(tail, head, kind, {step}))
            if label and label not in edge.labels:
                edge.labels.append(label)
            if isinstance(target, str):
                targets.add(target)

        targets: set[str] = set()
        kind = state.get("Type")
        if kind == "Choice":
            for rule in _list(state.get("Choices")):
                lead("choice", _mapping(rule).get("Next"), _condition(_mapping(rule)))
            if "Default" in state or not _list(state.get("Choices")):
                lead("default", state.get("Default"), "otherwise")
        elif kind in ("Succeed", "Fail") or state.get("End") is True:
            if kind != "Fail" or not goal.join:
                self.edges.append(_Edge(tail, goal.end(), "leave", {(name, None)}))
        else:
            lead("next", state.get("Next"))
        for catcher in _list(state.get("Catch")):
            lead("catch", _mapping(catcher).get("Next"), _errors(_mapping(catcher)))
        for edge in merged.values():
            if "any error" in edge.labels:  # the colour says so; and it is more than any other
                edge.labels.clear()
        self.edges += merged.values()
        return targets

    def _gather(self, edges: Sequence[_Edge], start: str | None, depth: int, box: str) -> None:
        """Let arrows of caught errors to one state run together, instead of each on its own.

        Beside each row of states a point is added where their arrows join the common way.
        """
        row = _rows(edges, start)
        caught: dict[str, dict[int, list[_Edge]]] = {}
        for edge in edges:
            if edge.kind == "catch":
                name = next(iter(edge.steps))[0]
                rows = caught.setdefault(edge.head, {})
                rows.setdefault(row.get(name, len(row)), []).append(edge)
        for head, rows in caught.items():
            if sum(map(len, rows.values())) < _GATHERED:
                continue
            trunk: _Edge | None = None
            for number in sorted(rows):
                meeting = self._add("meeting", None, "", depth, box).key
                steps = set(trunk.steps) if trunk else set()
                if trunk:
                    trunk.head, trunk.pointed = meeting, False
                for edge in rows[number]:
                    edge.head, edge.pointed = meeting, False
                    steps |= edge.steps
                trunk = _Edge(meeting, head, "catch", steps, trunk=True)
                self.edges.append(trunk)


def _reached(start: str | None, leads: Mapping[str | None, set[str]]) -> set[str | None]:
    """The states that the start leads to."""
    reached: set[str | None] = {start}
    queue = [start]
    for name in queue:
        for target in leads.get(name, set()) - reached:
            reached.add(target)
            queue.append(target)
    return reached


def _turn_back(edges: Sequence[_Edge], entries: Mapping[str, str]) -> None:
    """Mark the arrows that close a loop, with as many of the usual ways kept forward as can be.

    Graphviz fails on loops through clusters, so it is given those arrows turned round. `entries`
    leads from the node that a container is left by to the one it is entered by.
    """
    after: dict[str, list[_Edge]] = {}
    for edge in sorted(edges, key=lambda edge: -_WEIGHTS[edge.kind]):
        after.setdefault(entries.get(edge.tail, edge.tail), []).append(edge)
    seen: set[str] = set()
    for start in list(after):
        way = {start: iter(after[start])} if start not in seen else {}
        seen.add(start)
        while way:
            edge = next(way[next(reversed(way))], None)
            if edge is None:
                way.popitem()
            elif edge.head in way:
                edge.back = edge.head != edge.tail
            elif edge.head not in seen:
                seen.add(edge.head)
                way[edge.head] = iter(after.get(edge.head, []))


def _rows(edges: Sequence[_Edge], start: str | None) -> dict[str | None, int]:
    """How many arrows each state is away from the start, errors left aside."""
    after: dict[str | None, list[str | None]] = {}
    for edge in edges:
        if edge.kind != "catch":
            for tail, head in edge.steps:
                after.setdefault(tail, []).append(head)
    row: dict[str | None, int] = {start: 0}
    queue = [start]
    for name in queue:
        for following in after.get(name, []):
            if following is not None and following not in row:
                row[following] = row[name] + 1
                queue.append(following)
    return row


@dataclass(slots=True)
class _Goal:
    """Where the arrows of one scope may lead."""

    machine: _Machine
    entries: dict[str, str]
    join: str | None
    depth: int
    box: str
    missing: dict[str, str] = field(default_factory=dict)
    ending: str = ""

    def of(self, target: Any, absent: str) -> str:
        """The node of a target: its state, or a box that says what is missing."""
        if isinstance(target, str) and target in self.entries:
            return self.entries[target]
        named = isinstance(target, str)
        text = target if named else absent
        if text not in self.missing:
            node = self.machine._add("missing", None, text, self.depth, self.box)
            node.broken = True
            self.machine._write(node, "no such state" if named else "nowhere to go")
            self.missing[text] = node.key
        return self.missing[text]

    def end(self) -> str:
        if self.join:
            return self.join
        if not self.ending:
            self.ending = self.machine._add("end", None, "End", self.depth, self.box).key
        return self.ending


# How a definition reads ---------------------------------------------------------------------------

_TYPES = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
_OPERATORS = {
    "Equals": "=",
    "LessThan": "<",
    "LessThanEquals": "≤",
    "GreaterThan": ">",
    "GreaterThanEquals": "≥",
    "Matches": "matches",
}
_COMPARISON = re.compile(rf"(?:String|Numeric|Boolean|Timestamp)({'|'.join(_OPERATORS)})(Path)?")
_FROM = {"S": "seconds in", "T": "until"}
_TESTS = {
    "IsPresent": "present",
    "IsNull": "null",
    "IsNumeric": "a number",
    "IsString": "text",
    "IsBoolean": "true or false",
    "IsTimestamp": "a timestamp",
}


def _text(definition: Definition) -> str:
    return definition if isinstance(definition, str) else json.dumps(definition)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _expression(value: Any) -> str:
    """A value as it reads in a picture: `$.a.b` as `a.b`, `{% $x %}` as `$x`."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if match := re.fullmatch(r"\{%\s*(.*?)\s*%\}", value, re.DOTALL):
        return " ".join(match[1].split())
    return value[2:] if value.startswith("$.") and len(value) > 2 else value


def _subtitle(kind: str, state: Mapping[str, Any]) -> str:
    """The type of a state and what tells it from others of its type."""
    more = ""
    if kind == "unknown":
        return f"unknown type {state['Type']!r}" if "Type" in state else "no Type"
    if kind == "Task":
        named = state.get("Resource")
        more = history.resource(named) if isinstance(named, str) else "no Resource"
    elif kind == "Wait":
        more = _waiting(state)
    elif kind == "Fail":
        more = _expression(state.get("Error", state.get("ErrorPath", "")))
    elif kind == "Map":
        config = _mapping(_mapping(state.get("ItemProcessor")).get("ProcessorConfig"))
        more = "distributed" if config.get("Mode") == "DISTRIBUTED" else "for each item"
    elif kind == "Parallel":
        branches = len(_list(state.get("Branches")))
        more = f"{branches} branch{'' if branches == 1 else 'es'}"
    return f"{kind} · {more}" if more else kind


def _waiting(state: Mapping[str, Any]) -> str:
    """How long a Wait state waits, or until when."""
    for key in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"):
        if key in state:
            value = _expression(state[key])
            return f"{value} s" if isinstance(state[key], int) else f"{_FROM[key[0]]} {value}"
    return ""


def _condition(rule: Mapping[str, Any]) -> str:
    """A Choice rule in words, for example `action = "remedy"`.

    Source: Amazon States Language, "Choice state", data-test expressions.
    """
    if "Condition" in rule:
        return _expression(rule["Condition"])
    for word in ("And", "Or"):
        if word in rule:
            parts = [_mapping(part) for part in _list(rule[word])]
            if word == "And":
                parts = [part for part in parts if not _implied(part, parts)]
            texts = [f"({_condition(p)})" if _joined(p) else _condition(p) for p in parts]
            return f" {word.lower()} ".join(texts)
    if "Not" in rule:
        return f"not ({_condition(_mapping(rule['Not']))})"
    variable = _expression(rule.get("Variable", "?"))
    for key, value in rule.items():
        if key in _TESTS:
            return f"{variable} is {'' if value is not False else 'not '}{_TESTS[key]}"
        if match := _COMPARISON.fullmatch(key):
            shown = _expression(value) if match[2] else json.dumps(value, ensure_ascii=False)
            return f"{variable} {_OPERATORS[match[1]]} {shown}"
    return "?"


def _implied(rule: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a rule only guards another one: `a` is present, where `a` is compared too."""
    return rule.get("IsPresent") is True and any(
        other.get("Variable") == rule.get("Variable") and "IsPresent" not in other
        for other in others
    )


def _joined(rule: Mapping[str, Any]) -> bool:
    return "And" in rule or "Or" in rule


def _errors(rule: Mapping[str, Any]) -> str:
    names = [str(name) for name in _list(rule.get("ErrorEquals"))]
    return ", ".join(names) if names and names != ["States.ALL"] else "any error"


# How big a text is --------------------------------------------------------------------------------

_WIDEST = 840  # pixels; a notebook's column in a window of 1280
_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_NAME, _SUBTITLE, _LABEL, _PILL = 13.0, 10.5, 10.5, 9.5
_NAME_LINE, _LABEL_LINE = 16.0, 13.0
_NAME_WIDTH, _LABEL_WIDTH, _LABEL_LINES, _LEAST_WIDTH = 230.0, 180.0, 4, 150.0
_DISC = 38.0
_POINTS = {"join": 8.0, "meeting": 0.5}
# How much Graphviz is to keep an arrow short and straight: the usual way before the exceptions.
_WEIGHTS = {"next": 20, "enter": 20, "trunk": 12, "choice": 5, "default": 4, "leave": 1, "catch": 1}
_GATHERED = 2  # so many arrows of caught errors to one state run together

# Advance widths of Helvetica, which Arial and Liberation Sans share, in thousandths of the size.
# Source: Adobe font metrics (AFM) of Helvetica.
_ADVANCES = {
    letter: advance
    for advance, letters in {
        191: "'",
        222: "ijl",
        260: "|",
        278: " !,./:;I[\\]ft",
        333: "()-`r",
        334: "{}",
        355: '"',
        389: "*",
        469: "^",
        500: "Jcksvxyz",
        556: "#$0123456789?L_abdeghnopqu",
        584: "+<=>~",
        611: "FTZ",
        667: "&ABEKPSVXY",
        722: "CDHNRUw",
        778: "GOQ",
        833: "Mm",
        889: "%",
        944: "W",
        1015: "@",
    }.items()
    for letter in letters
}


def _width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text in pixels."""
    total = sum(_ADVANCES.get(letter) or _other(letter) for letter in text)
    return total / 1000 * size * (1.07 if bold else 1.0)


@lru_cache(maxsize=1024)
def _other(letter: str) -> int:
    return 1200 if unicodedata.east_asian_width(letter) in "WF" else 700


def _wrap(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Lines of at most `width` pixels, broken after a space, a sign or before a capital."""
    lines = [""]
    for part in re.findall(r"\S+?(?:(?<=[a-z0-9])(?=[A-Z])|(?<=[-_.:/])(?=\w)|(?=\s)|$)|\s+", text):
        for piece in _pieces(part, width, size, bold):
            if lines[-1].strip() and _width(lines[-1] + piece.rstrip(), size, bold) > width:
                lines.append("")
            lines[-1] += piece if lines[-1] or not piece.isspace() else ""
    return [line.rstrip() for line in lines] if text.strip() else [text]


def _pieces(word: str, width: float, size: float, bold: bool) -> Iterator[str]:
    """A word in parts that fit a line."""
    piece = ""
    for letter in word:
        if piece and _width(piece + letter, size, bold) > width:
            yield piece
            piece = ""
        piece += letter
    yield piece


def _clip(text: str, width: float, size: float) -> str:
    if _width(text, size) <= width:
        return text
    while text and _width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


# Where it goes ------------------------------------------------------------------------------------

_MARGIN = 14.0
_GRAPHVIZ = Lock()  # libgraphviz keeps global state: it is not thread-safe


@lru_cache(maxsize=64)
def _layout(text: str) -> _Machine:
    """The machine of a definition, with the place of everything in it."""
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the definition is not JSON: {error}") from None
    if not isinstance(definition, dict):
        raise ValueError(f"the definition is not a JSON object: {text[:60]!r}")
    machine = _Machine(definition)
    for edge in machine.edges:
        _label(edge)
    with _GRAPHVIZ:
        graph = pygraphviz.AGraph(string=_dot(machine))
        placed = json.loads(graph.draw(format="json0", prog="dot"))
    _place(machine, placed)
    return machine


def _label(edge: _Edge) -> None:
    """The lines at an arrow: one for each label, shortened to what reads at a glance."""
    lines = [line for label in edge.labels for line in _wrap(label, _LABEL_WIDTH, _LABEL)]
    if len(lines) > _LABEL_LINES:
        lines = [*lines[: _LABEL_LINES - 1], "…"]
    edge.lines = lines


def _dot(machine: _Machine) -> str:
    """The sizes and ties of everything, in Graphviz's language."""
    nodes = {node.key: node for node in machine.nodes}
    children: dict[str, list[_Box]] = {}
    for box in machine.boxes:
        children.setdefault(box.parent, []).append(box)

    def declare(key: str) -> str:
        node = nodes[key]
        shape = "circle" if node.kind in _ROUND_KINDS else "box"
        return f"{key} [shape={shape} width={node.width / 72:.4f} height={node.height / 72:.4f}]\n"

    def cluster(box: _Box) -> str:
        inner = "".join(map(cluster, children.get(box.key, [])))
        return f"subgraph cluster_{box.key} {{\n{''.join(map(declare, box.members))}{inner}}}\n"

    boxed = {key for box in machine.boxes for key in box.members}
    free = "".join(declare(node.key) for node in machine.nodes if node.key not in boxed)
    edges = "".join(_dot_edge(number, edge) for number, edge in enumerate(machine.edges))
    return (
        "digraph {\n"
        "nodesep=0.32 ranksep=0.42 margin=0\n"
        'graph [margin=14] node [fixedsize=true label=""] edge [arrowsize=0.8]\n'
        f"{free}{''.join(map(cluster, children.get('', [])))}{edges}}}"
    )


def _dot_edge(number: int, edge: _Edge) -> str:
    attributes = [f"number={number}"]
    if edge.lines:
        width, height = edge.label_size
        size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"'
        table = f'<TABLE BORDER="0" CELLBORDER="0" {size}><TR><TD></TD></TR></TABLE>'
        attributes.append(f"label=<{table}>")
    if not edge.pointed:
        attributes.append("arrowhead=none arrowtail=none")
    attributes.append(f"weight={_WEIGHTS['trunk' if edge.trunk else edge.kind]}")
    if edge.back:
        return f"{edge.head} -> {edge.tail} [dir=back {' '.join(attributes)}]\n"
    return f"{edge.tail} -> {edge.head} [{' '.join(attributes)}]\n"


def _place(machine: _Machine, placed: Mapping[str, Any]) -> None:
    """Read Graphviz's answer: points, with y upwards from the bottom."""
    left, bottom, right, top = map(float, placed["bb"].split(","))

    def point(text: str) -> tuple[float, float]:
        x, y = text.split(",")[-2:]
        return float(x) - left + _MARGIN, top - float(y) + _MARGIN

    machine.width = right - left + 2 * _MARGIN
    machine.height = top - bottom + 2 * _MARGIN
    objects = {found["name"]: found for found in placed.get("objects", [])}
    nodes = {node.key: node for node in machine.nodes}
    for node in machine.nodes:
        node.x, node.y = point(objects[node.key]["pos"])
    for box in machine.boxes:
        x0, y0, x1, y1 = objects[f"cluster_{box.key}"]["bb"].split(",")
        (x, y), (end_x, end_y) = point(f"{x0},{y1}"), point(f"{x1},{y0}")
        box.bounds = (x, y, end_x - x, end_y - y)
    for found in placed.get("edges", []):
        edge = machine.edges[int(found["number"])]
        if "pos" in found:
            edge.path, edge.arrow = _curve([point(text) for text in _points(found["pos"])])
        else:
            way = _straight(nodes[edge.tail], nodes[edge.head])
            edge.path, edge.arrow = _curve(way)
            edge.x, edge.y = (way[0][0] + way[-1][0]) / 2, (way[0][1] + way[-1][1]) / 2
        if "lp" in found:
            edge.x, edge.y = point(found["lp"])


def _straight(tail: _Node, head: _Node) -> list[tuple[float, float]]:
    """The points of a straight arrow, for the rare one that Graphviz finds no way for."""
    start, end = (tail.x, tail.y + tail.height / 2), (head.x, head.y - head.height / 2)
    short = (end[0] + (start[0] - end[0]) * 0.05, end[1] + (start[1] - end[1]) * 0.05)
    return [start, start, short, short, end]


def _points(pos: str) -> list[str]:
    """The control points of an edge from its tail on, and last the tip of its arrow.

    Graphviz puts the tip in front: `e,x,y`, or `s,x,y` where it was given the edge turned round.
    """
    points = pos.split(";", maxsplit=1)[0].split()
    curve = [point for point in points if point[0] not in "es"]
    tips = [point for point in points if point[0] in "es"]
    return curve[:: -1 if pos.startswith("s") else 1] + tips


def _curve(points: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """The path of an arrow, and the triangle at its end (a path without one has 3n + 1 points)."""
    *curve, tip = points
    if len(points) % 3 == 1:
        curve, triangle = list(points), ""
    else:
        (x0, y0), (x1, y1) = curve[-1], tip
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
        dx, dy = (x1 - x0) / length * 3.6, (y1 - y0) / length * 3.6
        triangle = f"M{x1:.1f} {y1:.1f}L{x0 - dy:.1f} {y0 + dx:.1f}L{x0 + dy:.1f} {y0 - dx:.1f}Z"
    start, *rest = [f"{x:.1f} {y:.1f}" for x, y in curve]
    return f"M{start}C{' '.join(rest)}", triangle


# How it looks -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sign:
    """How a status looks: a letter for plain text, a drawing in a square of 10, and colours."""

    text: str
    word: str
    drawing: str
    solid: bool
    fill: str
    strong: str


_SIGNS = {
    StepStatus.RUNNING: _Sign("▶", "running", "M3 1L9 5L3 9Z", True, "#dbeafe", "#1d4ed8"),
    StepStatus.WAITING: _Sign(
        "⏳", "waiting", "M1.5 .5H8.5L5 5L8.5 9.5H1.5L5 5Z", True, "#fef3c7", "#b45309"
    ),
    StepStatus.SUCCEEDED: _Sign("✓", "", "M1 5.4L3.9 8.2L9 1.8", False, "#dcfce7", "#15803d"),
    StepStatus.FAILED: _Sign(
        "✗", "failed", "M1.5 1.5L8.5 8.5M8.5 1.5L1.5 8.5", False, "#fee2e2", "#b91c1c"
    ),
    StepStatus.CAUGHT: _Sign(
        "⤷", "caught", "M1.5 .5V6H8.5M5.8 3.2L8.8 6L5.8 8.8", False, "#fce7f3", "#be185d"
    ),
    StepStatus.TIMED_OUT: _Sign(
        "⏱", "timed out", "M5 .8A4.2 4.2 0 1 1 4.99 .8M5 2.6V5.2L7 6.4", False, "#f3e8ff", "#7e22ce"
    ),
    StepStatus.ABORTED: _Sign("■", "aborted", "M1.5 1.5H8.5V8.5H1.5Z", True, "#e5e7eb", "#4b5563"),
}
_RETRIED = "M8.2 3A4 4 0 1 0 9 5.4M8.6 .4V3.2H5.8"

# Lines and the signs in them are seen on white and on black alike: at least 3:1 on either.
_LINE, _TAKEN, _CAUGHT = "#858d97", "#2f81f7", "#e5534b"
_PLAIN, _INK, _FAINT_INK, _ERROR, _ERROR_FILL = (
    "#f6f8fa",
    "#1f2328",
    "#57606a",
    "#d1242f",
    "#fff0f0",
)


def _draw(machine: _Machine, events: Sequence[Event]) -> str:
    statuses = history.statuses(events)
    taken = history.transitions(events)
    width, height = f"{machine.width:.0f}", f"{machine.height:.0f}"
    # Not every viewer fits a picture to its column: a wide one is made smaller here.
    scale = min(1.0, _WIDEST / machine.width)
    return "".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'width="{machine.width * scale:.0f}" height="{machine.height * scale:.0f}" '
            f'viewBox="0 0 {width} {height}">',
            f"<title>{_escape(_title(machine, statuses))}</title>",
            f"<desc>{_escape(_description(machine, statuses))}</desc>",
            f'<g font-family="{_FONT}" text-anchor="middle">',
            *(_draw_box(box, statuses.get(box.name)) for box in machine.boxes),
            *(_draw_edge(edge, taken) for edge in machine.edges),
            *(_draw_label(edge) for edge in machine.edges if edge.lines),
            *(_draw_node(node, statuses.get(node.name or "")) for node in machine.nodes),
            "</g></svg>",
        ]
    )


def _escape(text: str) -> str:
    return escape(_plain(text), {"\r": "&#13;"})


def _plain(text: str) -> str:
    """Text with the characters that XML cannot hold replaced."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def _words(status: Status) -> str:
    """A status in words, for example `running, retried 2 times, 3 of 5 items`."""
    words = [status.status.replace("_", " ").lower()]
    if status.retries:
        words.append(f"retried {status.retries} time{'' if status.retries == 1 else 's'}")
    if status.items:
        words.append(f"{status.items.succeeded} of {status.items.total} items")
        if status.items.failed:
            words.append(f"{status.items.failed} failed")
    if status.visits > 1:
        words.append(f"entered {status.visits} times")
    return ", ".join(words)


def _title(machine: _Machine, statuses: Mapping[str, Status]) -> str:
    names = [node.name for node in machine.nodes if node.name is not None]
    now = [n for n in names if n in statuses and statuses[n].status in _PRESENT]
    at = f", now at {', '.join(now)}" if now else ""
    return f"State machine with {len(names)} state{'' if len(names) == 1 else 's'}{at}"


_PRESENT = (StepStatus.RUNNING, StepStatus.WAITING)


def _description(machine: _Machine, statuses: Mapping[str, Status]) -> str:
    shown = [
        f"{node.name} ({node.subtitle})"
        + (f": {_words(statuses[node.name])}" if node.name in statuses else "")
        for node in machine.nodes
        if node.name is not None
    ]
    return "; ".join(shown)


def _draw_box(box: _Box, status: Status | None) -> str:
    x, y, width, height = box.bounds
    stroke = _SIGNS[status.status].strong if status else _LINE
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="12" '
        f'fill="{_LINE}" fill-opacity="0.1" stroke="{stroke}" stroke-opacity="0.7"/>'
    )


def _draw_edge(edge: _Edge, taken: set[tuple[str | None, str | None, bool]]) -> str:
    went = any((*step, edge.kind == "catch") in taken for step in edge.steps)
    colour = _CAUGHT if edge.kind == "catch" else _TAKEN if went else _LINE
    thin = 1 if edge.kind == "catch" else 1.3
    dashed = edge.kind in ("catch", "default") and not went
    return (
        f'<g stroke="{colour}">'
        f'<path d="{edge.path}" fill="none" stroke-width="{2.2 if went else thin}"'
        f"{_DASHES if dashed else ''}/>"
        + (
            f'<path d="{edge.arrow}" fill="{colour}" stroke-linejoin="round"/>'
            if edge.arrow
            else ""
        )
        + "</g>"
    )


def _draw_label(edge: _Edge) -> str:
    width, height = edge.label_size
    x, y = edge.x - width / 2, edge.y - height / 2
    ink = {"catch": "#a40e26"}.get(edge.kind, _FAINT_INK)
    rows = "".join(
        f'<text x="{edge.x:.1f}" y="{y + 12.5 + number * _LABEL_LINE:.1f}">{_escape(line)}</text>'
        for number, line in enumerate(edge.lines)
    )
    return (
        f'<g font-size="{_LABEL}" fill="{ink}"><title>{_escape("; ".join(edge.labels))}</title>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8" '
        f'fill="#ffffff" stroke="#d0d7de"/>{rows}</g>'
    )


def _draw_node(node: _Node, status: Status | None) -> str:
    if node.kind in _ROUND_KINDS:
        return _draw_disc(node)
    sign = _SIGNS[status.status] if status else None
    fill, stroke = (sign.fill, sign.strong) if sign else (_PLAIN, _LINE)
    if node.broken:
        fill, stroke = _ERROR_FILL, _ERROR
    x, y = node.x - node.width / 2, node.y - node.height / 2
    rows = "".join(
        f'<text x="{node.x:.1f}" y="{y + 20 + number * _NAME_LINE:.1f}" font-size="{_NAME}" '
        f'font-weight="bold" fill="{_INK}">{_escape(line)}</text>'
        for number, line in enumerate(node.lines)
    )
    told = f": {_words(status)}" if status else ""
    if node.retry:
        told += f"; retries {', '.join(node.retry)}"
    name = node.name or "".join(node.lines)
    return (
        f"<g><title>{_escape(f'{name} ({node.subtitle}){told}')}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{node.width:.1f}" height="{node.height:.1f}" '
        f'rx="{_ROUND.get(node.kind, 9)}" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="{2 if status else 1.3}"{_DASHES if node.broken else ""}/>'
        f"{rows}"
        f'<text x="{node.x:.1f}" y="{y + node.height - 10:.1f}" font-size="{_SUBTITLE}" '
        f'fill="{_ERROR if node.broken else _FAINT_INK}">{_escape(node.subtitle)}</text>'
        f"{_draw_retry(node) if node.retry else ''}"
        f"{_draw_pill(node, status) if status else ''}</g>"
    )


_DASHES = ' stroke-dasharray="5 4"'
_ROUND = {"Choice": 22}
_ROUND_KINDS = ("start", "end", "join", "meeting")


def _draw_disc(node: _Node) -> str:
    if node.kind == "meeting":
        return ""
    if node.kind == "join":
        return f'<circle cx="{node.x:.1f}" cy="{node.y:.1f}" r="4" fill="{_LINE}"/>'
    return (
        f'<circle cx="{node.x:.1f}" cy="{node.y:.1f}" r="{node.width / 2}" fill="#57606a"/>'
        f'<text x="{node.x:.1f}" y="{node.y + 3.8:.1f}" font-size="11" fill="#ffffff">'
        f"{node.lines[0]}</text>"
    )


def _draw_pill(node: _Node, status: Status) -> str:
    """The sign of a status on the upper right corner of its box, with what can be counted."""
    sign = _SIGNS[status.status]
    words = [sign.word] if sign.word else []
    if status.items:
        words.append(f"{status.items.succeeded}/{status.items.total}")
    elif status.visits > 1:
        words.append(f"×{status.visits}")
    text = " ".join(words)
    retries = f"{status.retries}" if status.retries else ""
    text_width = _width(text, _PILL, True)
    width = 18 + (text_width + 7 if text else 0)
    width += _width(retries, _PILL, True) + 16 if retries else 0
    x, y = node.x + node.width / 2 - width + 8, node.y - node.height / 2 - 9
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="18" rx="9" '
        f'fill="{sign.strong}" stroke="#ffffff" stroke-width="1.2"/>',
        _drawing(sign.drawing, x + 4, y + 4, sign.solid),
    ]
    after = x + 18
    if text:
        parts.append(_pill_text(text, after, y))
        after += text_width + 5
    if retries:
        parts.append(_drawing(_RETRIED, after, y + 4, False))
        parts.append(_pill_text(retries, after + 12, y))
    return "".join(parts)


def _draw_retry(node: _Node) -> str:
    """On the lower right corner: that the state is retried, and how often at most."""
    text = f"{node.most}×"
    width = 22 + _width(text, _PILL)
    x, y = node.x + node.width / 2 - width + 10, node.y + node.height / 2 - 6
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="16" rx="8" fill="#ffffff" '
        f'stroke="{_LINE}"/>{_drawing(_RETRIED, x + 5, y + 3, False, _FAINT_INK)}'
        f'<text x="{x + 17:.1f}" y="{y + 11.4:.1f}" font-size="{_PILL}" text-anchor="start" '
        f'fill="{_FAINT_INK}">{text}</text>'
    )


def _drawing(path: str, x: float, y: float, solid: bool, ink: str = "#ffffff") -> str:
    paint = f'fill="{ink}"' if solid else f'fill="none" stroke="{ink}" stroke-width="1.6"'
    return f'<path transform="translate({x:.1f} {y:.1f})" d="{path}" {paint}/>'


def _pill_text(text: str, x: float, y: float) -> str:
    return (
        f'<text x="{x:.1f}" y="{y + 12.4:.1f}" font-size="{_PILL}" font-weight="bold" '
        f'text-anchor="start" fill="#ffffff">{text}</text>'
    )
