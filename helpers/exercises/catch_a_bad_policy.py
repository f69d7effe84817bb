"""The exercises of 03_catch_a_bad_policy: what is to be found in an execution's history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from helpers import approval, exercise, history
from helpers.exercise import Wrong
from helpers.visits import Event

CLOSE = 0.5  # milliseconds: an answer may be rounded


@exercise.check
def token(events: Sequence[Event], answer: str) -> str:
    """Judge a task token that was found in a history."""
    right = approval.token(list(events))
    if isinstance(answer, dict | list):
        raise Wrong(
            f"That is still a {type(answer).__name__} with the token inside: look into it, one "
            "level at a time."
        )
    if not isinstance(answer, str):
        raise Wrong(f"A token is text, and this is {type(answer).__name__}.")
    if answer.startswith("arn:"):
        raise Wrong("That is an ARN: it names something, and opens nothing.")
    if answer == right:
        return f"Found: {len(right)} characters that decide."
    if right in answer:
        raise Wrong("The token is in there, with other things around it. Take it out alone.")
    if answer.strip("… ") and right.startswith(answer.strip("… ")):
        raise Wrong(f"That is its beginning: {len(answer)} of {len(right)} characters.")
    raise Wrong("This is some text of the history, or of another one, and no token of it.")


@exercise.check
def harmless_after(events: Sequence[Event], answer: float) -> str:
    """Judge the milliseconds from an execution's start until its policy was harmless."""
    if isinstance(answer, timedelta):
        raise Wrong("That is a timedelta. Make it a number: its total_seconds(), in milliseconds.")
    steps = history.steps(events).set_index("step")
    begun = steps["started"].iloc[0] - events[0]["timestamp"]
    entered = (steps["started"]["TempRemove"] - steps["started"].iloc[0] + begun) / timedelta(
        milliseconds=1
    )
    right = entered + steps["duration"]["TempRemove"]
    if abs(answer - right) <= CLOSE:
        return (
            f"{right:.0f} ms of work; the rest of the exposure went by before the execution began."
        )
    if abs(answer - right / 1000) <= CLOSE / 1000:
        raise Wrong("That is in seconds; milliseconds were asked for.")
    if abs(answer - steps["duration"]["TempRemove"]) <= CLOSE:
        raise Wrong("That is how long TempRemove alone took: count from the execution's start.")
    if abs(answer - entered) <= CLOSE:
        raise Wrong("Then TempRemove was entered: it had not done anything yet.")
    if answer < 0:
        raise Wrong("That is less than nothing: the later moment comes first in a difference.")
    if answer > right:
        raise Wrong("At that moment it had been harmless for a while: is that TempRemove's event?")
    raise Wrong("At that moment it was still dangerous: is that TempRemove's event?")
