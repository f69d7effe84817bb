"""What is pending, with few calls: a history is read once an execution, not once a look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers.pending import Pending
from helpers.session import Session
from helpers.stack import App
from tests.unit.test_question import asking, event


class _NotThereError(Exception):
    pass


@dataclass
class Account:
    """An account's executions, and the calls that were made."""

    runs: dict[str, int] = field(default_factory=dict)  # redrives by execution
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusal: str = ""
    machine: bool = True
    calls: Counter[str] = field(default_factory=Counter)

    class exceptions:  # noqa: N801 - as boto3 names it
        StateMachineDoesNotExist = _NotThereError

    def client(self, service: str) -> Account:
        return self

    def get_paginator(self, operation: str) -> Any:
        return type("Pages", (), {"paginate": getattr(self, f"_{operation}")})

    def _list_executions(self, **_: Any) -> Iterator[dict[str, Any]]:
        self.calls["ListExecutions"] += 1
        if not self.machine:
            raise _NotThereError
        runs = self.runs.items()
        yield {"executions": [{"executionArn": arn, "redriveCount": n} for arn, n in runs]}

    def _get_execution_history(self, executionArn: str) -> list[dict[str, Any]]:  # noqa: N803
        self.calls["GetExecutionHistory"] += 1
        return [{"events": self.histories[executionArn]}]

    def get_policy_version(self, **_: Any) -> dict[str, Any]:
        self.calls["GetPolicyVersion"] += 1
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal}}, "GetPolicyVersion")
        return {"PolicyVersion": {"Document": {"Statement": ["the placeholder"]}}}

    def ask(self, count: int, since: int = 0) -> None:
        for number in range(since, since + count):
            self.runs[f"run-{number}"] = 0
            self.histories[f"run-{number}"] = asking(token=f"token-{number}")


APP = App("guard", "arn:aws:states:us-east-1:123456789012:stateMachine:guard", "", "")


def pending(account: Account) -> Pending:
    session: Any = account
    assert not isinstance(session, Session)
    return Pending(session, APP)


def test_fifty_questions_need_fifty_histories_in_all_and_one_call_a_look() -> None:
    account = Account()
    account.ask(50)
    found = pending(account)
    for _ in range(30):
        assert len(found.look()) == 50
    assert account.calls == {
        "ListExecutions": 30,
        "GetExecutionHistory": 50,
        "GetPolicyVersion": 50,
    }


def test_a_new_one_costs_one_history_more() -> None:
    account = Account()
    account.ask(3)
    found = pending(account)
    found.look()
    account.ask(1, since=3)
    assert {asked.token for asked in found.look()} == {f"token-{n}" for n in range(4)}
    assert account.calls["GetExecutionHistory"] == 4


def test_one_that_has_not_asked_is_read_more_and_more_seldom() -> None:
    account = Account({"busy": 0}, {"busy": [event("ExecutionStarted")]})
    found = pending(account)
    reads = []
    for look in range(1, 65):
        before = account.calls["GetExecutionHistory"]
        assert found.look() == []
        reads += [look] * (account.calls["GetExecutionHistory"] - before)
    assert reads == [1, 2, 4, 8, 16, 32, 48, 64]
    account.ask(1)
    account.histories["busy"] = asking(token="late")
    for _ in range(16):
        found.look()
    assert {asked.token for asked in found.look()} == {"late", "token-0"}


def test_what_has_ended_is_not_pending_and_not_read() -> None:
    account = Account()
    account.ask(2)
    found = pending(account)
    found.look()
    del account.runs["run-0"]
    assert [asked.token for asked in found.look()] == ["token-1"]
    assert found.running == {"run-1"}
    assert account.calls["GetExecutionHistory"] == 2


def test_a_redriven_execution_is_read_anew() -> None:
    account = Account()
    account.ask(1)
    found = pending(account)
    found.look()
    account.runs["run-0"] = 1
    account.histories["run-0"] = asking(token="asked again")
    assert [asked.token for asked in found.look()] == ["asked again"]


def test_what_was_answered_is_read_anew() -> None:
    account = Account()
    account.ask(1)
    found = pending(account)
    (asked,) = found.look()
    found.answered(asked)
    account.histories["run-0"] = [*asking(token="token-0"), event("TaskSucceeded")]
    assert found.look() == []
    assert found.running == {"run-0"}


def test_the_newest_comes_first() -> None:
    account = Account()
    account.ask(3)
    for age, number in enumerate((1, 0, 2)):
        submitted = account.histories[f"run-{number}"][-1]
        submitted["timestamp"] = submitted["timestamp"].replace(minute=30 - age)
    assert [q.token for q in pending(account).look()] == ["token-1", "token-0", "token-2"]


def test_what_is_in_force_is_read_from_iam() -> None:
    account = Account()
    account.ask(1)
    (asked,) = pending(account).look()
    assert "the placeholder" in asked.in_force
    assert "the placeholder" in asked._repr_html_()


@pytest.mark.parametrize("code", ["NoSuchEntity", "AccessDenied"])
def test_who_may_not_read_it_can_decide_all_the_same(code: str) -> None:
    account = Account(refusal=code)
    account.ask(1)
    (asked,) = pending(account).look()
    assert asked.in_force == ""


def test_a_busy_iam_is_asked_again() -> None:
    account = Account(refusal="Throttling")
    account.ask(1)
    found = pending(account)
    with pytest.raises(ClientError):
        found.look()
    account.refusal = ""
    assert len(found.look()) == 1


def test_a_machine_that_is_gone_asks_nobody() -> None:
    account = Account()
    account.ask(1)
    found = pending(account)
    found.look()
    account.machine = False
    assert found.look() == []
    assert found.running == set()
