"""What becomes of an answer: open, wrong with a sentence, or right; never a traceback."""

from __future__ import annotations

import pytest

from helpers import exercise
from helpers.exercise import OPEN, Verdict, Wrong
from helpers.markup import NO_MATHS
from helpers.table import table


@exercise.check
def _three(answer: dict[str, int]) -> str:
    """Judge."""
    if answer["n"] < 3:
        raise Wrong("That is too few.")
    return "Three it is."


def _answered() -> int:
    return 3


def _unanswered(task: str) -> int: ...


def _documented() -> None:
    """Do nothing yet."""
    ...  # noqa: PIE790 - as a starter is made


def test_a_right_answer_a_wrong_one_and_none() -> None:
    assert _three({"n": 3}) == Verdict(True, "Three it is.")
    assert _three({"n": 2}) == Verdict(False, "That is too few.")
    assert _three(...) == Verdict(None, OPEN)


def test_only_a_right_answer_counts_as_true() -> None:
    assert [bool(_three(answer)) for answer in ({"n": 3}, {"n": 2}, ...)] == [True, False, False]


@pytest.mark.parametrize(
    "answer", [{"n": ...}, {"a": [{"n": ...}]}, (1, ...), _unanswered, _documented]
)
def test_dots_anywhere_are_no_answer_yet(answer: object) -> None:
    assert _three(answer).done is None


@pytest.mark.parametrize("answer", [3, {}, None, {"n": "3"}, _answered])
def test_an_answer_of_another_form_is_told_what_python_says(answer: object) -> None:
    verdict = _three(answer)
    assert verdict.done is False
    assert "form that is asked for" in verdict.words
    assert "Error" in verdict.words


def test_it_is_shown_with_its_sign_and_as_text_only() -> None:
    assert repr(Verdict(True, "a")) == "✓ a"
    assert repr(Verdict(False, "a")) == "✗ a"
    assert repr(Verdict(None, "a")) == "○ a"
    assert "&lt;b&gt;" in Verdict(False, "<b>")._repr_html_()


def test_two_prices_in_a_verdict_are_no_maths() -> None:
    """Between two dollar signs MathJax sets maths, unless the element says that there is none."""
    assert NO_MATHS in Verdict(True, "It costs $1, and not $2.")._repr_html_()
    assert NO_MATHS in table(("What", "Cost"), [("both", "$1 or $2")])


def test_a_check_keeps_its_name_and_words() -> None:
    assert (_three.__name__, _three.__doc__) == ("_three", "Judge.")
