"""What goes wrong on the way to a real account ends in a sentence that says what to do."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers import bucket, environment, incident, stack, trail
from helpers.errors import WorkbookError, explain
from helpers.session import REGION, Session, connect
from tests.account.playing import EVERYTHING, PlayingAccount, learner_policies
from tests.app.faults import Faults, refused

Enter = Callable[..., Session]


@pytest.fixture
def variables(account: PlayingAccount) -> dict[str, str]:
    """Those of somebody who may do everything in the account."""
    return account.user(EVERYTHING)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Choose the variables that the learner's shell has set."""
    return lambda variables: monkeypatch.setattr(environment, "_users_own", variables)


def _never(words: str) -> str:
    raise AssertionError(f"Nobody should be asked: {words}")


# --- who you are -----------------------------------------------------------------------------


NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
SSO = """
[profile work]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 111122223333
sso_role_name = learner
region = us-east-1
"""


def test_no_credentials(own: Callable[..., None]) -> None:
    own(NOWHERE)
    with pytest.raises(WorkbookError, match=r"no AWS credentials here.*aws configure.*sso login"):
        connect("aws", confirm=_never)


def test_a_program_that_was_never_isolated_has_its_credentials(
    account: PlayingAccount, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel of the workbook is isolated from its start; a script of a learner's is not."""
    monkeypatch.setattr(environment, "_users_own", None)
    for name in environment.current():
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WorkbookError, match="typed nothing"):
        connect("aws", confirm=lambda _: "")
    assert environment.current() == environment.unconnected()
    assert connect("aws", confirm=lambda _: account.number).account == account.number


def test_a_profile_that_is_not_there(own: Callable[..., None]) -> None:
    own({**NOWHERE, "AWS_PROFILE": "nobody"})
    with pytest.raises(WorkbookError, match=r"\(nobody\).*unset AWS_PROFILE"):
        connect("aws", confirm=_never)


