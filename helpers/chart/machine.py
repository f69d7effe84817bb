"""A definition as nodes, edges and frames: whatever is wrong in it becomes a part that says so.

Source: Amazon States Language specification (https://states-language.net/spec.html).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from helpers.chart import labels, ways
from helpers.chart.labels import mapping, mappings, string
from helpers.chart.parts import POINTS, Chart, Edge, Frame, Node, Way

# So many arrows of caught errors to one state, or of ends, run together.
GATHERED: dict[Way, int] = {"catch": 2, "join": ways.FAN + 1, "leave": ways.FAN + 1}


class Machine(Chart):
    """The parts of a definition."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        super().__init__()
        self.named = Counter(_names(definition))
        self._numbers = count()
        start = self.add("start", None, "Start", 0, "")
        self._scope(definition, start.key, None, None, 0)
        for edge in self.edges:
            edge.write()

    def add(self, kind: str, name: str | None, text: str, depth: int, frame: str) -> Node:
        """Add a node; a point has no text."""
        node = Node(f"n{next(self._numbers)}", kind, name, [text], depth=depth)
        if kind in POINTS:
            node.lines, node.width, node.height = [], POINTS[kind], POINTS[kind]
        self.nodes.append(node)
        if frame:
            self.frames[int(frame[1:])].members.append(node.key)
        return node

    def _scope(
        self,
        definition: Any,
        before: str,
        around: str | None,
        join: str | None,
        depth: int,
        *,
        frame: str = "",
    ) -> None:
        """Add the states of a machine, a branch or an item processor.

        `before` is the node its start is drawn from, `around` the name of the state it belongs to
        and `join` the node its ends lead to (the machine itself has an End instead).
        """
        states = {
            name: mapping(s) for name, s in mapping(mapping(definition).get("States")).items()
        }
        heads: dict[str, Node] = {}
        exits: dict[str, str] = {}
        for name, state in states.items():
            kind = state["Type"] if state.get("Type") in labels.TYPES else "unknown"
            if kind in ("Parallel", "Map"):
                heads[name], exits[name] = self._container(name, kind, state, depth, frame)
            else:
                heads[name] = self._state(name, kind, state, depth, frame)
                exits[name] = heads[name].key
        entries = {name: node.key for name, node in heads.items()}
        first = len(self.edges)
        goal = _Goal(self, entries, join, depth, frame)
        start = mapping(definition).get("StartAt")
        head = goal.of(start, "no StartAt") if states or start is not None else goal.end()
        self.edges.append(Edge(before, head, "enter", {(around, string(start))}))
        leads = {
            name: self._leave(name, state, entries[name], exits[name], goal)
            for name, state in states.items()
        }
        self._gather(self.edges[first:], string(start), depth, frame)
        ways.turn_back(self.edges[first:], {exits[name]: entries[name] for name in states})
        for name in states.keys() - ways.reached(string(start), leads):
            heads[name].blame("unreachable")

    def _state(
        self, name: str, kind: str, state: Mapping[str, Any], depth: int, frame: str
    ) -> Node:
        node = self.add(kind, name, name, depth, frame)
        node.write(labels.subtitle(kind, state))
        node.broken = kind == "unknown"
        if self.named[name] > 1:
            # "state names MUST be unique within the scope of the whole state machine"
            node.blame("name used twice")
        return node

    def _container(
        self, name: str, kind: str, state: Mapping[str, Any], depth: int, frame: str
    ) -> tuple[Node, str]:
        """Add a Parallel or Map state; gives the node arrows enter by and the one they leave by."""
        inner = Frame(f"b{len(self.frames)}", name, frame)
        self.frames.append(inner)
        head = self._state(name, kind, state, depth, inner.key)
        join = self.add("join", None, "", depth, inner.key).key
        parts, first = _parts(state), len(self.edges)
        for part in parts:
            self._scope(part, head.key, name, join, depth + 1, frame=inner.key)
        if not parts:
            self.edges.append(Edge(head.key, join, "enter", {(name, None)}))
        inside = self.edges[first:]
        heights = ways.heights(inside)
        self.columns += ways.fold([e for e in inside if e.tail == head.key], heights)
        if all(edge.head != join for edge in inside):  # no branch comes to an end
            self.columns.append((head.key, join, heights[head.key] + 1))
        return head, join

    def _leave(
        self, name: str, state: Mapping[str, Any], entry: str, tail: str, goal: _Goal
    ) -> set[str]:
        """Add the arrows out of a state; gives the names they lead to."""
        merged: dict[tuple[str, str], Edge] = {}
        targets: set[str] = set()

        def lead(kind: Any, target: Any, label: str = "") -> None:
            head = goal.of(target, f"no {'Default' if kind == 'default' else 'Next'}")
            # A default that leads where a rule leads is one more label at that rule's arrow.
            along = "choice" if (("choice", head) in merged and kind == "default") else kind
            step = (name, string(target))
            edge = merged.setdefault((along, head), Edge(tail, head, kind, {step}))
            if label and label not in edge.labels:
                edge.labels.append(label)
            if isinstance(target, str):
                targets.add(target)

        kind = state.get("Type")
        if kind == "Choice":
            rules = mappings(state.get("Choices"))
            for rule in rules:
                lead("choice", rule.get("Next"), labels.condition(rule))
            if "Default" in state or not rules:
                lead("default", state.get("Default"), "otherwise")
        elif kind in ("Succeed", "Fail") or state.get("End") is True:
            if kind != "Fail" or not goal.join:
                # Straight to the join; where a container ends in another, that arrow may bend.
                way: Way = "join" if goal.join and entry == tail else "leave"
                self.edges.append(Edge(tail, goal.end(), way, {(name, None)}))
        else:
            lead("next", state.get("Next"))
        for catcher in mappings(state.get("Catch")):
            lead("catch", catcher.get("Next"), labels.errors(catcher))
        fan = [edge for edge in merged.values() if edge.kind in ("choice", "default")]
        self.columns += ways.fold(fan)
        if retries := labels.retries(state):
            merged["retry", entry] = Edge(entry, entry, "retry", {(name, name)}, retries)
        for edge in merged.values():
            if edge.kind == "catch" and labels.ANY_ERROR in edge.labels:
                edge.labels.clear()  # the colour says so; and it is more than any other
        self.edges += merged.values()
        return targets

    def _gather(self, edges: Sequence[Edge], start: str | None, depth: int, frame: str) -> None:
        """Let arrows of caught errors to one state, or of very many ends, run together.

        Beside each row of states a point is added where their arrows join the common way.
        """
        row = ways.rows(edges, start)
        gathered: dict[tuple[Way, str], dict[int, list[Edge]]] = {}
        for edge in edges:
            if edge.kind in GATHERED:
                name = next(iter(edge.steps))[0]
                rows = gathered.setdefault((edge.kind, edge.head), {})
                rows.setdefault(row.get(name, len(row)), []).append(edge)
        for (kind, head), rows in gathered.items():
            if sum(map(len, rows.values())) < GATHERED[kind]:
                continue
            trunk: Edge | None = None
            for number in sorted(rows):
                meeting = self.add("meeting", None, "", depth, frame).key
                steps = set(trunk.steps) if trunk else set()
                if trunk:
                    trunk.head, trunk.pointed = meeting, False
                for edge in rows[number]:
                    edge.head, edge.pointed = meeting, False
                    steps |= edge.steps
                trunk = Edge(meeting, head, kind, steps, trunk=True)
                self.edges.append(trunk)


