"""The checks of 09_work_at_scale: what is right counts, and each mistake has its words."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import laboratory
from helpers.exercises import work_at_scale as check
from helpers.session import Session


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(lasting_aws: Session) -> Any:
    yield
    laboratory.delete(lasting_aws)


def _right(size: float, refill: float, demand: float) -> float | None:
    return size / (demand - refill) if demand > refill else None


def _in_steps(size: float, refill: float, demand: float) -> float | None:
    if refill >= demand:
        return None
    return size / (demand - refill) + 0.001


@pytest.mark.parametrize("answer", [_right, _in_steps])
def test_a_function_that_knows_how_long_a_bucket_lasts_is_right(answer: Any) -> None:
    assert check.lasts(answer)


WRONG_FUNCTIONS = {
    "as if nothing were refilled": lambda size, refill, demand: size / demand,
    "never empty, and your answer is -": lambda size, refill, demand: size / (demand - refill),
    "it does become empty": lambda size, refill, demand: None if size else 0.0,
    "is not the moment at which it is empty": lambda size, refill, demand: size / refill,
    "your answer is 2 s, rounded": lambda size, refill, demand: (
        round(size / (demand - refill)) if demand > refill else None
    ),
    "ZeroDivisionError": lambda size, refill, demand: _right(size, refill, demand) or 1 / 0,
}


@pytest.mark.parametrize("words", list(WRONG_FUNCTIONS)[:5])
def test_a_function_that_does_not_is_told_why(words: str) -> None:
    verdict = check.lasts(WRONG_FUNCTIONS[words])
    assert verdict.done is False
    assert words in verdict.words


def test_a_function_that_divides_by_nothing_is_told_so() -> None:
    verdict = check.lasts(WRONG_FUNCTIONS["ZeroDivisionError"])
    assert verdict.done is False
    assert "as fast as it goes out" in verdict.words


def _batches(**batcher: int) -> dict[str, Any]:
    return {"MaxConcurrency": 4, "ItemBatcher": batcher}


@pytest.mark.parametrize(
    "answer",
    [
        _batches(MaxItemsPerBatch=100),
        _batches(MaxItemsPerBatch=131) | {"MaxConcurrency": 1},
        _batches(MaxItemsPerBatch=75, MaxInputBytesPerBatch=200_000),
        _batches(MaxInputBytesPerBatch=200_000),
        _batches(MaxInputBytesPerBatch=262_144),
    ],
    ids=["a hundred", "the most", "the fewest", "by their bytes", "as many bytes as there may be"],
)
def test_batches_that_fit_are_right(aws: Session, answer: dict[str, Any]) -> None:
    verdict = check.batches(aws, answer)
    assert verdict, verdict


WRONG_BATCHES = {
    "nothing is batched": _batches(MaxItemsPerBatch=1),
    "There were 30 batches": _batches(MaxItemsPerBatch=50),
    "There were 38 batches": _batches(MaxInputBytesPerBatch=80_000),
    "Value must be a positive integer": {
        "MaxConcurrency": 4,
        "ItemBatcher": {"MaxItemsPerBatch": "100"},
    },
    "A batch of 300 policies": _batches(MaxItemsPerBatch=300),
    "Nothing limits how many": {"ItemBatcher": {"MaxItemsPerBatch": 100}},
    "Up to 5 children": _batches(MaxItemsPerBatch=100) | {"MaxConcurrency": 5},
    "Step Functions refuses": _batches(MaxItemsPerBatch=100) | {"MaxConcurrency": "4"},
}


@pytest.mark.parametrize("words", WRONG_BATCHES)
def test_batches_that_do_not_are_told_why(aws: Session, words: str) -> None:
    verdict = check.batches(aws, WRONG_BATCHES[words])
    assert verdict.done is False
    assert words in verdict.words


def test_a_share_is_right(aws: Session) -> None:
    assert check.tolerance(aws, {"ToleratedFailurePercentage": 2})


WRONG_TOLERANCES = {
    "Of 50 policies 1 could not be judged, and the audit failed": {},
    "Of 50 policies 2 could not be judged, and the audit went on": {
        "ToleratedFailurePercentage": 20
    },
    "Of 100 policies 2 could not be judged, and the audit failed": {"ToleratedFailureCount": 1},
}


@pytest.mark.parametrize("words", WRONG_TOLERANCES)
def test_another_tolerance_is_told_what_became_of_the_audit(aws: Session, words: str) -> None:
    verdict = check.tolerance(aws, WRONG_TOLERANCES[words])
    assert verdict.done is False
    assert words in verdict.words


def test_dots_are_no_answer_yet(aws: Session) -> None:
    assert check.lasts(...).done is None
    assert check.batches(aws, ...).done is None
    assert check.tolerance(aws, {"ToleratedFailurePercentage": ...}).done is None