def test_nobody_is_signed_in(
    own: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile of IAM Identity Center without a session: `aws sso login` was never run."""
    config = tmp_path / "config"
    config.write_text(SSO)
    monkeypatch.setenv("HOME", str(tmp_path))  # where the sessions are kept
    own({**NOWHERE, "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "work"})
    with pytest.raises(WorkbookError, match=r"signed out.*aws sso login"):
        connect("aws", confirm=_never)


def test_a_key_that_was_deleted(own: Callable[..., None], variables: dict[str, str]) -> None:
    own({**variables, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"})
    with pytest.raises(WorkbookError, match="does not know these credentials"):
        connect("aws", confirm=_never)


# --- the question ----------------------------------------------------------------------------


def _raising(error: BaseException) -> Callable[[str], str]:
    def ask(_: str) -> str:
        raise error

    return ask


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda _: "", "You typed nothing"),
        (lambda _: "  ", "You typed nothing"),
        (lambda _: "111122223333", "not the account's number"),
        (_raising(KeyboardInterrupt()), "You stopped before"),
    ],
    ids=["Enter", "spaces", "another number", "Ctrl-C"],
)
def test_who_does_not_type_the_number_has_done_nothing(
    ask: Callable[[str], str],
    words: str,
    own: Callable[..., None],
    account: PlayingAccount,
    variables: dict[str, str],
) -> None:
    own(variables)
    before = environment.current()
    with pytest.raises(WorkbookError, match=words) as refused:
        connect("aws", confirm=ask)
    assert f"Nothing was done in AWS. Run this cell again to type {account.number}" in str(
        refused.value
    )
    assert variables["AWS_ACCESS_KEY_ID"] not in environment.current().values()
    assert environment.current() == (before or environment.unconnected())


def test_a_notebook_that_runs_by_itself_uses_no_real_account(
    own: Callable[..., None], variables: dict[str, str]
) -> None:
    from IPython.core.error import StdinNotImplementedError

    own(variables)
    for error in (EOFError(), StdinNotImplementedError("no stdin")):
        with pytest.raises(WorkbookError, match="nobody here to type it"):
            connect("aws", confirm=_raising(error))


def _asked(own: Callable[..., None], variables: dict[str, str], number: str) -> str:
    own(variables)
    asked: list[str] = []

    def ask(words: str) -> str:
        asked.append(words)
        return number

    assert connect("aws", confirm=ask).region == REGION
    return asked[0]


def test_account_principal_and_cost_are_shown_before_anything_is_done(
    own: Callable[..., None], account: PlayingAccount, variables: dict[str, str]
) -> None:
    words = _asked(own, variables, account.number)
    assert f"REAL AWS account: {account.number}" in words
    assert f"arn:aws:iam::{account.number}:user/learner" in words
    assert "7 state transitions. 4,000 a month are free" in words
    assert re.search(r"\$0\.000025 in us-east-1 \(seen \d{4}-\d\d-\d\d\)", words)
    assert "10_clean_up deletes" in words
    assert "region" not in words.split("\n", 1)[1].replace("Step Functions", "")


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_another_region_is_said_and_not_used(
    name: str, own: Callable[..., None], account: PlayingAccount, variables: dict[str, str]
) -> None:
    words = _asked(own, {**variables, name: "eu-central-1"}, account.number)
    assert "Your settings name the region eu-central-1. It is not used" in words
    assert "AWS_REGION" not in os.environ
    assert os.environ["AWS_DEFAULT_REGION"] == REGION


def test_a_profile_s_region_is_said_too(
    own: Callable[..., None], account: PlayingAccount, variables: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile far]\nregion = ap-southeast-2\n")
    far = {**variables, "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "far"}
    words = _asked(own, far, account.number)
    assert "Your settings name the region ap-southeast-2" in words


# --- later -----------------------------------------------------------------------------------


@pytest.fixture
def faults(account: PlayingAccount) -> Iterator[Faults]:
    """A proxy before the account, where chosen calls are refused."""
    found = Faults(str(account.root.endpoint))
    yield found
    found.close()


def _sentence(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    sentence = explain(refused.value)
    assert sentence is not None
    return sentence


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired"])
def test_credentials_that_expire_on_the_way(
    code: str,
    account: PlayingAccount,
    variables: dict[str, str],
    enter: Enter,
    faults: Faults,
) -> None:
    aws = enter({**variables, "AWS_ENDPOINT_URL_IAM": faults.address}, account.number)
    assert not incident.policies(aws)
    expired = refused(code, "The security token included in the request is expired", 403)
    with faults.always("", "ListPolicies", expired):
        sentence = _sentence(aws.client("iam").list_policies)
    assert "credentials have expired: sign in (`aws sso login`, or" in sentence
    assert "What exists in the account is still there" in sentence
    assert not incident.policies(aws)


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "TooManyRequestsException"])
def test_a_call_that_is_throttled_is_tried_again_and_then_a_sentence(
    code: str,
    account: PlayingAccount,
    variables: dict[str, str],
    enter: Enter,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    aws = enter({**variables, "AWS_ENDPOINT_URL_IAM": faults.address}, account.number)
    faults.at("", "ListUsers", refused(code), times=4)
    assert "Users" in aws.client("iam").list_users()
    faults.at("", "ListUsers", refused(code), times=5)
    sentence = _sentence(aws.client("iam").list_users)
    assert f"refused ListUsers ({code})" in sentence
    assert "wait a minute, then run this cell again" in sentence


def test_what_is_missing_is_named_with_the_policy_that_has_it(
    account: PlayingAccount, enter: Enter
) -> None:
    aws = enter(account.user(), account.number)
    for call, arguments, words in (
        (aws.client("iam").list_policies, {}, "iam:ListPolicies"),
        (aws.client("sns").list_topics, {}, "sns:ListTopics"),
        (aws.client("s3").list_buckets, {}, "s3:ListAllMyBuckets"),
        (aws.client("logs").describe_log_groups, {}, "logs:DescribeLogGroups"),
        (aws.client("stepfunctions").list_state_machines, {}, "states:ListStateMachines"),
        (aws.client("cloudformation").list_stacks, {}, "cloudformation:ListStacks"),
    ):
        sentence = _sentence(call, **arguments)
        assert f"is not authorized to perform: {words} " in sentence
        assert "need it by: data/learner-policy.json. " in sentence
        assert "docs/REAL_ACCOUNT.md" in sentence


def test_what_a_later_lesson_needs_is_named_with_its_policy(
    account: PlayingAccount, enter: Enter
) -> None:
    aws = enter(account.user(learner_policies()["learner-policy"]), account.number)
    states = aws.client("stepfunctions")
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    sentence = _sentence(states.validate_state_machine_definition, definition=definition)
    assert "need it by: data/learner-policy-lessons.json. " in sentence


def test_what_no_lesson_needs_is_said_to_be_so(account: PlayingAccount, enter: Enter) -> None:
    aws = enter(account.user(), account.number)
    sentence = _sentence(aws.client("iam").list_groups)
    assert "The lessons need no more than data/learner-policy.json" in sentence


def test_an_explicit_deny_is_no_matter_of_the_learner_s_policy(
    account: PlayingAccount, enter: Enter
) -> None:
    deny = {"Effect": "Deny", "Action": "iam:ListPolicies", "Resource": "*"}
    denying = {"Version": "2012-10-17", "Statement": [deny]}
    aws = enter(account.user(EVERYTHING, denying), account.number)
    assert "ask who administers the account" in _sentence(aws.client("iam").list_policies)


def test_mallory_is_told_what_she_is(account: PlayingAccount, variables, enter: Enter) -> None:
    aws = enter(variables, account.number)
    mallory = incident.Mallory.hire(aws)
    assert "That is mallory" in _sentence(mallory.client("iam").list_policies)


def test_a_trail_that_is_missing_and_may_not_be_made(account: PlayingAccount, enter: Enter) -> None:
    policy = learner_policies()["learner-policy"]
    policy["Statement"] = [s for s in policy["Statement"] if s["Sid"] != "MakeTrail"]
    aws = enter(account.user(policy), account.number)
    with pytest.raises(WorkbookError) as refused:
        trail.ensure(aws)
    assert "No trail logs this account's changes" in str(refused.value)
    assert "need it by: data/learner-policy.json. " in str(refused.value)


def test_a_trail_of_somebody_else_s_is_used_and_left_alone(
    account: PlayingAccount, enter: Enter
) -> None:
    cloudtrail, s3 = account.root.client("cloudtrail"), account.root.client("s3")
    bucket.ensure(account.root)
    arn = f"arn:aws:cloudtrail:{REGION}:{account.number}:trail/theirs"
    bucket.allow_cloudtrail(account.root, arn)
    cloudtrail.create_trail(Name="theirs", S3BucketName=bucket.name(account.root))
    cloudtrail.start_logging(Name="theirs")
    policy = learner_policies()["learner-policy"]
    aws = enter(account.user(policy), account.number)
    assert trail.ensure(aws) == "theirs"
    assert not trail.delete(aws)
    assert s3.head_bucket(Bucket=bucket.name(account.root))
    assert trail.logging(aws) == "theirs"


def test_a_real_account_is_not_changed_by_the_way(
    account: PlayingAccount, variables: dict[str, str], enter: Enter
) -> None:
    """A lesson that finds no app deploys it locally; here it says which notebook does."""
    aws = enter(variables, account.number)
    with pytest.raises(WorkbookError, match=r"Run the notebook 01_deploy_the_app first\.$"):
        stack.require(aws)


def test_a_name_of_somebody_else_s_user_is_left_alone(
    account: PlayingAccount, variables: dict[str, str], enter: Enter
) -> None:
    account.root.client("iam").create_user(UserName="mallory")
    aws = enter(variables, account.number)
    with pytest.raises(WorkbookError, match=r"not the workbook's\. It is left alone"):
        incident.Mallory.hire(aws)
