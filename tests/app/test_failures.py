"""What the deployed guard does when something fails: the way an execution goes, from its history.

Faults are real where they can be: a statement is taken out of a role, a policy is deleted. Where
AWS itself has to fail, it does so on the way there (faults.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from helpers import inbox
from tests.app.faults import Fault, Faults, first, lost, refused, then
from tests.app.guard import BAD, GOOD, PLACEHOLDER, Execution, Guard, Policy, until

JUDGED = ["ModifyState", "ValidatePolicy", "ChooseAction"]
REPORTED = [*JUDGED, "AllowWithNotification"]
ASKED = [*JUDGED, "TempRemove", "AskUser"]
UNJUDGED = ["ModifyState", "ValidatePolicy", "TempRemove", "AskUser"]
ALARM = ["RaiseAlarm", "NeedsAttention"]

Broken = Callable[[Guard, Faults], AbstractContextManager[object]]
throttled = refused("Throttling")
down = refused("ServiceUnavailable", "Service is unavailable.", 503)
case = pytest.param


def alarmed(execution: Execution, path: list[str], error: str, *words: str) -> None:
    """Check that an execution goes this way, fails, and mails what a person has to know."""
    failure, cause = execution.failure()
    assert failure == error
    assert execution.path() == [*path, error, *ALARM]
    report = execution.report()
    assert error in report.subject
    for told in (cause, report.text):
        assert all(word in told for word in words), told


# --- failures that pass ---


@pytest.mark.parametrize(
    ("state", "function", "operation", "fault"),
    [
        case("ValidatePolicy", "ValidatePolicy", "ListPolicyVersions", throttled, id="listing"),
        case("ValidatePolicy", "ValidatePolicy", "GetPolicyVersion", down, id="reading"),
        case("TempRemove", "RevertPolicy", "ListPolicyVersions", down, id="quarantine"),
        case("TempRemove", "RevertPolicy", "DeletePolicyVersion", throttled, id="half of it"),
        case("TempRemove", "RevertPolicy", "CreatePolicyVersion", lost, id="half, unheard"),
        case("TempRemove", "RevertPolicy", "DeletePolicyVersion", lost, id="all, unheard"),
        case("AskUser", "AskUser", "Publish", down, id="mail"),
        case("AskUser", "AskUser", "Publish", lost, id="mail, unheard"),
        case("Approved", "PolicyChangerApprove", "CreatePolicyVersion", throttled, id="approval"),
        case("Approved", "PolicyChangerApprove", "CreatePolicyVersion", lost, id="half approved"),
        case("Approved", "PolicyChangerApprove", "DeletePolicyVersion", down, id="not tidied up"),
    ],
)
def test_a_failure_that_passes_ends_in_the_same_place(
    guard: Guard, faults: Faults, state: str, function: str, operation: str, fault: Fault
) -> None:
    times = 1 if fault is lost else 2
    faults.at(function, operation, fault, times)
    policy = guard.policy(BAD)
    execution = policy.execution().asked()
    assert list(policy.texts().values()) == [PLACEHOLDER]
    execution.answer(allow=True).output()
    assert execution.path() == [*ASKED, "UsersChoice", "Approved"]
    assert execution.tries(state) == times + 1
    assert list(policy.texts().values()) == [BAD]


def test_a_function_that_is_busy_for_a_while(guard: Guard) -> None:
    with guard.busy("RevertPolicy"):
        policy = guard.policy(BAD)
        execution = policy.execution()
        until(lambda: execution.tries("TempRemove") > 1, "a second try")
    assert execution.asked().path() == ASKED
    assert policy.in_force() == PLACEHOLDER


# --- nobody can judge it: it is quarantined all the same ---


@contextmanager
def too_slow(guard: Guard, faults: Faults) -> Iterator[None]:
    over = threading.Event()
    hang = faults.always("ValidatePolicy", "ListPolicyVersions", first(over.wait))
    with guard.configured("ValidatePolicy", Timeout=1), hang:
        try:
            yield
        finally:
            over.set()


@pytest.mark.parametrize(
    "broken",
    [
        case(
            lambda _, f: f.always("ValidatePolicy", "ListPolicyVersions", throttled), id="throttled"
        ),
        case(lambda g, _: g.without("ValidatePolicyRole", "ReadPolicies"), id="not allowed"),
        case(
            lambda g, _: g.configured("ValidatePolicy", Environment={"Variables": {}}), id="crashes"
        ),
        case(too_slow, id="too slow"),
    ],
)
def test_what_nobody_can_judge_is_quarantined(guard: Guard, faults: Faults, broken: Broken) -> None:
    with broken(guard, faults):
        policy = guard.policy(BAD)
        execution = policy.execution().asked()
    assert execution.path() == UNJUDGED
    assert execution.tries("ValidatePolicy") == 4
    assert policy.in_force() == PLACEHOLDER
    execution.answer(allow=True).output()
    assert execution.path() == [*UNJUDGED, "UsersChoice", "Approved"]
    assert policy.texts() == {"v1": BAD}


@pytest.mark.parametrize(
    ("default", "fault"),
    [
        case(True, throttled, id="a new default"),
        case(True, lost, id="a new default, half done"),
        case(False, throttled, id="a version beside it"),
    ],
)
def test_what_nobody_could_judge_comes_back_as_it_was(
    guard: Guard, faults: Faults, fault: Fault, *, default: bool
) -> None:
    policy = guard.policy(GOOD)
    policy.execution().ended()
    faults.at("RevertPolicy", "CreatePolicyVersion", fault)
    with faults.always("ValidatePolicy", "ListPolicyVersions", throttled):
        policy.add(BAD, default=default)
        execution = policy.execution(2).asked()
    assert policy.in_force() == PLACEHOLDER
    execution.answer(allow=True).output()
    assert policy.in_force() == (BAD if default else GOOD)
    assert policy.texts() == {"v1": GOOD, "v2": BAD}


def gone(guard: Guard) -> Fault:
    """The policy that is created next is deleted just before the call arrives."""

    def delete() -> None:
        guard.made[-1].delete()

    return first(delete)


def test_a_policy_that_is_gone_before_it_is_judged(guard: Guard, faults: Faults) -> None:
    faults.at("ValidatePolicy", "ListPolicyVersions", gone(guard))
    execution = guard.policy(BAD).execution()
    assert execution.output()["validation"]["summary"].endswith("before it could be judged.")
    assert execution.path() == REPORTED


def test_a_version_that_is_gone_before_it_is_judged(guard: Guard, faults: Faults) -> None:
    policy = guard.policy(GOOD)
    policy.execution().ended()
    faults.at("ValidatePolicy", "ListPolicyVersions", then(lambda: policy.remove("v2")))
    policy.add(BAD, default=False)
    execution = policy.execution(2)
    assert execution.output()["validation"]["action"] == "alert"
    assert execution.path() == REPORTED
    assert policy.texts() == {"v1": GOOD}


# --- the quarantine fails: that is an alarm ---


@pytest.mark.parametrize(
    ("broken", "words", "tries"),
    [
        case(
            lambda _, f: f.always("RevertPolicy", "CreatePolicyVersion", throttled),
            "Throttling",
            7,
            id="throttled",
        ),
        case(
            lambda g, _: g.without("RevertPolicyRole", "QuarantinePolicies"),
            "not authorized to perform: iam:ListPolicyVersions",
            7,
            id="not allowed",
        ),
        case(lambda g, _: g.busy("RevertPolicy"), "Rate Exceeded", 11, id="busy"),
    ],
)
def test_a_quarantine_that_fails_is_an_alarm(
    guard: Guard, faults: Faults, broken: Broken, words: str, tries: int
) -> None:
    with broken(guard, faults):
        policy = guard.policy(BAD)
        execution = policy.execution()
        alarmed(execution, [*JUDGED, "TempRemove"], "QuarantineFailed", "IN FORCE", words)
    assert execution.tries("TempRemove") == tries
    assert policy.texts() == {"v1": BAD}


def test_a_policy_that_is_gone_before_its_quarantine(guard: Guard, faults: Faults) -> None:
    faults.at("RevertPolicy", "ListPolicyVersions", gone(guard))
    execution = guard.policy(BAD).execution()
    alarmed(execution, [*JUDGED, "TempRemove"], "QuarantineFailed", "NoSuchEntity")


def test_iam_is_down_altogether(guard: Guard, faults: Faults) -> None:
    no_judge = faults.always("ValidatePolicy", "ListPolicyVersions", down)
    with no_judge, faults.always("RevertPolicy", "ListPolicyVersions", down):
        execution = guard.policy(BAD).execution()
        alarmed(execution, UNJUDGED[:-1], "QuarantineFailed", "ServiceUnavailable")


# --- nobody can be asked, or nobody answers: it stays under quarantine ---


@pytest.mark.parametrize(
    ("broken", "words", "tries"),
    [
        case(
            lambda _, f: f.always("AskUser", "Publish", down),
            "ServiceUnavailable",
            7,
            id="SNS down",
        ),
        case(lambda g, _: g.without("AskUserRole", "Mail"), "sns:Publish", 7, id="not allowed"),
        case(lambda g, _: g.busy("AskUser"), "Rate Exceeded", 11, id="busy"),
    ],
)
def test_a_question_that_reaches_nobody_is_an_alarm(
    guard: Guard, faults: Faults, broken: Broken, words: str, tries: int
) -> None:
    with broken(guard, faults):
        policy = guard.policy(BAD)
        execution = policy.execution()
        alarmed(execution, ASKED, "AdministratorNotTold", "could not be told or asked", words)
    assert execution.tries("AskUser") == tries
    assert list(policy.texts().values()) == [PLACEHOLDER]


def test_an_alarm_that_reaches_nobody_still_tells_its_cause(guard: Guard, faults: Faults) -> None:
    no_question = faults.always("AskUser", "Publish", down)
    with no_question, guard.without("PolicyGuardRole", "Notify"):
        policy = guard.policy(BAD)
        execution = policy.execution()
        error, cause = execution.failure()
    assert error == "AdministratorNotTold"
    assert "A policy under quarantine stays there." in cause
    assert execution.path() == [*ASKED, "AdministratorNotTold", *ALARM]
    assert execution.tries("RaiseAlarm") == 7
    assert list(policy.texts().values()) == [PLACEHOLDER]


def test_nobody_answers_in_time(guard: Guard) -> None:
    with guard.deadline(5):
        policy = guard.policy(BAD)
        execution = policy.execution()
        alarmed(execution, ASKED, "DeadlinePassed", "Nobody answered in time", policy.arn)
    mail = inbox.newest(guard.aws, f"Approval needed: IAM policy {policy.name}")
    assert inbox.press_button(mail.link("allow")).status == 410
    assert list(policy.texts().values()) == [PLACEHOLDER]


# --- the approval fails: nothing is half restored ---


def unrestored(execution: Execution, tries: int, words: str) -> None:
    path = [*ASKED, "UsersChoice", "Approved"]
    alarmed(execution.answer(allow=True), path, "ApprovalFailed", "was not put back", words)
    assert execution.tries("Approved") == tries


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        case(
            lambda _, f: f.always("PolicyChangerApprove", "CreatePolicyVersion", throttled),
            "Throttling",
            id="throttled",
        ),
        case(
            lambda g, _: g.without("PolicyChangerApproveRole", "RestorePolicies"),
            "not authorized to perform: iam:ListPolicyVersions",
            id="not allowed",
        ),
    ],
)
def test_an_approval_that_fails_is_an_alarm(
    guard: Guard, faults: Faults, broken: Broken, words: str
) -> None:
    policy = guard.policy(BAD)
    execution = policy.execution().asked()
    with broken(guard, faults):
        unrestored(execution, 4, words)
    assert list(policy.texts().values()) == [PLACEHOLDER]


def fill(policy: Policy) -> None:
    for _ in range(4):
        policy.add(GOOD, default=False)


@pytest.mark.parametrize(
    ("change", "tries", "words"),
    [
        case(lambda p: p.add(GOOD, default=True), 1, "PolicyChangedMeanwhileError", id="changed"),
        case(lambda p: p.delete(), 4, "NoSuchEntity", id="deleted"),
        case(fill, 4, "LimitExceeded", id="no room"),
    ],
)
def test_a_policy_that_was_changed_meanwhile_is_left_alone(
    guard: Guard, change: Callable[[Policy], object], tries: int, words: str
) -> None:
    policy = guard.policy(BAD)
    execution = policy.execution().asked()
    change(policy)
    left = policy.texts()
    unrestored(execution, tries, words)
    assert policy.texts() == left


# --- the same event twice ---


def test_an_event_that_comes_again_changes_nothing(guard: Guard) -> None:
    policy = guard.policy(BAD)
    execution = policy.execution().asked()
    again = execution.again()
    assert "quarantined already" in again.output()["validation"]["summary"]
    assert again.path() == REPORTED
    execution.answer(allow=True).output()
    assert list(policy.texts().values()) == [BAD]


def test_two_executions_about_one_policy_at_once(guard: Guard, faults: Faults) -> None:
    """Both have judged it before either quarantines it."""
    both = threading.Barrier(2)
    faults.at("RevertPolicy", "CreatePolicyVersion", first(both.wait), 2)
    policy = guard.policy(BAD)
    execution = policy.execution()
    executions = [execution, execution.again()]
    left = {}
    for execution in executions:
        assert execution.asked().path() == ASKED
        left[execution.quarantine()["inForce"]] = execution
    assert set(policy.texts().values()) == {PLACEHOLDER}
    newest = left[list(policy.texts())[-1]]
    for execution in executions:
        execution.answer(allow=execution == newest).output()
    assert list(policy.texts().values()) == [BAD]
