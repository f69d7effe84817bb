"""The approval panel on the deployed app: what becomes of a click, and of what others do."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from helpers import approval, inbox
from helpers.approval import ApprovalPanel, State
from helpers.errors import WorkbookError
from helpers.question import APPROVED, DENIED
from tests.app.guard import BAD, PLACEHOLDER, Execution, Guard, Policy, granting, until

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def panel(deployed: Guard) -> Iterator[ApprovalPanel]:
    panel = ApprovalPanel(deployed.aws, deployed.app, seconds=0.05)
    yield panel
    panel.stop()
    panel.thread.join(30)
    assert not panel.thread.is_alive()


@pytest.fixture
def policy(deployed: Guard) -> Policy:
    return deployed.policy(BAD)


@pytest.fixture
def asked(policy: Policy) -> Execution:
    return policy.execution().asked()


def row(panel: ApprovalPanel, execution: Execution) -> Any:
    """The row of an execution's newest question, once it is there."""

    def found() -> list[Any]:
        return [r for r in panel._newest_first() if r.question.execution == execution.arn]

    return until(found, f"a question of {execution.arn} in the panel")[0]


def text(row: Any) -> str:
    return row._outcome.value


def over(row: Any) -> str:
    """What is said of a question when nothing more will be."""
    until(lambda: row.state is State.OVER, "the end of the question")
    return text(row)


def test_it_shows_what_is_decided(panel: ApprovalPanel, policy: Policy, asked: Execution) -> None:
    found = row(panel, asked)
    shown = found.box.children[0].value
    for words in (policy.arn, "s3:DeleteBucket", ":root", "Answer before", "+ comes, - goes"):
        assert words in shown, words
    lines = found.question.replacement.lines
    assert ("-", '      "Sid": "QuarantinedUntilSomeoneApproves",') in lines
    assert ("+", '        "s3:DeleteBucket"') in lines
    assert json.loads(found.question.in_force) == json.loads(PLACEHOLDER)
    assert found.question.document == BAD
    until(lambda: "waiting 0:0" in found._clock.value, "the clock")
    assert "23:5" in found._clock.value or "24:00:00 left" in found._clock.value


def test_deny_leaves_the_policy_harmless(
    panel: ApprovalPanel, policy: Policy, asked: Execution
) -> None:
    found = row(panel, asked)
    found._deny.click()
    assert DENIED in text(found)
    assert f"in a workbook, by {panel._session.principal}" in over(found)
    assert asked.ended().path()[-1] == "Denied"
    assert policy.in_force() == PLACEHOLDER


def test_approve_puts_the_document_back(
    panel: ApprovalPanel, policy: Policy, asked: Execution
) -> None:
    found = row(panel, asked)
    found._approve.click()
    assert APPROVED in text(found)
    assert "is in force." in over(found)
    assert policy.in_force() == BAD


def test_an_approval_that_came_too_late_for_the_policy_is_told(
    panel: ApprovalPanel, policy: Policy, asked: Execution
) -> None:
    found = row(panel, asked)
    policy.delete()
    found._approve.click()
    assert "Then the execution failed. Reason: “ApprovalFailed" in over(found)


@pytest.mark.parametrize(
    ("word", "words", "ends"), [("allow", APPROVED, BAD), ("deny", DENIED, PLACEHOLDER)]
)
def test_a_decision_on_the_approval_page_is_told(
    panel: ApprovalPanel, policy: Policy, asked: Execution, word: str, words: str, ends: str
) -> None:
    found = row(panel, asked)
    mail = inbox.newest(panel._session, policy.name)
    assert inbox.press_button(mail.link(word)).status == 200
    said = over(found)
    assert words in said
    assert "on the approval page, from the address 127.0.0.1" in said
    assert found._approve.disabled
    assert found._deny.disabled
    assert policy.in_force() == ends
    found._approve.click()
    assert "this click has changed nothing" in text(found)
    with pytest.raises(WorkbookError, match=f"{words}.*Nothing was changed now"):
        approval.decide(panel._session, found.question, allow=word == "deny")


def test_who_was_quicker_is_told_to_who_clicks(
    deployed: Guard, policy: Policy, asked: Execution
) -> None:
    panel = ApprovalPanel(deployed.aws, deployed.app, seconds=1_000)  # it does not look meanwhile
    found = row(panel, asked)
    approval.decide(deployed.aws, found.question, allow=False)
    found._approve.click()
    panel.stop()
    assert DENIED in text(found)
    assert "Nothing was changed now" in text(found)
    asked.ended()
    assert policy.in_force() == PLACEHOLDER


def test_of_two_clicks_the_first_counts(
    panel: ApprovalPanel, policy: Policy, asked: Execution
) -> None:
    found = row(panel, asked)
    found._deny.click()
    found._approve.click()
    assert DENIED in over(found)
    assert "this click has changed nothing" in text(found)
    assert policy.in_force() == PLACEHOLDER
    answers = [event for event in asked.events() if event["type"] == "TaskSucceeded"]
    assert len(answers) == 1


