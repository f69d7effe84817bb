"""The shape of a machine and the ways through it: what is required, missing, out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helpers.localaws.definitions import State, nested
from helpers.localaws.diagnostics import (
    Diagnostic,
    Found,
    Object,
    failed,
    is_text,
    required,
    unsupported,
)

_MACHINE = {"Comment", "StartAt", "States"}
OUTERMOST = _MACHINE | {"Version", "TimeoutSeconds", "QueryLanguage"}
_PROCESSOR = _MACHINE | {"ProcessorConfig"}


def machine(document: Any, path: str, fields: set[str]) -> Found:
    """Yield what is wrong with a machine and those nested in it, their states' insides aside."""
    if not isinstance(document, dict):
        yield failed("Expected value of type Object", path or "/")
        return
    yield from required(document, path or "/", "StartAt", "States")
    yield from unsupported(document, path or "/", fields)
    states = document.get("States")
    if states is None:
        return
    if not isinstance(states, dict) or not states:
        yield failed("States must be an object with at least one state", f"{path}/States")
        return
    for name, state in states.items():
        yield from _named(State(name, state, f"{path}/States/{name}"))
    yield from _ways(document, states, path)


def _named(state: State) -> Found:
    if not isinstance(state.fields, dict):
        yield failed("Expected value of type Object", state.path)
    elif state.name == "" or len(state.name) > 80:
        yield Diagnostic("INVALID_STATE_NAME", "A state name has 1 to 80 characters", state.path)
    else:
        for inner, place in nested(state):
            yield from machine(inner, place, _MACHINE if place.endswith("]") else _PROCESSOR)


def _ways(document: Object, states: Object, path: str) -> Found:
    """Yield targets that are not there, a missing end, and states that are never reached."""
    start = document.get("StartAt")
    if start is not None and not (is_text(start) and start in states):
        yield _no_target(start, f"{path}/StartAt")
    ways: dict[str, list[str]] = {}
    for name, state in states.items():
        targets = list(_targets(state, f"{path}/States/{name}"))
        ways[name] = [target for target, _ in targets if target in states]
        for target, place in targets:
            if target not in states:
                yield _no_target(target, place)
    if not any(_ends(state) for state in states.values()):
        yield Diagnostic("MISSING_END_STATE", "Workflow has no terminal state", path or None)
        return
    reached = _reached(start, ways)
    for name in states:
        if name not in reached:
            words = f'State "{name}" is not reachable.'
            yield Diagnostic("MISSING_TRANSITION_TARGET", words, f"{path}/States/{name}")


def _reached(start: Any, ways: dict[str, list[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start] if is_text(start) else []
    while waiting:
        name = waiting.pop()
        if name in ways and name not in reached:
            reached.add(name)
            waiting += ways[name]
    return reached


def _no_target(target: Any, path: str) -> Diagnostic:
    return Diagnostic("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {target}", path)


def _ends(state: Any) -> bool:
    if not isinstance(state, dict):
        return False
    return state.get("End") is True or state.get("Type") in ("Succeed", "Fail")


def _targets(state: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield each state that another one goes on to, with the place that names it."""
    if not isinstance(state, dict):
        return
    places = [(state, "Next", f"{path}/Next"), (state, "Default", f"{path}/Default")]
    for field in ("Choices", "Catch"):
        rules = state.get(field)
        places += [
            (rule, "Next", f"{path}/{field}[{number}]/Next")
            for number, rule in enumerate(rules if isinstance(rules, list) else ())
            if isinstance(rule, dict)
        ]
    for thing, field, place in places:
        if is_text(thing.get(field)):
            yield thing[field], place