@dataclass(slots=True)
class _Goal:
    """Where the arrows of one scope may lead."""

    machine: Machine
    entries: dict[str, str]
    join: str | None
    depth: int
    frame: str
    missing: dict[str, str] = field(default_factory=dict)
    ending: str = ""

    def of(self, target: Any, absent: str) -> str:
        """The node of a target: its state, or a box that says what is missing."""
        if isinstance(target, str) and target in self.entries:
            return self.entries[target]
        text = target if isinstance(target, str) else absent
        if text not in self.missing:
            node = self.machine.add("missing", None, text, self.depth, self.frame)
            node.write(self._why(target))
            node.broken = True
            self.missing[text] = node.key
        return self.missing[text]

    def end(self) -> str:
        """The node that an end leads to."""
        if self.join:
            return self.join
        if not self.ending:
            self.ending = self.machine.add("end", None, "End", self.depth, self.frame).key
        return self.ending

    def _why(self, target: Any) -> str:
        if not isinstance(target, str):
            return "nowhere to go"
        # No transition leads into a branch, or out of one.
        return "in another branch" if target in self.machine.named else "no such state"


def _parts(state: Mapping[str, Any]) -> list[Any]:
    """The branches of a Parallel state, or the one machine that a Map state runs for each item."""
    if state.get("Type") == "Map":
        return [state.get("ItemProcessor", state.get("Iterator"))]
    branches = state.get("Branches")
    return branches if isinstance(branches, list) else []


def _names(definition: Any) -> Iterator[str]:
    """The names of all states, as often as each is used."""
    for name, state in mapping(mapping(definition).get("States")).items():
        yield name
        if mapping(state).get("Type") in ("Parallel", "Map"):
            for part in _parts(state):
                yield from _names(part)