def test_a_stopped_execution_is_told(
    deployed: Guard, panel: ApprovalPanel, policy: Policy, asked: Execution
) -> None:
    found = row(panel, asked)
    states = deployed.aws.client("stepfunctions")
    states.stop_execution(executionArn=asked.arn, error="Enough", cause=f"no more {SCRIPT}")
    said = over(found)
    assert "The execution was stopped" in said
    assert "Enough: no more &lt;script&gt;" in said
    assert "stays under quarantine" in said
    assert policy.in_force() == PLACEHOLDER
    with pytest.raises(WorkbookError, match="The execution was stopped"):
        approval.decide(deployed.aws, found.question, allow=True)


def test_a_redriven_execution_asks_anew(
    deployed: Guard, panel: ApprovalPanel, asked: Execution
) -> None:
    first = row(panel, asked)
    states = deployed.aws.client("stepfunctions")
    states.stop_execution(executionArn=asked.arn)
    states.redrive_execution(executionArn=asked.arn)
    assert "The execution was stopped" in over(first)
    until(lambda: row(panel, asked) is not first, "the second question")
    second = row(panel, asked)
    assert second.question.token != first.question.token
    second._deny.click()
    assert DENIED in over(second)


def test_a_deadline_that_passes_is_told(deployed: Guard, panel: ApprovalPanel) -> None:
    with deployed.deadline(15):
        execution = deployed.policy(BAD).execution()
        found = row(panel, execution)
        said = over(found)
    assert "Nobody answered before the deadline: the token has expired." in said
    with pytest.raises(WorkbookError, match="the token has expired"):
        approval.decide(deployed.aws, found.question, allow=True)
    with pytest.raises(WorkbookError, match="deadline has passed"):
        approval.decide(deployed.aws, found.question.token, allow=True)


def test_a_lost_connection_is_told_and_the_panel_goes_on(
    deployed: Guard, panel: ApprovalPanel, asked: Execution
) -> None:
    found, clients = row(panel, asked), deployed.aws._clients
    client = clients["stepfunctions"]
    clients["stepfunctions"] = boto3.client(
        "stepfunctions",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    until(lambda: "The local AWS does not answer" in panel._trouble.value, "a word about it")
    assert "goes on trying" in panel._trouble.value
    found._deny.click()
    assert "The local AWS does not answer" in text(found)
    assert not found._deny.disabled
    clients["stepfunctions"] = client
    until(lambda: panel._trouble.value == "", "the panel to be up to date again")
    second = deployed.policy(granting("s3:DeleteObject")).execution()
    assert "s3:DeleteObject" in row(panel, second).box.children[0].value
    found._deny.click()
    assert DENIED in over(found)


def test_many_cost_one_call_a_look(deployed: Guard) -> None:
    for execution in [deployed.policy(BAD).execution() for _ in range(8)]:
        execution.asked()
    panel = ApprovalPanel(deployed.aws, deployed.app, seconds=1_000)
    calls: Counter[str] = Counter()
    events = deployed.aws.client("stepfunctions").meta.events
    count = lambda model, **_: calls.update([model.name])  # noqa: E731
    events.register("before-call.stepfunctions", count)
    try:
        changed = [panel.refresh() for _ in range(5)]
    finally:
        events.unregister("before-call.stepfunctions", count)
        panel.stop()
    assert len(panel.questions) >= 8
    assert changed == [False] * 5
    assert calls == {"ListExecutions": 5}


def test_five_in_a_row_leave_one_thread_and_the_last_leaves_none(
    deployed: Guard, asked: Execution
) -> None:
    def threads() -> int:
        return sum(thread.name == "approvalpanel" for thread in threading.enumerate())

    before = threads()
    panels = [ApprovalPanel(deployed.aws, deployed.app, seconds=0.05) for _ in range(5)]
    until(lambda: threads() == before + 1, "the end of four panels")
    assert row(panels[0], asked)._approve.disabled
    assert not row(panels[4], asked)._approve.disabled
    panels[4].stop()
    until(lambda: threads() == before, "the end of the last panel")


def test_hostile_words_are_text(deployed: Guard, panel: ApprovalPanel) -> None:
    iam = deployed.aws.client("iam")
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::</pre>{SCRIPT}"}
    created = iam.create_policy(
        PolicyName="policy-hostile.@+=,",
        Description=f'{SCRIPT}" onload="alert(1)\u202e',
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    hostile = Policy(deployed, created["Policy"]["Arn"], iam)
    deployed.made.append(hostile)
    found = row(panel, hostile.execution().asked())
    for shown in (found.box.children[0].value, panel._repr_html_()):
        assert "&lt;script&gt;alert(1)" in shown
        assert "<script" not in shown
        assert "\u202e" not in shown
        assert 'onload="' not in shown
    assert found.question.token not in found.box.children[0].value + repr(panel)


def test_pending_and_decide_do_the_same_without_a_widget(
    deployed: Guard, policy: Policy, asked: Execution
) -> None:
    (found,) = [q for q in approval.pending(deployed.aws, deployed.app) if q.policy == policy.name]
    assert found.execution == asked.arn
    assert approval.decide(deployed.aws, found, allow=True) == APPROVED
    asked.ended()
    assert policy.in_force() == BAD
    assert approval.settle(deployed.aws, asked.arn, allow=False).startswith(f"{APPROVED} Decided")
