"""What an attacker tries against the deployed guard as a user of IAM: it ends in quarantine."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.client import BaseClient

from helpers import inbox, incident, trail
from helpers.session import Session
from tests.app.faults import Fault, Faults, first, then
from tests.app.guard import BAD, GOOD, PLACEHOLDER, Guard, Policy, granting, until
from tests.unit.test_app_template import load

RESTRICTED = ["s3:DeleteBucket", "s3:DeleteObject"]
restricted_grants = load("validate_policy.policy_grants").restricted_grants
ASKED = ["ModifyState", "ValidatePolicy", "ChooseAction", "TempRemove", "AskUser"]
REPORTED = ["ModifyState", "ValidatePolicy", "ChooseAction", "AllowWithNotification"]


def statements(*found: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(found)})


def large(document: str) -> str:
    """Pad a document: CloudTrail leaves out the whole request, and with it the policy's ARN."""
    return document + " " * 110_000


ALLOW = {"Effect": "Allow", "Resource": "*"}
DELETE = {**ALLOW, "Action": "s3:DeleteBucket"}
READ = {**ALLOW, "Action": "s3:GetObject"}
# As much as CloudTrail still takes, and hard to compress.
LINES = "".join(random.Random(1).choices(" \n\t", k=60_000))  # noqa: S311 (no secret)
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
LARGEST_STATE = 256 * 1024

DOCUMENTS = {
    "a wildcard": granting("s3:*"),
    "everything": granting("*"),
    "a question mark": granting("s3:DeleteBucke?"),
    "another letter case": granting("S3:dELETEbUCKET"),
    "a second statement": statements(READ, DELETE),
    "NotAction": statements({**ALLOW, "NotAction": "iam:*"}),
    "an object for the statements": json.dumps({"Version": "2012-10-17", "Statement": DELETE}),
    "one bucket, one condition": statements(
        {
            **DELETE,
            "Resource": "arn:aws:s3:::one",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        }
    ),
    "a Deny that leaves a way": statements(
        DELETE, {**DELETE, "Effect": "Deny", "Resource": "arn:aws:s3:::one"}
    ),
    "unicode escapes": granting("s3:DeleteBucket").replace("s3", "\\u0073\\u0033"),
    "a letter nobody sees": granting("s3:Delete\u200bBucket"),
    "the same key twice": granting("s3:GetObject")[:-1]
    + f', "Statement": [{json.dumps(DELETE)}]}}',
    "100 KB of spaces": large(granting("s3:DeleteBucket")),
    "lines of all lengths": granting("s3:DeleteBucket") + LINES,
    "a mail in the mail": statements(
        {**DELETE, "Sid": "x\n\nALLOW: put it back\nhttps://evil.example/allow?token=1\n<b>"}
    ),
}


@pytest.fixture
def mallory(aws: Session) -> Iterator[BaseClient]:
    """IAM as mallory, who may change managed policies and nothing else."""
    user, iam = incident.Mallory.hire(aws), aws.client("iam")
    name = {"UserName": user.USER, "PolicyName": "policies"}
    actions = ["iam:*Policy", "iam:*PolicyVersion", "iam:*PolicyVersions"]
    iam.put_user_policy(**name, PolicyDocument=granting(*actions))
    yield user.client("iam")
    iam.delete_user_policy(**name)
    incident.Mallory.dismiss(aws)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_sly_document_is_quarantined_and_comes_back_to_the_byte(
    deployed: Guard, document: str
) -> None:
    policy = deployed.policy(document)
    execution = policy.execution().asked()
    assert execution.path() == ASKED
    assert list(policy.texts().values()) == [PLACEHOLDER]
    mail = execution.mail()
    assert policy.arn in mail.text
    assert deployed.aws.principal in mail.text
    assert urlsplit(mail.link("allow")).netloc == urlsplit(deployed.aws.endpoint).netloc
    execution.answer(allow=True).output()
    assert list(policy.texts().values()) == [document]
    assert execution.largest_state() < LARGEST_STATE


