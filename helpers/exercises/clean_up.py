"""The exercises of 10_clean_up: what a deleted stack leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from helpers import exercise, inventory, stack
from helpers.exercise import Wrong
from helpers.session import Session

# The kinds of the inventory: who has made what is of this kind, and so has to delete it.
MAKERS = {
    "Policies": "you, with create_policy",
    "Users": "this workbook, with create_user",
    "Roles": "the stack",
    "Functions": "the stack",
    "State machines": "the stack",
    "Topics": "the stack",
    "Rules": "the stack",
    "REST APIs": "the stack",
    "Stacks": "the stack",
    "Trails": "this workbook, with create_trail",
    "Buckets": "this workbook, with create_bucket",
    "Log groups": "Lambda, when a function first wrote into its log",
    "Of the lessons": "you, in the lessons",
}
OUTLIVE = {kind for kind, maker in MAKERS.items() if maker != "the stack"}


@exercise.check
def outlive(session: Session, answer: Collection[str]) -> str:
    """Judge a set of the inventory's kinds: those that are still there when the stack is not.

    A kind of which nothing is there, beside the stack, may be named or not.
    """
    if isinstance(answer, str):
        raise Wrong("That is one text. Write a set of texts: {'Roles', 'Topics'}, for example.")
    for kind in answer:
        if kind not in MAKERS:
            raise Wrong(f"{kind!r} is no kind of the table above. Every letter counts.")
        if kind not in OUTLIVE:
            raise Wrong(f"{kind} go with the stack: its template declares them.")
    missing = OUTLIVE - set(answer) - _empty(session)
    if "Log groups" in missing:
        raise Wrong("Lambda has made something by itself, which is in no template.")
    if missing:
        raise Wrong(f"You have not named {len(missing)} more that no stack made.")
    return "Right: a stack takes along what it has made, and nothing else."


def _empty(session: Session) -> set[str]:
    """Return the kinds of which nothing is there; only the lessons', where the stack is gone too.

    For then an empty table says nothing about what outlives it.
    """
    found = inventory.of(session).found
    there = found if found["Stacks"] else {"Of the lessons": []}
    return {kind for kind, names in there.items() if not names}


@exercise.check
def log_groups(session: Session, answer: Callable[[Any], list[str]]) -> str:
    """Judge a function that finds the log groups of the app's functions, with some made for it."""
    logs = session.client("logs")
    ours = f"/aws/lambda/{stack.NAME[: stack.SHORT]}-exercise"
    other = "/aws/lambda/step-functions-workbook-not-the-app-s"
    with _groups(logs, ours, other):
        found = answer(logs)
        right = stack.log_groups(session)
    if isinstance(found, dict):
        raise Wrong("That is the whole answer of CloudWatch Logs: the names are inside.")
    if not isinstance(found, list | tuple | set):
        raise Wrong(f"A list of names was asked for, not {found!r}.")
    if any(isinstance(group, dict) for group in found):
        raise Wrong("Those are descriptions of log groups. Each has its name in logGroupName.")
    if other in found:
        raise Wrong(f"{other} is among them, and belongs to somebody else.")
    missing = set(right) - set(found)
    if missing == {ours}:
        raise Wrong(f"{ours} is missing: a long stack's name may be shortened as much as that.")
    if missing:
        raise Wrong(f"{min(missing)} is missing.")
    if extra := set(found) - set(right):
        raise Wrong(f"{min(extra)} is none of the app's.")
    return f"All of them, {len(right) - 1} just now, and nobody else's."


@contextmanager
def _groups(logs: Any, *names: str) -> Iterator[None]:
    """Let there be these log groups for a while."""
    for name in names:
        logs.create_log_group(logGroupName=name)
    try:
        yield
    finally:
        for name in names:
            logs.delete_log_group(logGroupName=name)
