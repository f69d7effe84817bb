"""Attacks on a validator: what the table says of a document is what IAM does with it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from helpers import attack, incident, policy, stack
from helpers.attack import Document
from helpers.incident import Mallory
from helpers.session import Session

RESTRICTED = ["s3:DeleteBucket", "s3:DeleteObject"]
READING = attack.documents("good")["reading"]


@pytest.fixture
def mallory(aws: Session, app: stack.App) -> Iterator[Mallory]:
    yield Mallory.hire(aws)
    Mallory.dismiss(aws)


def hasty(document: Document, restricted: list[str]) -> list[str]:
    return [entry for entry in restricted if entry in document["Statement"][0]["Action"]]


def inline(mallory: Mallory) -> list[str]:
    iam = mallory.session.client("iam")
    return iam.list_user_policies(UserName=mallory.USER)["PolicyNames"]


def test_every_sly_document_fools_a_hasty_validator_and_not_the_guard(mallory: Mallory) -> None:
    sly = attack.documents("sly")
    tried = attack.trials(mallory, hasty, sly)
    assert len(sly) == 8
    assert tried.fooled == list(sly)
    for trial in tried.rows:
        assert "s3:DeleteBucket" in trial.iam
        assert trial.guard == trial.iam
    assert "✓" in repr(tried)
    assert "crashes with KeyError" in tried._repr_html_()


def test_no_good_document_lets_her_through_and_the_guard_knows(mallory: Mallory) -> None:
    tried = attack.trials(mallory, hasty, attack.documents("good"))
    assert {(*trial.iam, *trial.guard) for trial in tried.rows} == {()}
    assert tried.fooled == ["a deny alone", "allowed and denied"]


def test_she_keeps_nothing_of_what_she_tried(mallory: Mallory) -> None:
    assert attack.allowed(mallory, incident.DOCUMENT, RESTRICTED) == ["s3:DeleteBucket"]
    assert inline(mallory) == []
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        attack.allowed(mallory, {"Statement": []}, RESTRICTED)
    assert inline(mallory) == []


def test_only_what_is_restricted_is_tried(mallory: Mallory) -> None:
    everything = attack.documents("sly")["everything"]
    assert attack.allowed(mallory, everything, ["s3:DeleteObject", "iam:*"]) == ["s3:DeleteObject"]


def test_who_is_hired_anew_has_no_policy_attached_nor_her_own(
    aws: Session, mallory: Mallory
) -> None:
    iam, document = aws.client("iam"), json.dumps(READING)
    iam.put_user_policy(UserName=mallory.USER, PolicyName="own", PolicyDocument=document)
    made = iam.create_policy(PolicyName="attached", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName=mallory.USER, PolicyArn=made)
    mallory = Mallory.hire(aws)
    iam.delete_policy(PolicyArn=made)  # refused where it is attached
    assert inline(mallory) == []


def test_a_second_change_has_an_execution_of_its_own(aws: Session, app: stack.App) -> None:
    iam = aws.client("iam")
    made = iam.create_policy(PolicyName=incident.POLICY, PolicyDocument=json.dumps(READING))
    first = incident.execution(aws, app)
    incident.wait_for_end(aws, first)
    bad = json.dumps(attack.documents("sly")["another letter case"])
    arn = made["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=bad, SetAsDefault=True)
    second = incident.execution(aws, app, after=first)
    incident.wait_for_question(aws, second)
    assert second != first
    assert [bool(version.grants) for version in policy.versions(aws)] == [False, False]


def test_a_validator_gets_a_copy_and_may_crash() -> None:
    document = {"Statement": [{"Action": []}]}

    def spoiling(given: Document, restricted: list[str]) -> list[str]:
        given["Statement"].clear()
        restricted.clear()
        return given["Statement"][0]

    restricted = list(RESTRICTED)
    assert attack.ask(spoiling, document, restricted).startswith("crashes with IndexError")
    assert (document, restricted) == ({"Statement": [{"Action": []}]}, RESTRICTED)
