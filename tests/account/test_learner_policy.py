"""The learner's policies in a real account: enough for the lessons, and no statement too many.

IAM is enforced, by CloudFormation too: what it does for a learner, the learner must be allowed.
What only AWS itself could prove is in docs/REAL_ACCOUNT.md.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest

from helpers.errors import explain
from helpers.session import Session
from tests.account.course import EPISODE, LESSONS, Course, Package, QuickCourse, Step, first_failure
from tests.account.playing import POLICIES, PlayingAccount, Policy, learner_policies

Enter = Callable[..., Session]

# Without this statement, this step fails.
NEEDED_BY = {
    "LookAround": Course.make_the_trail,
    "ReadTrails": Course.check_all_is_ready,
    "MakeTrail": Course.make_the_trail,
    "Buckets": Course.make_the_trail,
    "Objects": Course.package_the_code,
    "Stack": Course.propose,
    "ExpandTemplate": Course.propose,
    "StackRoles": Course.deploy,
    "StackRolesLogs": Course.deploy,
    "PassStackRoles": Course.deploy,
    "Functions": Course.deploy,
    "Api": Course.deploy,
    "Machine": Course.deploy,
    "Executions": Course.find_the_execution,
    "AnswerAndTry": Course.deny,
    "Rule": Course.deploy,
    "Topic": Course.deploy,
    "Logs": Course.read_a_step_s_log,
    "BadPolicies": Course.create_the_policy,
    "Mallory": Course.hire_mallory,
    "LookForMallory": Course.hire_mallory,
    "BadPoliciesForMallory": Course.attach_the_policy,
    "LessonRoles": Course.make_a_function,
    "LookForLessonRoles": Course.make_a_function,
    "PassLessonRoles": Course.make_a_function,
    "LessonFunctions": Course.make_a_function,
    "LessonMachines": Course.make_a_machine,
    "LessonExecutions": Course.run_it,
    "LessonLogs": Course.read_its_log,
    "WithoutResource": Course.check_a_definition,
    "LessonActivities": Course.make_an_activity,
    "LessonMapRuns": Course.map_distributed,
    "LessonStack": Course.deploy_an_activity,
    "MalloryOwnPolicies": Course.attack_with_her_own,
    "PoliciesOfAStorm": Course.make_a_storm,
}


def _course(account: PlayingAccount, enter: Enter, *policies: Policy) -> Course:
    return Course(enter(account.user(*policies), account.number), account.root)


def _statements(name: str) -> list[str]:
    return [statement["Sid"] for statement in learner_policies()[name]["Statement"]]


@pytest.fixture(scope="module")
def package(lasting_aws: Session) -> Package:
    return Package.made(lasting_aws)


def test_the_episode_passes_under_the_learner_s_policy_alone(
    account: PlayingAccount, enter: Enter
) -> None:
    course = _course(account, enter, learner_policies()["learner-policy"])
    for step in EPISODE:
        step(course)


def test_the_lessons_pass_under_both(account: PlayingAccount, enter: Enter) -> None:
    course = _course(account, enter, *learner_policies().values())
    for step in LESSONS:
        step(course)


@pytest.mark.parametrize("sid", NEEDED_BY)
def test_without_a_statement_a_step_fails(
    sid: str, account: PlayingAccount, enter: Enter, package: Package
) -> None:
    policies = copy.deepcopy(learner_policies())
    for policy in policies.values():
        policy["Statement"] = [s for s in policy["Statement"] if s["Sid"] != sid]
    steps: tuple[Step, ...] = LESSONS if sid in _statements("learner-policy-lessons") else EPISODE
    aws = enter(account.user(*policies.values()), account.number)
    failure = first_failure(QuickCourse(aws, account.root, package=package), steps)
    assert failure is not None, f"Nothing needs {sid}"
    step, error = failure
    assert step == NEEDED_BY[sid].__name__, error
    sentence = explain(error)
    assert sentence, error
    assert "policy" in sentence


def test_every_statement_has_its_step() -> None:
    assert set(NEEDED_BY) == {sid for name in POLICIES for sid in _statements(name)}


@pytest.mark.parametrize("name", POLICIES)
def test_it_fits_into_a_managed_policy(name: str) -> None:
    """6,144 characters, white space not counted.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    text = json.dumps(learner_policies()[name], separators=(",", ":"))
    assert len(text) <= 6_144
