"""The live panel of an execution, on the deployed app: what it shows, and when it stops."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers import approval, execution, incident, stack, watch
from helpers.session import Session
from helpers.visits import Event
from helpers.watch import Watch
from tests.app.guard import until


@pytest.fixture
def asked(aws: Session, app: stack.App) -> str:
    """An execution that waits for a person."""
    return incident.create(aws, app)


@pytest.fixture
def panel(aws: Session, asked: str) -> Iterator[Watch]:
    panel = Watch(aws, asked, seconds=0.05)
    until(lambda: "waiting" in panel._graph.value, "the picture of what has happened")
    yield panel
    panel.stop()
    panel.thread.join(10)
    assert not panel.thread.is_alive()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "watch"]


def test_it_goes_on_by_itself_and_stops_at_the_end(aws: Session, asked: str, panel: Watch) -> None:
    assert panel.seen.status == "RUNNING"
    assert "waiting" in panel._graph.value
    approval.settle(aws, asked, allow=False)
    panel.thread.join(30)
    assert panel.seen.status == "SUCCEEDED"
    assert "SUCCEEDED" in panel._header.value
    assert panel._stop.layout.display == "none"
    assert [label.split(". ")[1] for label, _ in panel._steps.options][-1] == "Denied · succeeded"


def test_it_counts_transitions_and_their_price(panel: Watch) -> None:
    """ModifyState, ValidatePolicy, ChooseAction, TempRemove, AskUser: $0.025 for 1,000."""
    assert panel.seen.transitions == 5
    assert panel.seen.price == pytest.approx(5 * 0.000025)
    assert "5 state transitions, $0.000125 in us-east-1" in panel._header.value


def test_a_step_s_data_is_shown_when_it_is_chosen(panel: Watch) -> None:
    labels = [label for label, _ in panel._steps.options]
    panel._steps.value = next(i for i, label in enumerate(labels) if "ValidatePolicy" in label)
    shown = panel._data.value
    assert "requestParameters" in shown, "the input is missing"
    assert "s3:DeleteBucket" in shown, "the output is missing"
    assert "lambda" in shown, "the function is missing"


def test_a_function_s_log_lines_are_shown(aws: Session, panel: Watch) -> None:
    row = [label.split(". ")[1].split(" ")[0] for label, _ in panel._steps.options].index("AskUser")
    step = panel.seen.step(row)
    assert "-As" in str(step.function)
    lines = until(lambda: step.log(aws), "log lines of AskUser")
    assert step.html(lines).count(lines[0][:20]) >= 1


def test_a_cell_that_is_run_again_ends_the_panel_before(aws: Session, asked: str) -> None:
    before = len(threads())
    panels = [Watch(aws, asked, seconds=0.05) for _ in range(5)]
    until(lambda: len(threads()) == before + 1, "the end of four panels")
    assert "No longer followed" in panels[0]._header.value
    panels[-1].stop()
    until(lambda: len(threads()) == before, "the end of the last panel")
    assert asked not in Watch._live


def test_a_lost_connection_is_told_and_the_panel_goes_on(
    aws: Session, asked: str, panel: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, broken = execution.look, threading.Event()
    broken.set()

    def shaky(*arguments: object) -> execution.Execution:
        if broken.is_set():
            answer = {"Error": {"Code": "ExpiredToken", "Message": "The token has expired"}}
            raise ClientError(answer, "DescribeExecution")
        return look(*arguments)

    monkeypatch.setattr(execution, "look", shaky)
    until(lambda: "expired" in panel._trouble.value, "a word about the lost connection")
    assert "goes on trying" in panel._trouble.value
    assert "<svg" in panel._graph.value, "what was seen last stays"
    broken.clear()
    until(lambda: panel._trouble.value == "", "the panel to be up to date again")
    assert panel.thread.is_alive()


def test_an_execution_that_is_deleted_ends_it(aws: Session, asked: str, panel: Watch) -> None:
    machine = aws.client("stepfunctions").describe_execution(executionArn=asked)["stateMachineArn"]
    gone = {"Error": {"Code": "ExecutionDoesNotExist", "Message": f"No execution of {machine}"}}
    assert panel._note(ClientError(gone, "DescribeExecution"))
    assert "stays here" in panel._trouble.value


def test_an_unknown_execution_is_refused_at_once(aws: Session, app: stack.App) -> None:
    arn = app.state_machine.replace(":stateMachine:", ":execution:") + ":nothing"
    with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
        watch.follow(aws, arn)


def test_a_notebook_saved_while_it_waits_shows_that_it_waits(
    aws: Session, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, kept = execution.look, []

    class Handle:
        def update(self, bundle: dict[str, str], *, raw: bool) -> None:
            assert raw
            kept.append(bundle["text/html"])

    def early(*arguments: Any) -> execution.Execution:
        monkeypatch.setattr(execution, "look", look)
        seen = look(*arguments)
        return dataclasses.replace(seen, events=seen.events[:-1])

    monkeypatch.setattr(execution, "look", early)
    panel = Watch(aws, asked, seconds=60)
    assert not panel.seen.waiting, "the mail is not sent yet"
    panel._handle = Handle()
    panel.refresh()
    assert "waiting" in kept[0]
    panel.stop()
    panel.thread.join(10)
    assert len(kept) == 2, "one more at its end"


def test_what_has_happened_is_shown_state_by_state(aws: Session, asked: str) -> None:
    pictures: list[int] = []

    class Slow(Watch):
        def _draw(self, events: list[Event]) -> None:
            pictures.append(len({event["id"] for event in events if "Entered" in event["type"]}))
            super()._draw(events)

    panel = Slow(aws, asked, seconds=0.05)
    until(lambda: "waiting" in panel._graph.value, "the last picture")
    approval.settle(aws, asked, allow=False)
    panel.thread.join(30)
    # ModifyState, ValidatePolicy, ChooseAction, TempRemove, AskUser (sent), UsersChoice, Denied
    assert pictures == sorted(pictures)
    assert set(range(8)) <= set(pictures)


def test_of_very_much_that_has_happened_the_last_is_shown() -> None:
    entered = [{"id": number, "type": "PassStateEntered"} for number in range(1, 101)]
    assert watch._pictures(entered, 40) == list(range(41, 101))
    assert watch._pictures(entered, 99) == [100]


def test_what_it_leaves_behind_needs_no_widget(aws: Session, asked: str, panel: Watch) -> None:
    approval.settle(aws, asked, allow=True)
    panel.thread.join(30)
    bundle = panel._bundle()
    assert "<svg" in bundle["text/html"]
    assert "Approved" in bundle["text/html"]
    assert "SUCCEEDED" in bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