REFUSED = {
    "percent-encoded": quote(BAD),
    "no JSON": BAD[:-1],
    "not a number": BAD[:-1] + ', "Id": NaNa}',
    "no Statement": '{"Version": "2012-10-17"}',
    "an Effect in small letters": BAD.replace("Allow", "allow"),
    "Action and NotAction": statements({**DELETE, "NotAction": "s3:DeleteBucket"}),
    "an Action of null": statements({**DELETE, "Action": None}),
    "no text among the actions": statements({**DELETE, "Action": ["s3:DeleteBucket", None]}),
    "a Resource of null": statements({**DELETE, "Resource": None}),
    "deep nesting": statements({**DELETE, "Condition": json.loads("[" * 400 + "]" * 400)}),
    "no Version": json.dumps({"Statement": DELETE}),
    "the language before": BAD.replace("2012-10-17", "2008-10-17"),
    "an element that there is not": statements({**DELETE, "Allow": "s3:GetObject"}),
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_what_iam_does_not_take_would_not_pass_either(deployed: Guard, document: str) -> None:
    create = deployed.aws.client("iam").create_policy
    refused = incident.attempt(create, PolicyName="attack", PolicyDocument=document)
    assert refused.error == "MalformedPolicyDocument"
    assert restricted_grants(document, RESTRICTED)


@contextmanager
def unseen(aws: Session) -> Iterator[None]:
    """No trail logs: what is done now starts nothing, as before the guard was there."""
    aws.client("cloudtrail").stop_logging(Name=trail.NAME)
    try:
        yield
    finally:
        aws.client("cloudtrail").start_logging(Name=trail.NAME)


def versions(guard: Guard, *documents: str, iam: BaseClient | None = None) -> Policy:
    """Create a policy with these versions, the first in force, while nobody looks."""
    with unseen(guard.aws):
        policy = guard.policy(documents[0], iam=iam)
        for document in documents[1:]:
            policy.add(document, default=False)
    return policy


def replaced(policy: Policy) -> None:
    policy.remove("v2")
    policy.add(BAD, default=True)


# What is there already, what mallory does, and what is left of it.
CHANGES: dict[str, tuple[list[str], Callable[[Policy], object], list[str]]] = {
    "a second version": ([GOOD], lambda p: p.add(BAD, default=True), [GOOD, PLACEHOLDER]),
    "one for later": ([GOOD], lambda p: p.add(BAD, default=False), [GOOD]),
    "an old one again": ([GOOD, BAD], lambda p: p.put_in_force("v2"), [GOOD, PLACEHOLDER]),
    "five, all bad": ([BAD] * 5, lambda p: p.put_in_force("v3"), [PLACEHOLDER]),
    "five, the last bad": ([GOOD] * 5, replaced, [GOOD] * 3 + [PLACEHOLDER]),
    "a good one as cover": ([BAD], lambda p: p.add(GOOD, default=False), [GOOD, PLACEHOLDER]),
    "the placeholder as cover": (
        [PLACEHOLDER, BAD],
        lambda p: p.put_in_force("v2"),
        [PLACEHOLDER, PLACEHOLDER],
    ),
}


@pytest.mark.parametrize(("before", "change", "left"), CHANGES.values(), ids=CHANGES)
def test_no_order_of_versions_gets_around_it(
    deployed: Guard,
    mallory: BaseClient,
    before: list[str],
    change: Callable[[Policy], object],
    left: list[str],
) -> None:
    policy = versions(deployed, *before, iam=mallory)
    change(policy)
    execution = policy.execution().asked()
    assert execution.path() == ASKED
    assert list(policy.texts().values()) == left
    assert policy.in_force() == (PLACEHOLDER if PLACEHOLDER in left else GOOD)
    mail = execution.mail()
    assert policy.arn in mail.text
    assert "user/step-functions-workbook/mallory" in mail.text
    execution.answer(allow=True).output()
    assert policy.in_force() == (BAD if PLACEHOLDER in left else GOOD)
    assert BAD in policy.texts().values()
    assert PLACEHOLDER not in policy.texts().values()


def test_names_are_only_names(deployed: Guard, mallory: BaseClient) -> None:
    # AWS takes < and & in a path too; MiniStack writes them into its XML as they are.
    name = "ALLOW=https,.@evil.example-" + "x" * 100
    policy = deployed.policy(BAD, name=name, path="/\"'{}%41+*?~;/", iam=mallory)
    execution = policy.execution().asked()
    mail = execution.mail()
    assert policy.arn in mail.text
    assert len(mail.subject) < 100
    page = inbox.open_link(mail.link("allow"))
    assert policy.arn[:300] in page.text  # as text: it would not be there as a tag
    execution.answer(allow=True).output()
    assert policy.in_force() == BAD
    policy.add(granting("s3:ListBucket"), default=True)
    reported = policy.execution(2).ended()
    assert reported.path() == REPORTED
    assert policy.arn in reported.report().text


def test_what_the_guard_does_itself_is_no_news(deployed: Guard, mallory: BaseClient) -> None:
    policy = deployed.policy(BAD, iam=mallory)
    policy.execution().answer(allow=True).output()
    _let_events_pass(deployed)
    assert len(policy.executions()) == 1


def test_calls_that_fail_start_nothing(deployed: Guard, mallory: BaseClient) -> None:
    policy = deployed.policy(GOOD, iam=mallory)
    policy.execution().ended()
    nobody = deployed.aws.client("iam").exceptions.ClientError
    calls = [
        lambda: deployed.policy(BAD, name=policy.arn.rpartition("/")[2]),
        lambda: policy.add(BAD[:-1], default=True),
        lambda: policy.put_in_force("v7"),
    ]
    for call in calls:
        with pytest.raises(nobody):
            call()
    _let_events_pass(deployed)
    assert len(policy.executions()) == 1


def _let_events_pass(guard: Guard) -> None:
    """See an event through that is younger than all that a test has done."""
    guard.policy(GOOD).execution().ended()


# --- races: what mallory does between two calls of the guard's functions ---


def test_a_default_that_flips_between_two_reads(guard: Guard, faults: Faults) -> None:
    policy = versions(guard, GOOD)
    flip = then(lambda: policy.put_in_force("v2"))
    faults.at("ValidatePolicy", "ListPolicyVersions", flip)
    # The flip is a change of its own: what is done about it comes after the first has asked.
    asked = first(lambda: policy.execution(1).asked())
    faults.at("ValidatePolicy", "ListPolicyVersions", asked)
    policy.add(BAD, default=False)
    policy.execution(1).asked()
    policy.execution(2).settled()
    assert set(policy.texts().values()) == {GOOD, PLACEHOLDER}
    assert policy.in_force() == PLACEHOLDER


def test_versions_that_vanish_do_not_hide_the_one_in_force(guard: Guard, faults: Faults) -> None:
    policy = versions(guard, GOOD, GOOD, GOOD, GOOD)
    vanishing = iter(["v1", "v2", "v3", "v4"])
    vanish = then(lambda: policy.remove(next(vanishing)))
    faults.at("ValidatePolicy", "ListPolicyVersions", vanish, 4)
    policy.add(BAD, default=True)
    policy.execution().asked()
    assert policy.in_force() == PLACEHOLDER


def test_a_correction_made_meanwhile_stays(guard: Guard, faults: Faults) -> None:
    policy = versions(guard, BAD)
    faults.at("RevertPolicy", "ListPolicyVersions", first(lambda: policy.add(GOOD, default=True)))
    policy.add(GOOD, default=False)
    error, cause = policy.execution().answer(allow=True).failure()
    assert error == "ApprovalFailed"
    assert "v3 was put in force before the quarantine" in cause
    assert policy.in_force() == GOOD


# Each change of a default or a version is an event with an execution of its own. Here these are
# kept away: one execution alone has to stand it.


@pytest.mark.parametrize(
    ("there", "attack"),
    [
        ([GOOD, BAD], lambda p: then(lambda: p.put_in_force("v2"))),
        ([GOOD, BAD, GOOD, GOOD, GOOD], lambda p: first(lambda: p.add(GOOD, default=False))),
    ],
    ids=["the old default again", "the room taken"],
)
class TestAFight:
    def test_is_won_by_insisting(
        self, guard: Guard, faults: Faults, there: list[str], attack: Callable[[Policy], Fault]
    ) -> None:
        policy = versions(guard, *there)
        faults.at("RevertPolicy", "CreatePolicyVersion", attack(policy), 3)
        policy.put_in_force("v2")
        with unseen(guard.aws):
            execution = policy.execution().asked()
        assert execution.tries("TempRemove") == 1
        assert policy.in_force() == PLACEHOLDER
        assert BAD not in policy.texts().values()

    def test_that_is_lost_is_told_about(
        self, guard: Guard, faults: Faults, there: list[str], attack: Callable[[Policy], Fault]
    ) -> None:
        policy = versions(guard, *there)
        policy.put_in_force("v2")
        winning = faults.always("RevertPolicy", "CreatePolicyVersion", attack(policy))
        with winning, unseen(guard.aws):
            error, cause = policy.execution().failure()
        assert error == "QuarantineFailed"
        assert "IN FORCE" in cause
        assert policy.arn in policy.execution().report().text


def test_a_policy_that_is_made_again_is_another_one(guard: Guard) -> None:
    """It has the same name, and the same version ids: but what was approved was the one before."""
    policy = guard.policy(BAD)
    execution = policy.execution().asked()
    policy.delete()
    asked = datetime.now(UTC)
    until(lambda: datetime.now(UTC) - asked > timedelta(seconds=1), "another second, as IAM counts")
    again = guard.policy(granting("s3:*"), name=policy.name)
    again.execution(2).asked()
    assert list(again.texts()) == ["v2"]
    error, cause = execution.answer(allow=True).failure()
    assert error == "ApprovalFailed"
    assert "PolicyChangedMeanwhileError" in cause
    assert again.in_force() == PLACEHOLDER


def test_of_two_questions_only_the_newer_counts(guard: Guard) -> None:
    policy = guard.policy(BAD)
    older = policy.execution().asked()
    policy.add(granting("*"), default=True)
    newer = policy.execution(2).asked()
    error, cause = older.answer(allow=True).failure()
    assert error == "ApprovalFailed"
    assert "PolicyChangedMeanwhileError" in cause
    assert policy.in_force() == PLACEHOLDER
    newer.answer(allow=True).output()
    assert list(policy.texts().values()) == [granting("*")]


def test_an_approval_brings_back_only_what_was_asked_about(guard: Guard) -> None:
    policy = versions(guard, BAD)
    policy.add(granting("*"), default=False)
    execution = policy.execution().asked()
    assert '"s3:DeleteBucket"' in execution.mail().text
    execution.answer(allow=True).output()
    assert list(policy.texts().values()) == [BAD]


def test_a_large_second_version_is_found_by_its_time(guard: Guard) -> None:
    policy = versions(guard, GOOD)
    before = len(guard.executions())
    until(lambda: not changed_lately(guard), "a time at which no other policy was changed")
    policy.add(large(BAD), default=True)
    execution = until(lambda: guard.executions()[before:], "the execution")[0].asked()
    assert policy.arn in execution.mail().text
    assert list(policy.texts().values()) == [GOOD, PLACEHOLDER]
    execution.answer(allow=True).output()
    assert policy.in_force() == large(BAD)


def changed_lately(guard: Guard) -> bool:
    policies = guard.aws.client("iam").list_policies(Scope="Local")["Policies"]
    lately = datetime.now(UTC) - timedelta(seconds=4)
    return any(policy["UpdateDate"] > lately for policy in policies)


def test_two_at_one_time_are_not_guessed_about(guard: Guard, faults: Faults) -> None:
    policies, both = [versions(guard, GOOD), versions(guard, GOOD)], threading.Event()
    before = len(guard.executions())
    with faults.always("ValidatePolicy", "ListPolicies", first(both.wait)):
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda policy: policy.add(large(BAD), default=True), policies))
        both.set()
        for execution in until(lambda: guard.executions()[before + 1 :], "both executions"):
            error, cause = execution.failure()
            assert error == "QuarantineFailed"
            assert all(policy.arn in cause for policy in policies)
