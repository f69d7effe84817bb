"""The checks of 06_put_people_to_work: real tasks for the worker, a real death for the state."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from helpers import exercise, incident, laboratory, worker
from helpers.errors import WorkbookError
from helpers.exercise import Wrong
from helpers.session import Session

NAME = "workbook-exercise-of-06"  # the activity's and the machine's
BAD_INPUT = "NotAPolicy"  # the error that the worker is to report
NOTICED_SECONDS = 2
AGAIN_SECONDS = 5
WORK_SECONDS = 60
WORKERS = 3

_GRANTING = {"policy": "cleaner", "grants": ["s3:DeleteBucket"]}
_HARMLESS = {"policy": "reader", "grants": []}
_WITHOUT = {"policy": "stranger"}
_OTHER = {"policy": "number", "grants": 7}
# What a missed heartbeat is called: the newer name, and the one of every timeout.
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_MISSED = ("States.HeartbeatTimeout", "States.Timeout")


@exercise.check
def work(session: Session, answer: Callable[[dict[str, str]], Any]) -> str:
    """Judge a worker: it gets the tasks of four executions, two of them bad ones."""
    activity = _activity(session)
    machine = laboratory.machine(session, NAME, _machine(activity))
    for policy, action in ((_GRANTING, "delete"), (_HARMLESS, "allow")):
        _expect(action, _Task.of(session, machine, activity, policy).given_to(answer))
    for policy in (_WITHOUT, _OTHER):
        _expect_failure(_Task.of(session, machine, activity, policy).given_to(answer))
    return (
        "Four tasks, four answers: one denied, one allowed, and two reported as failed, so that "
        "the state machine can catch them."
    )


@exercise.check
def care(session: Session, answer: Mapping[str, Any]) -> str:
    """Judge the fields of a Task state by the death of its first worker."""
    activity = _activity(session)
    state = {"Type": "Task", "Resource": activity, **answer, "End": True}
    definition = {"StartAt": "Review", "States": {"Review": state}}
    _check_valid(session, definition)
    _check_seconds(state)
    machine = laboratory.machine(session, f"{NAME}-care", definition)
    _let_the_first_die(session, machine, activity)
    retries = max(_retries(session, state, error) for error in _MISSED)
    if retries != WORKERS - 1:
        given = f"{retries + 1} workers" if retries < WORKERS else f"More than {WORKERS} workers"
        raise Wrong(f"{given} may try. MaxAttempts counts only the retries.")
    return (
        f"The first worker died, and after {state['HeartbeatSeconds']} s without a heartbeat the "
        "task went to another one."
    )


def _activity(session: Session) -> str:
    return session.client("stepfunctions").create_activity(name=NAME)["activityArn"]


def _machine(activity: str) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": activity, "End": True}
    return {"StartAt": "Review", "States": {"Review": state}}


# --- a worker ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    """A task that an execution waits with, as a worker is given it."""

    session: Session
    execution: str
    policy: dict[str, Any]
    given: dict[str, str]

    @classmethod
    def of(cls, session: Session, machine: str, activity: str, policy: dict[str, Any]) -> _Task:
        """Start an execution and take its task; there is no other, so no poll waits."""
        worker.clear(session, machine)
        states = session.client("stepfunctions")
        execution = states.start_execution(stateMachineArn=machine, input=json.dumps(policy))
        arn = execution["executionArn"]
        worker.wait_for(session, arn, "ActivityScheduled")
        task = worker.client(session).get_activity_task(activityArn=activity, workerName="you")
        given = {key: task[key] for key in ("taskToken", "input")}
        return cls(session, arn, policy, given)

    def given_to(self, answer: Callable[[dict[str, str]], Any]) -> _Task:
        """Let the worker work, and see to it that there was an answer. Raises Wrong."""
        try:
            answer(dict(self.given))
        except Exception as error:  # a learner's code may raise anything
            raise Wrong(self._raised(error)) from error
        if self._is_open():
            raise Wrong(
                f"The task with the input {self.given['input']} still waits: your function "
                "returned, and nothing was sent with its token."
            )
        return self

    def _raised(self, error: Exception) -> str:
        words = f"{type(error).__name__}: {error}"
        if isinstance(error, ClientError):
            return f"With the input {self.given['input']}, Step Functions refused a call. {words}"
        return (
            f"With the input {self.given['input']}, your function raised {words}. An exception "
            "stays with the worker: Step Functions never hears of it, and the task waits on."
        )

    def _is_open(self) -> bool:
        """Whether the token still waits for an answer: a heartbeat is only taken then."""
        states = self.session.client("stepfunctions")
        try:
            states.send_task_heartbeat(taskToken=self.given["taskToken"])
        except (states.exceptions.TaskTimedOut, states.exceptions.TaskDoesNotExist):
            return False
        states.stop_execution(executionArn=self.execution)
        return True

    def outcome(self) -> dict[str, Any]:
        """Wait for the end of the execution; return its description."""
        incident.wait_for_end(self.session, self.execution)
        states = self.session.client("stepfunctions")
        return states.describe_execution(executionArn=self.execution)


def _expect(action: str, task: _Task) -> None:
    outcome = task.outcome()
    if outcome["status"] == "FAILED":
        raise Wrong(
            f"A good task failed: the input {task.given['input']} was reported as "
            f"{outcome.get('error') or 'an error without a name'}."
        )
    verdict = json.loads(outcome["output"])
    if not isinstance(verdict, dict) or "action" not in verdict:
        raise Wrong(
            f"The answer was {outcome['output']}: the state machine looks for an object with the "
            "field action."
        )
    if verdict["action"] != action:
        raise Wrong(
            f"The action was {verdict['action']!r} for a policy that grants "
            f"{', '.join(task.policy['grants']) or 'nothing'}."
        )


def _expect_failure(task: _Task) -> None:
    outcome = task.outcome()
    if outcome["status"] == "SUCCEEDED":
        raise Wrong(
            f"The input {task.given['input']} has no list of grants, and the worker reported "
            f"success: {outcome['output']}"
        )
    if outcome.get("error") != BAD_INPUT:
        raise Wrong(
            f"The failure is called {outcome.get('error') or 'nothing'}: under which name should "
            "Retry and Catch know it?"
        )


# --- a state -----------------------------------------------------------------------------


def _check_valid(session: Session, definition: Mapping[str, Any]) -> None:
    found = session.client("stepfunctions").validate_state_machine_definition(
        definition=json.dumps(definition)
    )
    errors = [f"{each['message']} ({each['location']})" for each in found["diagnostics"]]
    if found["result"] != "OK":
        raise Wrong(f"Step Functions refuses this state. {' '.join(errors)}")


def _check_seconds(state: Mapping[str, Any]) -> None:
    if "HeartbeatSeconds" not in state:
        raise Wrong("There is no HeartbeatSeconds: nobody would ever know that a worker had died.")
    if state["HeartbeatSeconds"] > NOTICED_SECONDS:
        raise Wrong(
            f"A death would be noticed after {state['HeartbeatSeconds']} s: that is too late."
        )
    if state.get("TimeoutSeconds", WORK_SECONDS) < WORK_SECONDS:
        raise Wrong(
            f"After {state['TimeoutSeconds']} s the task would be taken from a worker who is "
            "alive and sends heartbeats: TimeoutSeconds is for the whole work."
        )
    for retrier in state.get("Retry", []):
        if retrier.get("IntervalSeconds", 1) > AGAIN_SECONDS:
            raise Wrong(
                f"The next worker could take the task only {retrier['IntervalSeconds']} s after "
                "the death was noticed: that is too late."
            )


def _let_the_first_die(session: Session, machine: str, activity: str) -> None:
    worker.clear(session, machine)
    states = session.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    try:
        worker.wait_for(session, execution, "ActivityScheduled")
        worker.client(session).get_activity_task(activityArn=activity, workerName="the first")
        worker.wait_for(session, execution, "ActivityScheduled", times=2)
    except WorkbookError as error:
        ended = states.describe_execution(executionArn=execution)
        raise Wrong(
            f"The first worker died, and no other was given the task: the execution is "
            f"{ended['status']}, with {ended.get('error', 'no error yet')}."
        ) from error
    finally:
        worker.clear(session, machine)


def _retries(session: Session, state: Mapping[str, Any], error: str) -> int:
    """Return how often a state is tried again after this error; counts no further than needed.

    https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html
    """
    states = session.client("stepfunctions")
    for count in range(WORKERS):
        tested = states.test_state(
            definition=json.dumps(state),
            mock={"errorOutput": {"error": error, "cause": "No heartbeat came."}},
            stateConfiguration={"retrierRetryCount": count},
        )
        if tested["status"] != "RETRIABLE":
            return count
    return WORKERS
