"""Definitions as documents: their states, and the machines that are nested in those."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Object = dict[str, Any]

# The fields of a state that hold machines.
NESTING = ("Branches", "ItemProcessor", "Iterator")


class State(NamedTuple):
    """A state of a definition, with its place in it."""

    name: str
    fields: Object
    path: str


def states(machine: Any, path: str = "") -> Iterator[State]:
    """Yield each state of a machine and of what is nested in it; what is no object is left out."""
    inside = machine.get("States") if isinstance(machine, dict) else None
    for name, fields in inside.items() if isinstance(inside, dict) else ():
        if isinstance(fields, dict):
            state = State(name, fields, f"{path}/States/{name}")
            yield state
            for inner, place in nested(state):
                yield from states(inner, place)


def nested(state: State) -> Iterator[tuple[Any, str]]:
    """Yield the machines within a Parallel or Map state, with their places."""
    branches = state.fields.get("Branches")
    for number, branch in enumerate(branches if isinstance(branches, list) else ()):
        yield branch, f"{state.path}/Branches[{number}]"
    for field in ("ItemProcessor", "Iterator"):
        if field in state.fields:
            yield state.fields[field], f"{state.path}/{field}"


def find(machine: Any, name: str) -> Object | None:
    """Return the state of that name, of the machine itself or nested in it, or None."""
    return next((state.fields for state in states(machine) if state.name == name), None)


def language(machine: Object, state: Object | None = None) -> str:
    """Return the query language of a machine, or of a state, wherever it is nested.

    "If a Map or Parallel State has a QueryLanguage field", that is not its inner states' default.
    https://states-language.net/spec.html
    """
    return (state or machine).get("QueryLanguage", machine.get("QueryLanguage", "JSONPath"))
