"""The exercises of 08: what each kind of wrong bill, and of wrong choice, is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers.exercises import count_the_cost as check

PRICE = 0.000025
RIGHT = {
    "approve a policy": "STANDARD",
    "shrink a picture": "EXPRESS",
    "charge a card": "STANDARD",
    "write the report of the night": "STANDARD",
    "note what a sensor says": "EXPRESS",
    "welcome a new customer": "STANDARD",
}


def month(executions: int, transitions: int, retries: int) -> float:
    return max(executions * transitions + retries - 4_000, 0) * PRICE


def thousands(executions: int, transitions: int, retries: int) -> float:
    counted = executions * transitions + retries
    return 0.025 * (counted - 4_000) / 1_000 if counted > 4_000 else 0


@pytest.mark.parametrize("answer", [month, thousands])
def test_a_right_bill_counts_however_it_is_written(answer: Callable) -> None:
    verdict = check.month(answer)
    assert verdict.done, verdict
    assert "$0.44" in verdict.words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda e, t, r: (e * t + r) * PRICE, "Some transitions of each month are free"),
        (lambda e, t, r: max(e * t - 4_000, 0) * PRICE, "A retry is a transition as well"),
        (lambda e, t, r: e * t * PRICE, "neither is what is free"),
        (lambda e, t, r: e * PRICE, "You count executions, and what is free is missing"),
        (lambda e, t, r: max(e - 4_000, 0) * PRICE, "You count executions"),
        (lambda e, t, r: max(e + r - 4_000, 0) * PRICE, "You count executions"),
        (lambda e, t, r: 12 * month(e, t, r), "a whole year"),
        (lambda e, t, r: (12 * (e * t + r) - 4_000) * PRICE, "a whole year"),
        (lambda e, t, r: (e * t + r - 4_000) * PRICE, "Nobody gets money back"),
        (lambda e, t, r: month(e, t + r, 0), "you count them for each"),
        (lambda e, t, r: 1_000 * month(e, t, r), "for a thousand transitions"),
        (lambda e, t, r: round(month(e, t, r), 2), "the right bill, rounded"),
        (lambda e, t, r: 1.0, "Multiply first"),
        (lambda e, t, r: "0.44", "not a number of dollars"),
        (lambda e: 0.44, "form that is asked for"),
    ],
)
def test_a_wrong_bill_is_told_what_was_forgotten(answer: Callable, words: str) -> None:
    verdict = check.month(answer)
    assert verdict.done is False
    assert words in verdict.words


def test_the_right_choice_counts() -> None:
    verdict = check.choose(RIGHT)
    assert verdict.done, verdict
    assert "$3,752.45" in verdict.words


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("approve a policy", "longer than the five minutes"),
        ("write the report of the night", "longer than the five minutes"),
        ("charge a card", "must be done once"),
        ("shrink a picture", "Standard could do it, for $749.90 a month"),
        ("note what a sensor says", "Standard could do it, for $2,999.90 a month"),
        ("welcome a new customer", "its transitions are all free"),
    ],
)
def test_a_wrong_choice_is_told_why(work: str, words: str) -> None:
    other = {"STANDARD": "EXPRESS", "EXPRESS": "STANDARD"}[RIGHT[work]]
    verdict = check.choose({**RIGHT, work: other})
    assert verdict.done is False
    assert verdict.words.startswith(repr(work))
    assert words in verdict.words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({**RIGHT, "shrink a picture": "express"}, "'express' is no type"),
        ({**RIGHT, "sing a song": "EXPRESS"}, "no work called 'sing a song'"),
        ({"approve a policy": "STANDARD"}, "no choice yet for 'shrink a picture'"),
        (["STANDARD"], "no choice yet"),
        (3, "form that is asked for"),
    ],
)
def test_an_answer_of_another_form_is_told_so(answer: object, words: str) -> None:
    verdict = check.choose(answer)
    assert verdict.done is False
    assert words in verdict.words


def test_work_that_waits_for_a_callback_is_no_work_for_express() -> None:
    assert "callback" in check.Workload(1, 1, 1, waits=True).obstacle


def test_dots_are_no_answer_yet() -> None:
    def unanswered(executions: int, transitions: int, retries: int) -> float: ...

    assert check.month(unanswered).done is None
    assert check.choose(...).done is None


def test_the_workloads_are_shown_as_a_table() -> None:
    shown = check.WORKLOADS._repr_html_()
    assert "40,000,000" in shown
    assert "86,400 s" in shown
    assert '<td style="text-align:right">2,000</td>' in shown
