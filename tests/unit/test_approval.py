"""The approval panel with an account that answers at will: clicks, counts, errors, threads."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from helpers import approval
from helpers.approval import ApprovalPanel, State, clock
from helpers.errors import WorkbookError
from helpers.question import APPROVED, DENIED
from tests.unit.test_pending import APP, Account
from tests.unit.test_question import asking, event

SCRIPT = "<script>alert(1)</script>"


def until(reached: Callable[[], Any]) -> None:
    """Wait until something is so; the limit only keeps a broken run from hanging."""
    give_up = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < give_up, "this never came"
        time.sleep(0.01)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": f"No: {SCRIPT}"}}, "SendTaskSuccess")


@dataclass
class States(Account):
    """An account whose questions can be answered, once each."""

    target: str = "local"
    principal: str = "arn:aws:iam::123456789012:user/me"
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failure: Exception | None = None
    lost: bool = False

    class exceptions(Account.exceptions):  # noqa: N801 - as boto3 names it
        ExecutionDoesNotExist = type("ExecutionDoesNotExist", (Exception,), {})

    def client(self, service: str) -> States:
        if self.lost:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1/")
        return self

    def _get_execution_history(self, executionArn: str) -> list[dict[str, Any]]:  # noqa: N803
        if executionArn not in self.histories:
            raise self.exceptions.ExecutionDoesNotExist
        return super()._get_execution_history(executionArn)

    def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803
        if self.failure:
            raise self.failure
        self.sent.append((taskToken, json.loads(output)))
        self.answer(taskToken.replace("token", "run"), output)

    def answer(self, run: str, output: str, *ends: dict[str, Any]) -> None:
        self.histories[run] = [*self.histories[run], event("TaskSucceeded", output=output), *ends]

    def end(self, run: str, kind: str = "ExecutionSucceeded", **details: Any) -> None:
        self.histories[run] = [*self.histories[run], event(kind, **details)]
        del self.runs[run]


@pytest.fixture
def account() -> States:
    found = States()
    found.ask(1)
    return found


def panel_of(account: States, seconds: float = 1_000) -> ApprovalPanel:
    """Return a panel that looks when it is told to, unless ``seconds`` says how often."""
    session: Any = account
    return ApprovalPanel(session, APP, seconds)


@pytest.fixture
def panel(account: States) -> Iterator[ApprovalPanel]:
    panel = panel_of(account)
    yield panel
    panel.stop()
    panel.thread.join(10)
    assert not panel.thread.is_alive()


def row(panel: ApprovalPanel, place: int = 0) -> Any:
    return panel._newest_first()[place]


def said(panel: ApprovalPanel, place: int = 0) -> str:
    return row(panel, place)._outcome.value


class TestClicks:
    def test_a_click_decides_and_says_so_at_once(
        self, account: States, panel: ApprovalPanel
    ) -> None:
        row(panel)._approve.click()
        ((token, output),) = account.sent
        assert token == "token-0"
        assert output["action"] == "allow"
        assert output["decidedBy"]["principal"] == account.principal
        assert APPROVED in said(panel)
        assert row(panel)._approve.disabled
        assert row(panel)._deny.disabled
        assert panel.questions == []
        assert "No decision is pending" in panel._count.value

    def test_it_says_how_it_ended(self, account: States, panel: ApprovalPanel) -> None:
        row(panel)._deny.click()
        assert DENIED in said(panel)
        assert panel.refresh() is False, "the execution still runs"
        account.end("run-0")
        assert panel.refresh()
        assert row(panel).state is State.OVER
        assert f"{DENIED} Decided" in said(panel)
        assert account.principal in said(panel)

    @pytest.mark.parametrize("second", ["_approve", "_deny"])
    def test_the_second_of_two_clicks_changes_nothing_and_is_told(
        self, account: States, panel: ApprovalPanel, second: str
    ) -> None:
        row(panel)._deny.click()
        for _ in range(2):
            getattr(row(panel), second).click()
        assert len(account.sent) == 1
        assert DENIED in said(panel)
        assert said(panel).count("this click has changed nothing") == 1
        account.end("run-0")
        panel.refresh()
        assert "Decided" in said(panel)
        assert "this click has changed nothing" in said(panel), "what is told stays"

    def test_two_clicks_at_once_send_one_answer(self, account: States) -> None:
        panel, sent = panel_of(account), account.send_task_success
        meet = threading.Barrier(2)

        def slow(**answer: Any) -> None:
            meet.wait(30)  # the other click comes while this answer is on its way
            sent(**answer)

        account.send_task_success = slow
        first = threading.Thread(target=row(panel)._approve.click)
        first.start()
        until(lambda: row(panel).state is State.SENDING)
        row(panel)._deny.click()
        meet.wait(30)
        first.join(30)
        panel.stop()
        assert len(account.sent) == 1
        assert APPROVED in said(panel)

    def test_a_decision_elsewhere_is_told_to_who_clicks(
        self, account: States, panel: ApprovalPanel
    ) -> None:
        decided = {"channel": "approval page", "sourceIp": "203.0.113.9"}
        account.answer("run-0", json.dumps({"action": "delete", "decidedBy": decided}))
        account.failure = refused("TaskTimedOut")
        row(panel)._approve.click()
        assert DENIED in said(panel)
        assert "on the approval page, from the address 203.0.113.9" in said(panel)
        assert "Nothing was changed now" in said(panel)

    def test_an_expired_token_is_told_to_who_clicks(
        self, account: States, panel: ApprovalPanel
    ) -> None:
        account.histories["run-0"] = [*account.histories["run-0"], event("TaskTimedOut")]
        account.failure = refused("TaskTimedOut")
        row(panel)._deny.click()
        assert "Nobody answered before the deadline: the token has expired." in said(panel)

    def test_a_token_that_is_none_is_told(self, account: States, panel: ApprovalPanel) -> None:
        account.failure = refused("InvalidToken")
        row(panel)._deny.click()
        assert "This is not a task token" in said(panel)

    def test_a_refusal_leaves_the_buttons(self, account: States, panel: ApprovalPanel) -> None:
        account.failure = refused("AccessDeniedException")
        row(panel)._approve.click()
        assert "AccessDeniedException" in said(panel)
        assert "Nothing was decided" in said(panel)
        assert "<script" not in said(panel)
        assert not row(panel)._approve.disabled
        account.failure = None
        row(panel)._approve.click()
        assert APPROVED in said(panel)

    def test_a_lost_answer_can_be_sent_again(self, account: States, panel: ApprovalPanel) -> None:
        account.lost = True
        row(panel)._deny.click()
        assert "The local AWS does not answer" in said(panel)
        assert "not known whether the answer has arrived" in said(panel)
        account.lost = False
        row(panel)._deny.click()
        assert DENIED in said(panel)
        assert "not known" not in said(panel)


class TestLooks:
    @pytest.mark.parametrize(("action", "words"), [("allow", APPROVED), ("delete", DENIED)])
    def test_a_decision_elsewhere_is_told(
        self, account: States, panel: ApprovalPanel, action: str, words: str
    ) -> None:
        who = {"channel": "workbook", "principal": f"arn:eve{SCRIPT}"}
        account.answer("run-0", json.dumps({"action": action, "decidedBy": who}))
        account.end("run-0")
        assert panel.refresh()
        assert words in said(panel)
        assert "in a workbook, by arn:eve&lt;script&gt;" in said(panel)
        assert row(panel)._approve.disabled

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("ExecutionAborted", "The execution was stopped"),
            ("ExecutionTimedOut", "The execution&#x27;s time was up"),
            ("ExecutionFailed", "The execution has failed"),
        ],
    )
    def test_an_execution_that_ended_without_an_answer_is_told(
        self, account: States, panel: ApprovalPanel, kind: str, words: str
    ) -> None:
        account.end("run-0", kind, cause="enough")
        panel.refresh()
        assert words in said(panel)
        assert "enough" in said(panel)
        assert "stays under quarantine" in said(panel)

    def test_a_deleted_execution_is_told(self, account: States, panel: ApprovalPanel) -> None:
        account.machine = False
        account.histories.clear()
        panel.refresh()
        assert "was deleted with its state machine" in said(panel)

    def test_a_question_that_is_asked_anew_is_a_new_row(
        self, account: States, panel: ApprovalPanel
    ) -> None:
        account.runs["run-0"] = 1
        stopped = [*account.histories["run-0"], event("ExecutionAborted")]
        account.histories["run-0"] = [*stopped, event("ExecutionRedriven")]
        panel.refresh()
        assert row(panel).state is State.OVER, "the execution runs, but the question is gone"
        account.histories["run-0"] += asking(token="token-9")
        panel.refresh()
        assert [asked.token for asked in panel.questions] == ["token-9"]
        assert len(panel._list.children) == 2
        assert "The execution was stopped" in "".join(
            r._outcome.value for r in panel._newest_first()
        )

    def test_new_ones_come_on_top(self, account: States) -> None:
        account.ask(2, since=1)
        for number in range(3):
            submitted = account.histories[f"run-{number}"][-1]
            submitted["timestamp"] += timedelta(minutes=number)
        panel = panel_of(account)
        account.ask(1, since=3)
        account.histories["run-3"][-1]["timestamp"] += timedelta(minutes=9)
        panel.refresh()
        panel.stop()
        assert [asked.token[-1] for asked in panel.questions] == ["3", "2", "1", "0"]
        assert "4 decisions are pending" in panel._count.value

    def test_the_oldest_that_are_over_make_room(
        self, account: States, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(approval, "_SETTLED_SHOWN", 2)
        account.ask(5)
        panel = panel_of(account)
        for number in range(4):
            account.end(f"run-{number}", "ExecutionAborted")
        panel.refresh()
        panel.stop()
        assert len(panel._list.children) == 3
        assert [asked.token for asked in panel.questions] == ["token-4"]

    def test_fifty_are_looked_at_with_one_call(self, account: States) -> None:
        account.ask(50)
        panel = panel_of(account)
        account.calls.clear()
        for _ in range(10):
            assert panel.refresh() is False
        panel.stop()
        assert account.calls == Counter(ListExecutions=10)

    def test_a_lost_connection_is_told_and_the_panel_goes_on(self, account: States) -> None:
        panel = panel_of(account, seconds=0.01)
        account.lost = True
        until(lambda: "The local AWS does not answer" in panel._trouble.value)
        assert "The panel goes on trying." in panel._trouble.value
        assert len(panel.questions) == 1, "what was seen stays"
        account.ask(1, since=1)
        account.lost = False
        until(lambda: panel._trouble.value == "" and len(panel.questions) == 2)
        panel.stop()

    def test_the_seconds_go_on_by_themselves(
        self, account: States, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        asked = account.histories["run-0"][-1]
        asked["timestamp"] = now - timedelta(seconds=61)
        monkeypatch.setattr(ApprovalPanel, "TICK", 0.01)
        panel = panel_of(account)
        first = row(panel)._clock.value
        assert "waiting 0:01:0" in first
        until(lambda: row(panel)._clock.value != first)
        row(panel)._deny.click()
        panel.tick()
        assert row(panel)._clock.value == ""
        panel.stop()

    def test_a_deadline_that_has_passed_is_said(self, panel: ApprovalPanel) -> None:
        row(panel).tick(row(panel).question.deadline + timedelta(seconds=1))
        assert "time is up" in row(panel)._clock.value
        row(panel).tick(row(panel).question.deadline - timedelta(seconds=61))
        assert "0:01:01 left" in row(panel)._clock.value

    def test_an_unknown_deadline_is_said(self, account: States) -> None:
        account.histories["run-0"] = asking(token="token-0", deadline="whenever")
        panel = panel_of(account)
        panel.stop()
        assert "no deadline" in row(panel)._clock.value


class TestThreads:
    @pytest.fixture(autouse=True)
    def _others(self) -> None:
        """What other tests have left is not counted."""
        self.others = set(threading.enumerate())

    def count(self) -> int:
        ours = set(threading.enumerate()) - self.others
        return sum(thread.name == "approvalpanel" for thread in ours)

    def test_five_in_a_row_leave_one_thread_and_the_last_leaves_none(self, account: States) -> None:
        panels = [panel_of(account, seconds=0.01) for _ in range(5)]
        until(lambda: self.count() == 1)
        assert "looks no more" in panels[0]._count.value
        assert row(panels[0])._approve.disabled, "nobody would look after this button"
        assert not row(panels[-1])._approve.disabled
        panels[-1].stop()
        until(lambda: self.count() == 0)
        assert APP.state_machine not in ApprovalPanel._live

    def test_one_that_cannot_begin_leaves_no_thread_and_the_other_alone(
        self, account: States, panel: ApprovalPanel
    ) -> None:
        account.lost = True
        with pytest.raises(EndpointConnectionError):
            panel_of(account)
        assert self.count() == 1
        assert panel.thread.is_alive()


class TestShowing:
    def test_what_is_stored_is_plain_and_the_same_each_time(
        self, account: States, panel: ApprovalPanel
    ) -> None:
        bundle = panel._repr_mimebundle_()
        assert bundle["text/plain"] == (
            "1 decision is pending\n"
            "much: grants s3:DeleteBucket, s3:DeleteObject; by arn:aws:iam::123456789012:user/eve"
        )
        assert "What is in force" not in bundle["text/plain"]
        assert "the placeholder" in bundle["text/html"]
        assert "waiting" not in bundle["text/html"], "a stored count would be wrong"
        assert "application/vnd.jupyter.widget-view+json" in bundle
        again = panel._repr_mimebundle_()
        assert (again["text/plain"], again["text/html"]) == (
            bundle["text/plain"],
            bundle["text/html"],
        )

    def test_the_token_is_nowhere_in_it(self, panel: ApprovalPanel) -> None:
        widgets = [panel.box, *row(panel).box.children]
        values = "".join(str(getattr(widget, "value", "")) for widget in widgets)
        assert "token-0" not in repr(panel) + panel._repr_html_() + values

    def test_without_any_it_says_so(self) -> None:
        panel = panel_of(States())
        panel.stop()
        assert repr(panel) == approval.NONE
        assert approval.NONE in panel._repr_html_()
        assert "for the buttons" not in panel._repr_html_()

    def test_hostile_words_are_text(self, account: States) -> None:
        account.histories["run-0"] = asking(
            token="token-0", policyArn=SCRIPT, author=SCRIPT, description=SCRIPT, granted=[SCRIPT]
        )
        panel = panel_of(account)
        panel.stop()
        shown = panel._repr_html_() + row(panel).box.children[0].value
        assert "Run this cell again for the buttons" in shown
        assert "<script" not in shown
        assert shown.count("&lt;script&gt;") == 8

    def test_a_clock_reads_as_a_person_says_it(self) -> None:
        assert [clock(n) for n in (0, 59, 3_599, 86_399, 31_449_600)] == [
            "0:00:00",
            "0:00:59",
            "0:59:59",
            "23:59:59",
            "364 d 0:00:00",
        ]


class TestWithoutAWidget:
    def test_decide_takes_a_question_or_a_token(self, account: States) -> None:
        account.ask(2)
        session: Any = account
        newest, oldest = approval.pending(session, APP)
        assert approval.decide(session, newest, allow=True) == APPROVED
        assert approval.decide(session, oldest.token, allow=False) == DENIED
        assert [output["action"] for _, output in account.sent] == ["allow", "delete"]

    def test_of_a_question_it_says_what_became_of_it(self, account: States) -> None:
        session: Any = account
        (asked,) = approval.pending(session, APP)
        account.answer("run-0", '{"action": "delete"}')
        account.failure = refused("TaskTimedOut")
        with pytest.raises(WorkbookError, match=r"Denied.*did not say who.*Nothing was changed"):
            approval.decide(session, asked, allow=True)
        with pytest.raises(WorkbookError, match="decided before, or its deadline has passed"):
            approval.decide(session, asked.token, allow=True)

    def test_settle_says_what_was_decided_before(self, account: States) -> None:
        session: Any = account
        assert approval.settle(session, "run-0", allow=True) == APPROVED
        assert approval.settle(session, "run-0", allow=False).startswith(f"{APPROVED} Decided")
        assert len(account.sent) == 1

    def test_settle_gives_way_to_who_was_quicker(self, account: States) -> None:
        session: Any = account
        account.failure = refused("TaskTimedOut")
        assert "decided before" in approval.settle(session, "run-0", allow=True)

    @pytest.mark.parametrize("events", [[], [event("ExecutionStarted")]])
    def test_settle_without_a_question_says_so(
        self, account: States, events: list[dict[str, Any]]
    ) -> None:
        account.histories["run-0"] = events
        session: Any = account
        assert "nothing to decide" in approval.settle(session, "run-0", allow=True)

    def test_a_history_without_a_token_says_so(self) -> None:
        with pytest.raises(WorkbookError, match="nobody has been asked"):
            approval.token([event("ExecutionStarted")])
        with pytest.raises(WorkbookError, match="does not show it"):
            approval.token([event("TaskSubmitted", output="{}")])
