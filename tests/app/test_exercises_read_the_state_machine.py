"""The checks of 02_read_the_state_machine: right answers are right, mistakes have their words."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from helpers import laboratory
from helpers.exercise import OPEN, Verdict
from helpers.exercises import read_the_state_machine as check
from helpers.localaws.record import CHECKOUT
from helpers.session import Session

BROKEN = json.loads((CHECKOUT / "notebooks/definitions/02_broken.asl.json").read_text())
EVERY_TYPE = (CHECKOUT / "notebooks/definitions/02_every_type.asl.json").read_text()
SEVERITY = {"Variable": "$.severity"}
PRESENT, HIGH = {**SEVERITY, "IsPresent": True}, {**SEVERITY, "NumericGreaterThanEquals": 8}
WAKE = {"Next": "WakeSomebody"}


@pytest.fixture(scope="module", autouse=True)
def _put_away(lasting_aws: Session) -> Iterator[None]:
    yield
    laboratory.delete(lasting_aws)


def right(verdict: Verdict) -> None:
    assert verdict.done is True, verdict.words


def wrong(verdict: Verdict, words: str) -> None:
    assert verdict.done is False
    assert words in verdict.words


def test_dots_are_no_answer_yet(aws: Session) -> None:
    unfinished = copy.deepcopy(BROKEN)
    unfinished["States"]["Judge"]["Next"] = ...
    for verdict in (
        check.choice(aws, ...),
        check.beside(aws, ...),
        check.mended(aws, unfinished),
        check.output(aws, ...),
    ):
        assert verdict == Verdict(None, OPEN)


@pytest.mark.parametrize(
    "rule",
    [
        {"And": [PRESENT, HIGH], **WAKE},
        {"And": [PRESENT, {**SEVERITY, "IsNumeric": True}, HIGH], **WAKE},
        {
            "And": [
                PRESENT,
                {**SEVERITY, "IsNumeric": True},
                {"Not": {**SEVERITY, "NumericLessThan": 8}},
            ],
            **WAKE,
        },
        {
            "Condition": "{% $type($states.input.severity) = 'number' "
            "and $states.input.severity >= 8 %}",
            **WAKE,
        },
    ],
)
def test_a_right_rule(aws: Session, rule: dict[str, Any]) -> None:
    right(check.choice(aws, rule))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({**HIGH, **WAKE}, "the state fails. States.Runtime: "),
        ({"And": [PRESENT, {**SEVERITY, "NumericGreaterThan": 8}], **WAKE}, '{"severity": 8} it'),
        ({**PRESENT, **WAKE}, '{"severity": 7} it leads to WakeSomebody'),
        (
            {"And": [PRESENT, {"Not": {**SEVERITY, "NumericLessThan": 8}}], **WAKE},
            '{"severity": "high"} it leads to WakeSomebody',
        ),
        ({"And": [PRESENT, HIGH], "Next": "WakeUp"}, "no such state"),
        ({"And": [PRESENT, HIGH]}, "does not take it for a state"),
        ({"And": [PRESENT, {**SEVERITY, "GreaterThan": 8}], **WAKE}, "does not take it"),
        (8, "form that is asked for"),
    ],
)
def test_a_wrong_rule(aws: Session, rule: Any, words: str) -> None:
    wrong(check.choice(aws, rule), words)


@pytest.mark.parametrize(
    "fields",
    [
        {"ResultSelector": {"action.$": "$.action"}, "ResultPath": "$.verdict"},
        {"ResultSelector": {"action.$": "$['action']"}, "ResultPath": "$['verdict']"},
        {
            "QueryLanguage": "JSONata",
            "Output": "{% $merge([$states.input, {'verdict': "
            "{'action': $states.result.action}}]) %}",
        },
    ],
)
def test_right_fields(aws: Session, fields: dict[str, Any]) -> None:
    right(check.beside(aws, fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "is lost"),
        ({"ResultSelector": {"action.$": "$.action"}}, "is lost"),
        ({"ResultPath": "$.verdict", "OutputPath": "$.verdict"}, "is lost"),
        ({"ResultPath": None}, "Nothing is under `verdict`"),
        ({"ResultPath": "$.verdict"}, "more in it than was asked for"),
        (
            {"ResultSelector": {"action.$": "$.action"}, "ResultPath": "$.verdict.action"},
            "`verdict.action` is {'action'",
        ),
        (
            {"ResultSelector": {"action": "$.action"}, "ResultPath": "$.verdict"},
            "is the text '$.action': Step Functions takes a path",
        ),
        (
            {"ResultSelector": {"kind.$": "$.action"}, "ResultPath": "$.verdict"},
            "no `action` under `verdict`",
        ),
        (
            {"ResultSelector": {"action.$": "$.verdict"}, "ResultPath": "$.verdict"},
            "the state fails",
        ),
        ({"ResultPath": "verdict"}, "does not take it for a state"),
        ([], "form that is asked for"),
    ],
)
def test_wrong_fields(aws: Session, fields: Any, words: str) -> None:
    wrong(check.beside(aws, fields), words)


def mend(path: str = "$.validation.action", **states: Any) -> dict[str, Any]:
    mended = copy.deepcopy(BROKEN)
    rule = {"Variable": path, "StringEquals": "remedy", "Next": "Quarantine"}
    mended["States"]["Judge"]["Next"] = "Choose"
    mended["States"]["Choose"]["Choices"] = [rule]
    mended["States"]["Quarantine"]["Next"] = "Tell"
    mended["States"]["Tell"] = {"Type": "Succeed"}
    mended["States"].update(states)
    return mended


def test_what_is_mended_in_any_way_is_right(aws: Session) -> None:
    right(check.mended(aws, mend()))
    right(check.mended(aws, mend(Quarantine={"Type": "Pass", "Result": "done", "End": True})))
    right(check.mended(aws, mend(Tell={"Type": "Pass", "End": True})))


def test_what_is_not_valid_yet_is_told_with_its_place(aws: Session) -> None:
    wrong(check.mended(aws, BROKEN), "/States/Judge/Next: Missing 'Next' target: Chose")
    wrong(check.mended(aws, BROKEN), "(And 6 more.)")
    wrong(check.mended(aws, mend(Tell={"Type": "Succeed", "End": True})), "/States/Tell: ")


def test_what_is_valid_and_wrong_is_found_by_running_it(aws: Session) -> None:
    misspelt = check.mended(aws, mend("$.validaton.action"))
    wrong(misspelt, 'valid, but with the input {"action": "remedy"} the execution ends FAILED')
    wrong(misspelt, "$.validaton.action")
    never = {"Variable": "$.validation.action", "StringEquals": "Remedy", "Next": "Quarantine"}
    choose = {"Type": "Choice", "Choices": [never], "Default": "Tell"}
    wrong(check.mended(aws, mend(Choose=choose)), '{"action": "remedy"} it passes by Quarantine')
    always = {"Variable": "$.validation.action", "IsPresent": True, "Next": "Quarantine"}
    choose = {"Type": "Choice", "Choices": [always], "Default": "Tell"}
    wrong(check.mended(aws, mend(Choose=choose)), '{"action": "alert"} it goes through Quarantine')
    wrong(check.mended(aws, mend(Tell={"Type": "Fail", "Error": "E"})), "ends FAILED. E")


COUNT = "{% $count($states.input.actions) %}"


@pytest.mark.parametrize(
    "output",
    [
        {
            "count": COUNT,
            "deletes": "{% [$states.input.actions[$contains('Delete')]] %}",
        },
        "{% {'count': $count($states.input.actions), "
        "'deletes': [$filter($states.input.actions, function($a) {$contains($a, 'Delete')})]} %}",
    ],
)
def test_a_right_output(aws: Session, output: Any) -> None:
    right(check.output(aws, output))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (
            {"count": COUNT, "deletes": "{% $states.input.actions[$contains('Delete')] %}"},
            '`deletes` is "s3:DeleteBucket", and not a list',
        ),
        (
            {"count": COUNT, "deletes": "{% $states.input.actions[$contains('Deleted')] %}"},
            "the state fails. States.QueryEvaluationError",
        ),
        ({"count": COUNT, "deletes": "{% $states.input.actions %}"}, '`deletes` is ["s3:Get'),
        ({"count": 3, "deletes": "{% [$states.input.actions[$contains('Delete')]] %}"}, "is 3"),
        ({"count": COUNT}, "no `deletes`"),
        ({"count": "$count($states.input.actions)", "deletes": []}, "saw no expression"),
        ({"count.$": "States.ArrayLength($.actions)", "deletes": []}, "no `count`"),
        (COUNT, "`count` and `deletes` are missing"),
        (
            {
                "count": COUNT,
                "deletes": "{% [$states.input.actions[$contains('Delete')]] %}",
                "more": 1,
            },
            "more in it",
        ),
        ({"count": "{% $count( %}", "deletes": []}, "Step Functions does not take it"),
    ],
)
def test_a_wrong_output(aws: Session, output: Any, words: str) -> None:
    wrong(check.output(aws, output), words)


def test_the_machine_of_the_lesson_has_all_eight_types(aws: Session) -> None:
    kinds = set(_types(json.loads(EVERY_TYPE)))
    assert kinds == {"Task", "Choice", "Pass", "Wait", "Parallel", "Map", "Succeed", "Fail"}
    states = aws.client("stepfunctions")
    assert states.validate_state_machine_definition(definition=EVERY_TYPE)["diagnostics"] == []


def _types(machine: dict[str, Any]) -> Iterator[str]:
    for state in machine["States"].values():
        yield state["Type"]
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            if inner:
                yield from _types(inner)
