"""The steps of a state's data, as TestState tells them."""

from __future__ import annotations

import pytest

from helpers import stages
from helpers.errors import WorkbookError

TASK = {
    "status": "SUCCEEDED",
    "inspectionData": {
        "result": '{"action": "alert"}',
        "input": '{"a": {"b": "<b>"}}',
        "afterInputPath": '{"b":"<b>"}',
        "afterParameters": '{"b":"<b>"}',
        "afterResultSelector": '{"action":"alert"}',
        "afterResultPath": '{"a":{"b":"<b>"},"r":{"action":"alert"}}',
    },
    "output": '{"a":{"b":"<b>"},"r":{"action":"alert"}}',
}


def test_the_steps_are_in_their_order_and_what_changed_nothing_says_so() -> None:
    assert stages.of(TASK).rows == [
        ("the input", '{"a": {"b": "<b>"}}'),
        ("after InputPath", '{"b": "<b>"}'),
        ("after Parameters", stages.AS_BEFORE),
        ("the result", '{"action": "alert"}'),
        ("after ResultSelector", stages.AS_BEFORE),
        ("after ResultPath", '{"a": {"b": "<b>"}, "r": {"action": "alert"}}'),
        ("the output", '{"a": {"b": "<b>"}, "r": {"action": "alert"}}'),
    ]


def test_a_result_is_shown_whole_even_where_it_is_the_input() -> None:
    told = {"inspectionData": {"input": "1", "result": "1"}, "output": "1"}
    assert [data for _, data in stages.of(told).rows] == ["1", "1", "1"]


def test_variables_and_an_error_are_shown() -> None:
    seen = {"input": "{}", "variables": '{"n": 1}'}
    failed = stages.of({"inspectionData": seen, "error": "E", "cause": "C"})
    assert failed["the variables"] == '{"n": 1}'
    assert failed["the error"] == "E: C"


def test_it_is_shown_as_text_and_as_a_table() -> None:
    shown = stages.of(TASK)
    assert repr(shown).splitlines()[1] == 'after InputPath       {"b": "<b>"}'
    assert "&lt;b&gt;" in shown._repr_html_()
    assert "<b>" not in shown._repr_html_()


def test_without_debug_there_is_nothing_to_show() -> None:
    with pytest.raises(WorkbookError, match="DEBUG"):
        stages.of({"status": "SUCCEEDED", "output": "1"})
