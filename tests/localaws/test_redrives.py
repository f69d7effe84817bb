"""RedriveExecution and StopExecution: what may be redriven, and where it goes on.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
"""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.localaws import interpreter
from tests.localaws.lessons import (
    DONE,
    FAIL,
    Lesson,
    Object,
    defined,
    eventually,
)


def _half(lesson: Lesson, topic: str) -> Object:
    """A machine whose second state can be made to work between two attempts."""
    publish = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": topic, "Message.$": "$word"},
        "ResultPath": None,
        "End": True,
    }
    prepare = {"Type": "Pass", "Assign": {"word": "it's said"}, "Result": 1, "Next": "Tell"}
    return defined(Prepare=prepare, Tell=publish)


def test_a_redrive_goes_on_at_the_state_that_failed(lesson: Lesson) -> None:
    states, sns = lesson.states, lesson.aws.client("sns")
    topic = f"arn:aws:sns:us-east-1:123456789012:t{uuid.uuid4().hex}"
    execution = lesson.run(_half(lesson, topic))
    assert lesson.types(execution)[-1] == "ExecutionFailed"
    before = states.get_execution_history(executionArn=execution)["events"]
    sns.create_topic(Name=topic.rsplit(":")[-1])
    date = states.redrive_execution(executionArn=execution)["redriveDate"]
    told = lesson.ended(execution, "SUCCEEDED")
    assert (told["redriveCount"], told["redriveDate"]) == (1, date)
    assert (told["redriveStatus"], told["output"]) == ("NOT_REDRIVABLE", "1")
    assert not {"error", "cause"} & set(told)
    events = states.get_execution_history(executionArn=execution)["events"]
    assert events[: len(before)] == before
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    redriven, *rest = events[len(before) :]
    assert redriven["executionRedrivenEventDetails"] == {"redriveCount": 1}
    scheduled = next(event for event in rest if event["type"] == "TaskScheduled")
    message = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Message"]
    assert message == "it's said"


def test_a_redrive_may_fail_again_and_be_redriven_again(lesson: Lesson) -> None:
    execution = lesson.run(FAIL)
    for count in (1, 2):
        lesson.states.redrive_execution(executionArn=execution)
        told = lesson.ended(execution, "FAILED")
        assert (told["redriveCount"], told["redriveStatus"]) == (count, "REDRIVABLE")
    assert lesson.types(execution).count("ExecutionRedriven") == 2


def test_a_redrive_takes_the_definition_of_then(lesson: Lesson) -> None:
    execution = lesson.run(FAIL)
    machine = lesson.states.describe_execution(executionArn=execution)["stateMachineArn"]
    lesson.states.update_state_machine(stateMachineArn=machine, definition=json.dumps(DONE))
    lesson.states.redrive_execution(executionArn=execution)
    assert lesson.ended(execution)["status"] == "FAILED"


def test_a_redrive_with_the_same_client_token_is_one(lesson: Lesson) -> None:
    execution = lesson.run(FAIL)
    redrive = lesson.states.redrive_execution
    dates = {}
    for token in ("once", "again", "once"):
        date = redrive(executionArn=execution, clientToken=token)["redriveDate"]
        assert dates.setdefault(token, date) == date
        lesson.ended(execution)
    assert lesson.types(execution).count("ExecutionRedriven") == 2


def test_a_stopped_execution_is_redriven_too(lesson: Lesson) -> None:
    execution = lesson.start(defined(Long={"Type": "Wait", "Seconds": 900, "End": True}))
    told = lesson.refused("redrive_execution", executionArn=execution)
    reason = "Execution is RUNNING and cannot be redriven"
    words = f"Execution {execution} invalid for redrive as: {reason}"
    assert told == ("ExecutionNotRedrivable", words)
    eventually(lambda: lesson.types(execution), lambda types: "WaitStateEntered" in types)
    lesson.states.stop_execution(executionArn=execution)
    lesson.states.redrive_execution(executionArn=execution)
    described = lesson.states.describe_execution(executionArn=execution)
    assert (described["status"], described["redriveStatus"]) == ("RUNNING", "NOT_REDRIVABLE")
    lesson.states.stop_execution(executionArn=execution)
    assert lesson.ended(execution)["status"] == "ABORTED"


def test_the_run_that_was_stopped_does_not_end_the_one_after_it(lesson: Lesson) -> None:
    """It is still coming to rest, on its own thread, when the redrive begins."""
    wait = {"Type": "Wait", "Seconds": 1, "End": True}
    both = {"Type": "Map", "ItemsPath": "$.n", "ItemProcessor": defined(Long=wait), "End": True}
    given = json.dumps({"n": [1, 2]})
    executions = [lesson.start(defined(Both=both), input=given) for _ in range(10)]
    for execution in executions * 3:
        lesson.states.stop_execution(executionArn=execution)
        lesson.states.redrive_execution(executionArn=execution)
    for execution in executions:
        assert lesson.ended(execution)["status"] == "SUCCEEDED"
        assert lesson.types(execution).count("ExecutionAborted") == 3
        assert lesson.types(execution)[-1] == "ExecutionSucceeded"


def test_the_wait_before_a_retry_ends_with_the_execution(lesson: Lesson) -> None:
    """Else the redriven one would begin when it is over."""
    again = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 900}
    tell = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": "arn:aws:sns:us-east-1:123456789012:none", "Message": "m"},
        "Retry": [again],
        "End": True,
    }
    execution = lesson.start(defined(Tell=tell))
    for times in (1, 2):
        eventually(
            lambda: lesson.types(execution).count("TaskFailed"), lambda count, n=times: count == n
        )
        lesson.states.stop_execution(executionArn=execution)
        lesson.states.redrive_execution(executionArn=execution)
    lesson.states.stop_execution(executionArn=execution)


def test_an_execution_is_stopped_at_once_even_before_it_began(lesson: Lesson) -> None:
    states = lesson.states
    machine = lesson.create(defined(Long={"Type": "Wait", "Seconds": 900, "End": True}))
    for _ in range(20):
        execution = states.start_execution(stateMachineArn=machine)["executionArn"]
        stopped = states.stop_execution(executionArn=execution)["stopDate"]
        told = states.describe_execution(executionArn=execution)
        assert (told["status"], told["stopDate"]) == ("ABORTED", stopped)
        assert lesson.types(execution)[-1] == "ExecutionAborted"


def test_what_has_succeeded_is_not_redriven(lesson: Lesson) -> None:
    told = lesson.refused("redrive_execution", executionArn=lesson.run(DONE))
    assert told[0] == "ExecutionNotRedrivable"


@pytest.mark.parametrize("now", [None, "the one that was redriven"])
def test_a_run_that_was_stopped_at_its_first_step_leaves_the_history_alone(
    monkeypatch: pytest.MonkeyPatch, now: Any
) -> None:
    """StopExecution has written its own event, and a redrive may have begun meanwhile."""
    told = ["ExecutionStarted", "ExecutionAborted"]
    program = SimpleNamespace(eval=lambda environment: None)
    monkeypatch.setattr(interpreter.parsing, "parse", lambda definition: program)
    record = {"definition": "{}", "status": "RUNNING", "events": told, "_environment": now}
    manager = SimpleNamespace(_history_event_list=["ExecutionStarted"])
    stopped = SimpleNamespace(
        record=record,
        environment=SimpleNamespace(event_manager=manager, event_history_context=None),
        _begin=lambda *_: None,
        terminated=lambda: None,
    )
    interpreter.Worker._execution_logic(stopped)
    assert record["events"] is told
