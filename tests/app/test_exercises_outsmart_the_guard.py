"""The exercises of 07: IAM and the guard judge, and each kind of wrong answer has its sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from helpers import attack, incident, stack
from helpers.exercises import outsmart_the_guard as check
from helpers.incident import Mallory
from helpers.session import Session

ALLOW = {"Effect": "Allow", "Resource": "*"}
DENY = {"Effect": "Deny", "Resource": "*"}
READ = {**ALLOW, "Action": ["s3:GetObject"]}


@pytest.fixture
def mallory(aws: Session, app: stack.App) -> Iterator[Mallory]:
    yield Mallory.hire(aws)
    Mallory.dismiss(aws)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def naive(found: dict[str, Any], restricted: list[str]) -> list[str]:
    actions = found["Statement"][0]["Action"]
    return [action for action in restricted if action in actions]


ATTACKS = {
    "a star in the middle": document({**ALLOW, "Action": ["s3:D*Bucket"]}),
    "a second statement with a wildcard": document(READ, {**ALLOW, "Action": "S3:DeleteB*"}),
    "everything but one": document({**ALLOW, "NotAction": "s3:GetObject"}),
}


@pytest.mark.parametrize("answer", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_that_works_counts(mallory: Mallory, answer: dict) -> None:
    verdict = check.attack_of_your_own(mallory, naive, answer)
    assert verdict.done, verdict
    assert "s3:DeleteBucket" in verdict.words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (incident.DOCUMENT, "the naive validator finds s3:DeleteBucket"),
        (document(READ), "nothing in it grants"),
        (document({**DENY, "Action": "s3:*"}), "nothing in it grants"),
        (document({**ALLOW, "Action": "s3:*"}, {**DENY, "Action": "*"}), "explicit deny wins"),
        (
            document({**ALLOW, "Action": "s3:*", "Resource": "arn:aws:s3:::another"}),
            "every Resource",
        ),
        (document({**READ, "Effect": "allow"}), "IAM takes no such document: Statement 0"),
        (document(), "IAM takes no such document"),
        (attack.documents("sly")["a star"], "one of the documents of the table"),
        (["s3:*"], "IAM takes no such document"),
    ],
)
def test_one_that_does_not_is_told_why(mallory: Mallory, answer: dict, words: str) -> None:
    verdict = check.attack_of_your_own(mallory, naive, answer)
    assert verdict.done is False
    assert words in verdict.words


def test_a_false_alarm_counts_in_any_order(mallory: Mallory) -> None:
    deny, allow = {**DENY, "Action": ["s3:DeleteObject"]}, {**ALLOW, "Action": ["s3:Get*"]}
    both = {**ALLOW, "Action": ["s3:DeleteBucket", "s3:GetObject"]}
    for answer in (document(deny, allow), document(both, {**DENY, "NotAction": "s3:Get*"})):
        verdict = check.looks_dangerous(mallory, naive, answer)
        assert verdict.done, verdict
        assert "would raise the alarm over s3:Delete" in verdict.words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (incident.DOCUMENT, "It is dangerous: with it mallory can do s3:DeleteBucket"),
        (
            document(
                {**ALLOW, "Action": ["s3:DeleteBucket"], "Resource": "arn:aws:s3:::another"}, READ
            ),
            "the guard still finds s3:DeleteBucket",
        ),
        (document(READ), "It does not look dangerous"),
        (document({**DENY, "NotAction": ["s3:GetObject"]}, READ), "crashes with KeyError"),
        (document({**DENY, "Action": ["s3:DeleteBucket"]}), "of no use to anybody"),
        (attack.documents("good")["allowed and denied"], "one of the documents of the table"),
        (document({**READ, "NotAction": "iam:*"}), "IAM takes no such document"),
    ],
)
def test_no_false_alarm_is_told_why(mallory: Mallory, answer: dict, words: str) -> None:
    verdict = check.looks_dangerous(mallory, naive, answer)
    assert verdict.done is False
    assert words in verdict.words


# Validators: each of them stops at the next step. -------------------------------------------------


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def _covers(statement: dict, action: str) -> bool:
    patterns = _listed(statement.get("Action", statement.get("NotAction")))
    named = any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
    return named == ("Action" in statement)


def _granting(counts: Callable[[dict], bool]) -> Callable[[dict, list[str]], list[str]]:
    """Make a validator that takes a Deny into account where it `counts`."""

    def validator(found: dict, restricted: list[str]) -> list[str]:
        statements = _listed(found["Statement"])
        allows = [s for s in statements if s["Effect"] == "Allow"]
        denies = [s for s in statements if s["Effect"] == "Deny" and counts(s)]
        return [
            action
            for action in restricted
            if any(_covers(s, action) for s in allows)
            and not any(_covers(s, action) for s in denies)
        ]

    return validator


def _names_only(found: dict, restricted: list[str]) -> list[str]:
    named = [a for s in _listed(found["Statement"]) for a in _listed(s.get("Action", []))]
    return [action for action in restricted if action in named]


def _without_case(found: dict, restricted: list[str]) -> list[str]:
    named = [a for s in _listed(found["Statement"]) for a in _listed(s.get("Action", []))]
    return [a for a in restricted if any(fnmatchcase(a, pattern) for pattern in named)]


def _everything(found: dict, restricted: list[str]) -> list[str]:
    return list(restricted)


def _by_heart(found: dict, restricted: list[str]) -> list[str]:
    known = {repr(d): restricted for d in attack.documents("sly").values()}
    for name in ("a question mark", "another letter case", "a second statement"):
        known[repr(attack.documents("sly")[name])] = ["s3:DeleteBucket"]
    known[repr(attack.documents("sly")["a statement without a list"])] = ["s3:DeleteBucket"]
    known[repr(incident.DOCUMENT)] = ["s3:DeleteBucket"]
    return known.get(repr(found), [])


def _only_harmless(found: dict, restricted: list[str]) -> list[str]:
    return []


def _yes(found: dict, restricted: list[str]) -> bool:
    return True


def test_a_validator_that_understands_counts(mallory: Mallory) -> None:
    right = _granting(lambda s: s["Resource"] == "*" and "Condition" not in s)
    verdict = check.better(mallory, right)
    assert verdict.done, verdict


@pytest.mark.parametrize(
    ("validator", "words"),
    [
        (naive, "'a star' gets past it"),
        (_names_only, "'a star' gets past it"),
        (_without_case, "'another letter case' gets past it"),
        (_only_harmless, "'the first bad policy' gets past it"),
        (_everything, "'the first bad policy' is refused for s3:DeleteObject"),
        (_granting(lambda s: True), "'a deny that leaves a way' gets past it"),
        (_granting(lambda s: False), "'allowed and denied' is refused for s3:DeleteBucket"),
        (_granting(lambda s: s["Resource"] == "*"), "'a deny for some' gets past it"),
        (_by_heart, "'a mixture' gets past it"),
        (lambda found, restricted: found["Nothing"], "crashes with KeyError"),
        (_yes, "not a list"),
    ],
)
def test_a_validator_that_does_not_is_told_where(
    mallory: Mallory, validator: Callable, words: str
) -> None:
    verdict = check.better(mallory, validator)
    assert verdict.done is False
    assert words in verdict.words


def test_dots_are_no_answer_yet(mallory: Mallory) -> None:
    def better(found: dict, restricted: list[str]) -> list[str]:
        """Name them."""
        ...  # noqa: PIE790 - as a starter is made

    assert check.attack_of_your_own(mallory, naive, ...).done is None
    assert check.looks_dangerous(mallory, naive, document({**READ, "Action": ...})).done is None
    assert check.better(mallory, better).done is None
