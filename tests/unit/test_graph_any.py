"""Any definition with any history: drawn whole, and every event given to its state."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import graph, history
from helpers.chart import drawing, labels
from tests.unit.pictures import Picture
from tests.unit.player import FUNCTION, Player

ERRORS = ["States.ALL"]
ASKS = "arn:aws:states:::lambda:invoke.waitForTaskToken"


def choice(*targets: object) -> dict:
    rules = [{"Variable": "$.x", "NumericEquals": n, "Next": t} for n, t in enumerate(targets)]
    return {"Type": "Choice", "Choices": rules}


@st.composite
def machines(draw: st.DrawFn, depth: int = 3, prefix: str = "", wrong: bool = False) -> dict:
    """Definitions whose Parallel and Map states hold others; with `wrong`, faults are among them.

    Without, names are used once and every target is there: what AWS accepts.
    """
    letters = st.text(max_size=12) if wrong else st.text("aZ <&\"'é😀", min_size=1, max_size=8)
    found = draw(st.lists(letters, unique=True, min_size=0 if wrong else 1, max_size=4))
    names = found if wrong else [f"{prefix}{number}{name}" for number, name in enumerate(found)]
    targets = st.sampled_from([*names, "missing", None] if wrong else names)
    kinds = [*labels.TYPES, "Unknown"] if wrong else [*labels.TYPES]
    if not depth:
        kinds = [kind for kind in kinds if kind not in ("Parallel", "Map")]
    states = {}
    for name in names:
        state: dict = {"Type": draw(st.sampled_from(kinds))}
        state |= {"Next": draw(targets)} if draw(st.booleans()) else {"End": True}
        if state["Type"] in ("Task", "Parallel", "Map") or wrong:
            if draw(st.booleans()):
                state["Retry"] = [{"ErrorEquals": ERRORS, "MaxAttempts": draw(st.integers(0, 9))}]
            if draw(st.booleans()):
                state["Catch"] = [{"ErrorEquals": ERRORS, "Next": draw(targets)}]
        if state["Type"] == "Task":
            state["Resource"] = draw(st.sampled_from([FUNCTION, ASKS, "${Arn}"]))
        elif state["Type"] == "Choice":
            state |= choice(*draw(st.lists(targets, min_size=1, max_size=4)))
        elif state["Type"] == "Parallel":
            state["Branches"] = [
                draw(machines(depth - 1, f"{name}{branch}.", wrong))
                for branch in "ab"[: draw(st.integers(0, 2))]
            ]
        elif state["Type"] == "Map":
            state["ItemProcessor"] = draw(machines(depth - 1, f"{name}.", wrong))
        states[name] = state
    return {"StartAt": draw(targets), "States": states}


def names(machine: dict) -> list[str]:
    """Every state's name, as often as it is used."""
    found = []
    for name, state in machine.get("States", {}).items():
        found.append(name)
        for part in [*state.get("Branches", []), state.get("ItemProcessor", {})]:
            found += names(part)
    return found


@settings(max_examples=60, deadline=None)
@given(machines(wrong=True), st.randoms(use_true_random=False))
def test_any_definition_is_drawn(definition: dict, chance: Random):
    one = {"StartAt": "x", "States": {"x": {"Type": "Task", "End": True}}}
    events = Player(one, chance).events
    picture = Picture(graph.svg(definition, events))
    assert picture.faults() == []
    for name in names(definition):
        assert any(title.startswith(f"{read(name)} (") for title in picture.titles)
    assert graph.svg(json.dumps(definition), events) == graph.svg(definition, events)


@settings(max_examples=60, deadline=None)
@given(machines(), st.randoms(use_true_random=False))
def test_any_history_is_understood(definition: dict, chance: Random):
    played = Player(definition, chance)
    events, owners = played.events, played.owners
    assert history.attribute(events) == owners
    half = len(events) // 2
    assert history.attribute(events[:half]) == owners[:half]
    assert list(history.frame(events)["step"]) == owners

    entered = {owner for owner in owners if owner is not None}
    statuses = history.statuses(events)
    assert set(statuses) == entered
    if events[-1]["type"] in ("ExecutionSucceeded", "ExecutionFailed"):
        assert not {status.status for status in statuses.values()} & {"RUNNING", "WAITING"}
    for items in (status.items for status in statuses.values() if status.items):
        assert 0 <= items.succeeded + items.failed + items.running <= items.total
    assert len(history.steps(events)) == sum("StateEntered" in event["type"] for event in events)

    picture = Picture(graph.svg(definition, events))
    assert picture.faults() == []
    for name in names(definition):
        assert picture.box(name).title.endswith(": not started") == (name not in entered)


@settings(max_examples=60, deadline=None)
@given(machines(), st.randoms(use_true_random=False))
def test_the_spans_of_any_step_follow_one_another(definition: dict, chance: Random):
    events = Player(definition, chance).events
    spans: dict[int, list[history.Span]] = {}
    for span in history.spans(events):
        spans.setdefault(span.row, []).append(span)
    assert list(spans) == list(range(len(history.steps(events))))
    for row in spans.values():
        assert all(span.end == following.begin for span, following in pairwise(row))
        assert all(span.end is None or span.begin <= span.end for span in row)


def read(name: str) -> str:
    """A name as a reader of the XML gets it."""
    return ET.fromstring(f"<x>{drawing.clean(name)}</x>").text or ""  # noqa: S314, it is ours
