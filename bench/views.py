"""The graph and the history's table, on made-up but well-formed input."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pygraphviz

from bench.metric import Metric, milliseconds
from helpers import graph, history
from helpers.chart.machine import Machine

EVENTS = 25_000
AT_ONCE = 40  # items of a Map state
ERRORS = ["States.ALL"]


def metrics() -> Iterator[Metric]:
    """Yield the durations of a first drawing, a redraw and a table."""
    events = _events(EVENTS)
    numbers = itertools.count()

    def first() -> str:
        return graph.svg(_definition() | {"Comment": f"{next(numbers)}"})

    definition = _definition()
    graph.svg(definition)
    layout = milliseconds(_graphviz)
    yield Metric("graph_30_states_first", milliseconds(first), "ms", "Graphviz layout", layout)
    redraw = milliseconds(lambda: graph.svg(definition, events[:150]))
    yield Metric("graph_30_states_redraw", redraw, "ms", "Graphviz layout", layout)
    flat = milliseconds(lambda: pd.json_normalize(events), times=3)
    table = milliseconds(lambda: history.frame(events), times=3)
    yield Metric("history_25000_events", table, "ms", "pandas.json_normalize", flat)


def _definition() -> dict[str, Any]:
    """30 states: tasks with Retry and Catch, a Choice, two branches, and a Map in one of them."""
    route = {"Variable": "$.n", "NumericGreaterThan": 3, "Next": "Both"}
    mapped = {"Type": "Map", "ItemProcessor": _tasks("Item", 4), "End": True}
    branch = _tasks("Left", 5)
    branch["States"]["Left4"] |= {"Next": "Each"}
    del branch["States"]["Left4"]["End"]
    branch["States"]["Each"] = mapped
    machine = _tasks("Step", 11, catch="Alarm")
    machine["States"]["Step10"] |= {"Next": "Route"}
    del machine["States"]["Step10"]["End"]
    machine["States"] |= {
        "Route": {"Type": "Choice", "Choices": [route], "Default": "Alarm"},
        "Both": {"Type": "Parallel", "Branches": [branch, _tasks("Right", 4)], "Next": "Done"},
        "Done": {"Type": "Succeed"},
        "Alarm": {"Type": "Pass", "Next": "Failed"},
        "Failed": {"Type": "Fail"},
    }
    return machine


def _tasks(prefix: str, count: int, catch: str = "") -> dict[str, Any]:
    names = [f"{prefix}{number}" for number in range(count)]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Retry": [{"ErrorEquals": ERRORS, "MaxAttempts": 2}],
    }
    if catch:
        task["Catch"] = [{"ErrorEquals": ERRORS, "Next": catch}]
    states = {name: {**task, "Next": after} for name, after in itertools.pairwise(names)}
    return {"StartAt": names[0], "States": states | {names[-1]: {**task, "End": True}}}


def _graphviz() -> bytes:
    """The same nodes and arrows, without names, labels and frames."""
    drawing = pygraphviz.AGraph(directed=True)
    for edge in Machine(_definition()).edges:
        drawing.add_edge(edge.tail, edge.head)
    drawing.layout("dot")
    return drawing.draw(format="svg")


def _events(count: int) -> list[dict[str, Any]]:
    """A Map state whose items run AT_ONCE, each through one task, their events by turns."""
    script = _Script()
    entered = script.add("MapStateEntered", script.add("ExecutionStarted", 0), name="Each")
    started = script.add("MapStateStarted", entered, length=count)
    items = itertools.count()
    turns = [_item(script, next(items), started) for _ in range(AT_ONCE)]
    while len(script.events) < count:
        for place, turn in enumerate(turns):
            if next(turn, None) is None:
                turns[place] = _item(script, next(items), started)
    return script.events[:count]


def _item(script: _Script, index: int, last: int) -> Iterator[int]:
    yield (last := script.add("MapIterationStarted", last, name="Each", index=index))
    yield (last := script.add("TaskStateEntered", last, name="Item0", input="{}"))
    yield (last := script.add("TaskScheduled", last, resourceType="sns", resource="publish"))
    yield (last := script.add("TaskStarted", last, resourceType="sns", resource="publish"))
    yield (last := script.add("TaskSucceeded", last, resourceType="sns", resource="publish"))
    yield (last := script.add("TaskStateExited", last, name="Item0", output="{}"))
    yield script.add("MapIterationSucceeded", last, name="Each", index=index)


class _Script:
    """Events, each a millisecond after the one before."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, previous: int, **details: Any) -> int:
        number = len(self.events) + 1
        name = f"{kind[0].lower()}{kind[1:]}"
        for phase in ("Entered", "Exited"):
            name = f"state{phase}" if kind.endswith(f"State{phase}") else name
        event = {
            "id": number,
            "previousEventId": previous,
            "type": kind,
            "timestamp": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number),
        }
        self.events.append(event | ({f"{name}EventDetails": details} if details else {}))
        return number
