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

STATES, EVENTS = 30, 25_000


def metrics() -> Iterator[Metric]:
    """Yield the durations of a first drawing, a redraw and a table."""
    events = _events(EVENTS)
    numbers = itertools.count()

    def first() -> str:
        return graph.svg(_definition(next(numbers)))

    definition = _definition(-1)
    graph.svg(definition)
    layout = milliseconds(_graphviz)
    yield Metric("graph_30_states_first", milliseconds(first), "ms", "Graphviz layout", layout)
    redraw = milliseconds(lambda: graph.svg(definition, events[:150]))
    yield Metric("graph_30_states_redraw", redraw, "ms", "Graphviz layout", layout)
    flat = milliseconds(lambda: pd.json_normalize(events), times=3)
    table = milliseconds(lambda: history.frame(events), times=3)
    yield Metric("history_25000_events", table, "ms", "pandas.json_normalize", flat)


def _definition(number: int) -> dict[str, Any]:
    names = [f"Step{index}" for index in range(STATES)]
    states = {
        name: {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": following}
        for name, following in itertools.pairwise(names)
    }
    states[names[-1]] = {"Type": "Succeed"}
    return {"Comment": f"{number}", "StartAt": names[0], "States": states}


def _graphviz() -> bytes:
    drawing = pygraphviz.AGraph(directed=True)
    for name, following in itertools.pairwise(f"Step{index}" for index in range(STATES)):
        drawing.add_edge(name, following)
    drawing.layout("dot")
    return drawing.draw(format="svg")


def _events(count: int) -> list[dict[str, Any]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    kinds = ("TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited")
    events: list[dict[str, Any]] = [
        {"id": 1, "previousEventId": 0, "type": "ExecutionStarted", "timestamp": start}
    ]
    for number in range(2, count + 1):
        kind = kinds[(number - 2) % len(kinds)]
        event: dict[str, Any] = {
            "id": number,
            "previousEventId": number - 1 if number > 2 else 0,
            "type": kind,
            "timestamp": start + timedelta(milliseconds=number),
        }
        step = f"Step{(number - 2) // len(kinds) % STATES}"
        if kind == "TaskStateEntered":
            event["stateEnteredEventDetails"] = {"name": step, "input": "{}"}
        elif kind == "TaskStateExited":
            event["stateExitedEventDetails"] = {"name": step, "output": "{}"}
        elif kind == "TaskScheduled":
            event["taskScheduledEventDetails"] = {"resourceType": "sns", "resource": "publish"}
        events.append(event)
    return events
