"""The checks of 09_work_at_scale: a bucket of tokens, and real Map Runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

from helpers import exercise, laboratory
from helpers.exercise import Wrong
from helpers.session import Session

NAME = "workbook-exercise-of-09"
POLICIES, INVOCATIONS, AT_ONCE = 1500, 20, 4
CHARACTERS = 2_000  # of the longest policy
INPUT_BYTES = 262_144  # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
PERCENT = 2

# size, refill a second, demand a second: quotas of us-east-1, seen 2026-11-23
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
_EMPTIED = ((1_300, 300, 400), (5_000, 5_000, 8_000), (300, 15, 30))
_ENOUGH = ((5_000, 5_000, 2_000), (1_300, 300, 300))


@exercise.check
def lasts(answer: Callable[[float, float, float], float | None]) -> str:
    """Judge a function of a bucket's size, its refill and the demand on it."""
    for size, refill, demand in _EMPTIED:
        _compare(answer(size, refill, demand), size, refill, demand)
    for size, refill, demand in _ENOUGH:
        try:
            given = answer(size, refill, demand)
        except ZeroDivisionError as error:
            raise Wrong(
                f"With {refill:,} a second coming in as fast as it goes out, your function divides "
                "by zero."
            ) from error
        if given is not None:
            raise Wrong(
                f"{demand:,} a second is no more than the {refill:,} that come in: that bucket is "
                f"never empty, and your answer is {given}."
            )
    return "400 incidents a second would empty StartExecution's bucket after 13 seconds."


def _compare(given: float | None, size: float, refill: float, demand: float) -> None:
    about = f"A bucket of {size:,}, refilled with {refill:,} a second, a demand of {demand:,}"
    if given is None:
        raise Wrong(f"{about}: it does become empty, and your answer is None.")
    right = size / (demand - refill)
    if abs(given - right) < 0.01:
        return
    if given == round(right):
        raise Wrong(f"{about}: your answer is {given} s, rounded. Return it as it is.")
    if abs(given - size / demand) < 0.01:
        raise Wrong(f"{about}: your answer is {given:.1f} s, as if nothing were refilled.")
    raise Wrong(f"{about}: {given:.1f} s is not the moment at which it is empty.")


@exercise.check
def batches(session: Session, answer: Mapping[str, Any]) -> str:
    """Judge the fields of a Map state by what its Map Run does with 1,500 items."""
    described = _map_run(session, _map(_PASS, {**_LONG, **answer}), [{}] * POLICIES)
    if described is None:
        raise Wrong("The Map state could not begin: are these fields of a Map state?")
    counts, at_once = described["executionCounts"], described["maxConcurrency"]
    if counts["total"] == POLICIES:
        raise Wrong(
            f"Each of the {POLICIES:,} policies was a child of its own: nothing is batched."
        )
    if counts["total"] > INVOCATIONS:
        raise Wrong(f"There were {counts['total']} batches, and so as many invocations.")
    largest = ceil(POLICIES / counts["total"])
    if largest * CHARACTERS > INPUT_BYTES:
        raise Wrong(
            f"A batch of {largest} policies, {CHARACTERS:,} characters each, is more than the "
            f"{INPUT_BYTES:,} bytes that an input may have."
        )
    if at_once == 0:
        raise Wrong("Nothing limits how many children run at once.")
    if at_once > AT_ONCE:
        raise Wrong(f"Up to {at_once} children may run at once.")
    return f"{POLICIES:,} policies in {counts['total']} batches, and at most {at_once} at once."


@exercise.check
def tolerance(session: Session, answer: Mapping[str, Any]) -> str:
    """Judge the fields of a Map state by what becomes of it when some of its items fail."""
    fields = {"MaxConcurrency": 0, **answer}
    cases = ((50, 0, True), (50, 1, True), (50, 2, False), (100, 2, True))
    for count, failing, wanted in cases:
        items = [{"fail": number < failing} for number in range(count)]
        described = _map_run(session, _map(_DECIDE, fields), items)
        if described is None:
            raise Wrong("The Map state could not begin: are these fields of a Map state?")
        if (described["status"] == "SUCCEEDED") != wanted:
            became = "went on" if described["status"] == "SUCCEEDED" else "failed"
            raise Wrong(
                f"Of {count} policies {failing} could not be judged, and the audit {became}."
            )
    return f"Up to {PERCENT} in a hundred may fail, however many policies there are."


# Makes of each item one as long as the longest policy, JSON around it and all: so many of them
# would not fit into an execution's input. It comes before ItemBatcher:
# https://docs.aws.amazon.com/step-functions/latest/dg/input-output-fields-dist-map.html
_LONG = {"ItemSelector": {"document": "x" * (CHARACTERS - 20)}}
# What a child does: nothing, or what its item says.
_PASS = {"StartAt": "Judge", "States": {"Judge": {"Type": "Pass", "Result": {}, "End": True}}}
_DECIDE = {
    "StartAt": "Judge",
    "States": {
        "Judge": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.fail", "BooleanEquals": True, "Next": "Failed"}],
            "Default": "Judged",
        },
        "Failed": {"Type": "Fail", "Error": "NotJudged"},
        "Judged": {"Type": "Succeed"},
    },
}


def _map(processor: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    state = {
        "Type": "Map",
        "ItemProcessor": {**config, **processor},
        # Not all that 1,500 children were given: only what becomes of the state matters here.
        "ResultPath": None,
        **fields,
        "End": True,
    }
    return {"StartAt": "Audit", "States": {"Audit": state}}


def _map_run(
    session: Session, definition: Mapping[str, Any], items: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Run a distributed Map; return its Map Run, None where it had none. Raises Wrong."""
    states = session.client("stepfunctions")
    text = json.dumps(definition)
    checked = states.validate_state_machine_definition(definition=text)
    if checked["result"] != "OK":
        words = " ".join(
            f"{each['message']} ({each['location']})" for each in checked["diagnostics"]
        )
        raise Wrong(f"Step Functions refuses this Map state. {words}")
    # A Map Run's children are executions that its machine starts and looks at:
    # https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    role = laboratory.role(session, "states:StartExecution", "states:DescribeExecution")
    machine = laboratory.machine(session, NAME, text, role)
    execution = laboratory.run(session, machine, items)
    runs = states.list_map_runs(executionArn=execution)["mapRuns"]
    return states.describe_map_run(mapRunArn=runs[0]["mapRunArn"]) if runs else None
