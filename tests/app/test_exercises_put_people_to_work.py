"""The checks of 06_put_people_to_work: right workers are right, each mistake has its words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from helpers import laboratory, worker
from helpers.errors import WorkbookError
from helpers.exercises import put_people_to_work as check
from helpers.session import Session

Task = dict[str, str]
MISSED = "States.HeartbeatTimeout"


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(lasting_aws: Session) -> Any:
    yield
    laboratory.delete(lasting_aws)


def _care(errors: list[str], seconds: Any = 1, **retrier: Any) -> dict[str, Any]:
    return {
        "HeartbeatSeconds": seconds,
        "Retry": [{"ErrorEquals": errors, "MaxAttempts": 2, **retrier}],
    }


class Worker:
    """A worker that does right, but for what is said otherwise."""

    def __init__(self, aws: Session, **otherwise: Callable[[Task, Any], Any]) -> None:
        self.states, self.otherwise = aws.client("stepfunctions"), otherwise

    def __call__(self, task: Task) -> None:
        grants = json.loads(task["input"]).get("grants")
        kind = "bad" if not isinstance(grants, list) else "granting" if grants else "harmless"
        self.otherwise.get(kind, getattr(self, kind))(task, self)

    @staticmethod
    def granting(task: Task, self: Worker) -> None:
        self.succeed(task, {"action": "delete"})

    @staticmethod
    def harmless(task: Task, self: Worker) -> None:
        self.succeed(task, {"by": "me", "action": "allow"})

    @staticmethod
    def bad(task: Task, self: Worker) -> None:
        self.fail(task, error="NotAPolicy", cause="It has no list of grants.")

    def succeed(self, task: Task, answer: Any) -> None:
        self.states.send_task_success(taskToken=task["taskToken"], output=json.dumps(answer))

    def fail(self, task: Task, **why: str) -> None:
        self.states.send_task_failure(taskToken=task["taskToken"], **why)


def test_a_worker_that_answers_each_task_is_right(aws: Session) -> None:
    verdict = check.work(aws, Worker(aws))
    assert verdict, verdict
    assert "Four tasks" in verdict.words


def _silent(task: Task, worker: Worker) -> None:
    """Send nothing."""


def _raise(task: Task, worker: Worker) -> None:
    raise KeyError("grants")


WRONG_WORKERS = {
    "nothing was sent": {"granting": _silent},
    "still waits": {"bad": _silent},
    "An exception stays with the worker": {"bad": _raise},
    "'allow' for a policy that grants s3:DeleteBucket": {"granting": Worker.harmless},
    "'delete' for a policy that grants nothing": {"harmless": Worker.granting},
    "an object with the field action": {"granting": lambda task, me: me.succeed(task, "delete")},
    "A good task failed": {"harmless": Worker.bad},
    "the worker reported success": {"bad": Worker.harmless},
    "is called nothing": {"bad": lambda task, me: me.fail(task)},
    "is called Bad": {"bad": lambda task, me: me.fail(task, error="Bad")},
    "Step Functions refused a call": {
        "granting": lambda task, me: me.states.send_task_success(
            taskToken=task["taskToken"], output="no JSON"
        )
    },
}


@pytest.mark.parametrize("words", WRONG_WORKERS)
def test_a_worker_that_does_wrong_is_told_what(aws: Session, words: str) -> None:
    verdict = check.work(aws, Worker(aws, **WRONG_WORKERS[words]))
    assert verdict.done is False
    assert words in verdict.words


@pytest.mark.parametrize(
    "answer",
    [
        _care([MISSED]),
        _care(["States.Timeout"]),
        _care(["States.ALL"], IntervalSeconds=2, BackoffRate=1.5) | {"TimeoutSeconds": 120},
    ],
    ids=["its name", "every timeout", "everything"],
)
def test_fields_that_survive_a_death_are_right(aws: Session, answer: dict[str, Any]) -> None:
    verdict = check.care(aws, answer)
    assert verdict, verdict
    assert "went to another" in verdict.words


WRONG_FIELDS = {
    "nobody would ever know": {"Retry": _care([MISSED])["Retry"]},
    "noticed after 30 s": _care([MISSED], 30),
    "who is alive and sends heartbeats": _care([MISSED]) | {"TimeoutSeconds": 5},
    "only 60 s after": _care([MISSED], IntervalSeconds=60),
    "no other was given the task": {"HeartbeatSeconds": 1},
    "with States.Timeout": _care(["NotAPolicy"]),
    "2 workers may try": _care([MISSED], MaxAttempts=1),
    "More than 3 workers": _care([MISSED], MaxAttempts=3),
    "Step Functions refuses this state": _care([MISSED], "1"),
    "/States/Review/HeartbeatSeconds": _care([MISSED], 2) | {"TimeoutSeconds": 2},
}


@pytest.mark.parametrize("words", WRONG_FIELDS)
def test_fields_that_do_not_are_told_why(aws: Session, words: str) -> None:
    verdict = check.care(aws, WRONG_FIELDS[words])
    assert verdict.done is False
    assert words in verdict.words


def test_dots_are_no_answer_yet(aws: Session) -> None:
    assert check.work(aws, ...).done is None
    assert check.care(aws, ...).done is None
    assert check.care(aws, {"HeartbeatSeconds": 1, "Retry": ...}).done is None


def test_nothing_waits_when_a_check_is_over(aws: Session) -> None:
    """Or the next check's first poll would get what the last one left."""
    check.work(aws, Worker(aws, granting=_silent))
    check.care(aws, _care(["NotAPolicy"]))
    states = aws.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        if machine["name"].startswith(check.NAME):
            arn = machine["stateMachineArn"]
            running = states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")
            assert running["executions"] == []


class TestWorker:
    """`helpers.worker`."""

    @pytest.fixture
    def execution(self, aws: Session) -> str:
        activity = aws.client("stepfunctions").create_activity(name="workbook-tests")
        state = {"Type": "Task", "Resource": activity["activityArn"], "End": True}
        definition = {"StartAt": "A", "States": {"A": state}}
        self.machine = laboratory.machine(aws, "workbook-tests", definition)
        worker.clear(aws, self.machine)
        started = aws.client("stepfunctions").start_execution(stateMachineArn=self.machine)
        return started["executionArn"]

    def test_a_poll_may_last_longer_than_boto3_waits(self, aws: Session) -> None:
        waits = worker.client(aws).meta.config.read_timeout
        assert waits >= 65 > aws.client("stepfunctions").meta.config.read_timeout

    def test_an_event_is_waited_for(self, aws: Session, execution: str) -> None:
        events = worker.wait_for(aws, execution, "ActivityScheduled")
        assert [event["type"] for event in events][-1] == "ActivityScheduled"

    def test_an_execution_that_is_over_is_not_waited_for(
        self, aws: Session, execution: str
    ) -> None:
        worker.wait_for(aws, execution, "ActivityScheduled")
        assert worker.clear(aws, self.machine) == 1
        assert worker.clear(aws, self.machine) == 0
        with pytest.raises(WorkbookError, match="ABORTED, and its history has no ActivityStarted"):
            worker.wait_for(aws, execution, "ActivityStarted")
        with pytest.raises(WorkbookError, match="no ActivityScheduled number 2"):
            worker.wait_for(aws, execution, "ActivityScheduled", times=2)
