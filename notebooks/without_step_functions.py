"""Retry, Catch, TimeoutSeconds and redrive, as one would have to write them without Step Functions.

It works, as long as the process that runs it lives.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Rule = Mapping[str, Any]


def retried(work: Callable[[], Any], retriers: Sequence[Rule]) -> Any:
    """Retry: do the work again after an error that a retrier names, with growing waits."""
    counts = [0] * len(retriers)
    while True:
        try:
            return work()
        except Exception as error:
            place = _first(retriers, error)
            if place is None or counts[place] >= retriers[place].get("MaxAttempts", 3):
                raise
            time.sleep(_wait(retriers[place], counts[place]))  # a process does nothing, and costs
            counts[place] += 1


def _first(rules: Sequence[Rule], error: Exception) -> int | None:
    """Return the place of the first rule that names the error, or all errors."""
    for place, rule in enumerate(rules):
        if {type(error).__name__, "States.ALL"} & set(rule["ErrorEquals"]):
            return place
    return None


def _wait(retrier: Rule, retries: int) -> float:
    seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries
    seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds))
    if retrier.get("JitterStrategy") == "FULL":
        return random.uniform(0, seconds)  # noqa: S311 - it is no secret
    return seconds


def caught(work: Callable[[], Any], value: Rule, catchers: Sequence[Rule]) -> tuple[str, Rule]:
    """Catch: return the next state and its input; the error goes under ``ResultPath``."""
    try:
        return "Next", {**value, "result": work()}
    except Exception as error:
        place = _first(catchers, error)
        if place is None:
            raise
        told = {"Error": type(error).__name__, "Cause": str(error)}
        field = catchers[place].get("ResultPath", "$").removeprefix("$").removeprefix(".")
        return catchers[place]["Next"], {**value, field: told} if field else told


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """TimeoutSeconds: give up what takes too long. It goes on all the same: a thread does."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work).result(timeout=seconds)
    finally:
        pool.shutdown(wait=False)


def resumed(journal: Path, steps: Mapping[str, Callable[[Any], Any]], value: Any) -> Any:
    """Redrive: do the steps that the journal does not have yet, and write down each result."""
    done = json.loads(journal.read_text()) if journal.exists() else {}
    for name, step in steps.items():
        if name not in done:
            done[name] = step(value)
            journal.write_text(json.dumps(done))  # killed just before: the step is done twice
        value = done[name]
    return value
