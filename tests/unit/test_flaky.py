"""The function of lesson 05 fails as its input says, and no longer."""

from __future__ import annotations

import runpy

import pytest

from helpers.exercises.survive_failure import FLAKY

ERRORS = ["ThrottledError", "KeyError"]


@pytest.mark.parametrize(("attempt", "name"), [*enumerate(ERRORS)])
def test_an_attempt_fails_with_its_error(attempt: int, name: str) -> None:
    handler = runpy.run_path(str(FLAKY))["lambda_handler"]
    with pytest.raises(Exception, match=f"attempt {attempt + 1} failed") as raised:
        handler({"errors": ERRORS, "attempt": attempt}, None)
    assert raised.type.__name__ == name


def test_the_first_attempt_without_an_error_works_and_gives_its_input_back() -> None:
    handler = runpy.run_path(str(FLAKY))["lambda_handler"]
    given = {"errors": ERRORS, "attempt": 2, "token": "t"}
    assert handler(given, None) == {**given, "worked": "at attempt 3"}
