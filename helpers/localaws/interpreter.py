"""Runs state machines: moto's interpreter behind MiniStack's Step Functions API.

MiniStack keeps the machines, the executions' records and the API (names, paging, tags,
CloudFormation, EventBridge). What happens between StartExecution and the end is moto's, whose
events follow those that AWS was seen to record: types, order, details and previousEventId.

Every place where one library is reached into is in ``install``, each with its reason.
"""

from __future__ import annotations

import functools
import json
import logging
import uuid
from collections import deque
from typing import Any

from ministack.services import eventbridge, stepfunctions
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import (
    AWSExecutionDetails,
    EvaluationDetails,
    ExecutionDetails,
    StateMachineDetails,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramTimedOut
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from helpers.localaws import (
    branches,
    callbacks,
    context,
    courses,
    credentials,
    distributed,
    events,
    expressions,
    failures,
    faults,
    integrations,
    intrinsics,
    parsing,
    paths,
    runs,
    turns,
)
from helpers.localaws.courses import Course

log = logging.getLogger("localaws.interpreter")


def install() -> None:
    """Join the two libraries. Call once, before either serves anything."""
    # Between StartExecution and the end, moto's interpreter runs.
    stepfunctions._run_execution = run_execution
    for module in (
        callbacks,
        courses,
        context,
        turns,
        credentials,
        events,
        failures,
        faults,
        paths,
        intrinsics,
        expressions,
        branches,
        integrations,
        distributed,
        parsing,
    ):
        module.install()
    # It holds every event that was ever published, and nobody reads it.
    eventbridge._events_log_list = functools.partial(deque, maxlen=0)
    # AWS names an execution after its event, so that one can be followed to the other.
    eventbridge._dispatch_to_stepfunctions = start_from_event


# --- executions --------------------------------------------------------------------------


def run_execution(arn: str) -> None:
    """Run the execution that MiniStack has just recorded under ``arn``, to its end.

    Called on a thread of its own, with the caller's account and region in its context.
    """
    record = stepfunctions._executions.get(arn)
    if record is None:
        return  # deleted meanwhile, with its machine
    with record["_at_work"]:  # one that was stopped and redriven may still be coming to rest
        _run(record)


def _run(record: dict[str, Any]) -> None:
    worker = None
    try:
        with turns.TURNS.taken():
            worker = Worker(record)
            with runs.ENDS:  # StopExecution may be at it
                stopped = record["status"] != "RUNNING"
            if not stopped:
                worker._execution_logic()
    except Exception as error:  # the interpreter itself failed: end the execution, keep the server
        if worker is None or "_environment" in record:  # else it was stopped at its first step
            log.exception("The interpreter failed in %s", record["executionArn"])
            stepfunctions._fail_execution(record, "States.Runtime", str(error))
    finally:
        record.pop("_environment", None)  # only the events stay: memory is flat over many runs


class Worker(ExecutionWorker):
    """One execution. It is its own communication object: told when the program has ended."""

    def __init__(self, record: dict[str, Any]) -> None:
        """Make the environment at once: StopExecution may come before the first step."""
        super().__init__(_details(record), self, None, callbacks.ActivityStore())
        self.record = record
        self.environment: Environment = super()._get_evaluation_environment()
        self.environment.next_state_name = None  # it runs, and so can be stopped
        data = self.environment.states.context_object.context_object_data
        data["Execution"] = context.of_execution(record)
        self.environment.event_history_context.course = record.setdefault(
            "_course", Course(given=record["input"])
        )
        self.environment.event_manager.limited = record["type"] == "STANDARD"
        record["_environment"] = self.environment

    def _execution_logic(self) -> None:
        """Run the execution. Takes the place of moto's, which knows no versions and no redrives."""
        program = parsing.parse(self.record["definition"])
        self._begin(self.environment.event_manager, self.environment.event_history_context)
        # From here on the record shows the interpreter's own, growing list of events.
        with runs.ENDS:  # StopExecution may have written its own, and a redrive may follow it
            if self.record.get("_environment") is self.environment:
                self.record["events"] = self.environment.event_manager._history_event_list
        program.eval(self.environment)
        self.terminated()

    def _begin(self, history: events.History, place: EventHistoryContext) -> None:
        """Go on after the events that there are: the first one, or all before a redrive."""
        past = self.record["events"]
        history.restore(past)
        place.last_published_event_id = len(past)
        if self.record.get("redriveCount"):
            place.source_event_id = len(past)
            count = {"redriveCount": self.record["redriveCount"]}
            again = {"executionRedrivenEventDetails": count}
            history.add_event(place, "ExecutionRedriven", again)

    def terminated(self) -> None:
        """Write the program's end into the record."""
        self.environment.callback_pool_manager.close_all()
        if isinstance(self.environment.program_state(), ProgramTimedOut):
            # moto would add it only when the state that took too long has ended by itself.
            self.environment.event_manager.add_event(
                self.environment.event_history_context, "ExecutionTimedOut"
            )
        output = to_json_str(self.environment.states.get_input(), separators=(",", ":"))
        _finish(self.record, self.environment.program_state(), output)


def _details(record: dict[str, Any]) -> EvaluationDetails:
    """Return what moto wants to know of an execution."""
    arn, role = record["executionArn"], record["roleArn"]
    account, region = arn.split(":")[4], arn.split(":")[3]
    given = json.loads(record["input"])
    return EvaluationDetails(
        AWSExecutionDetails(account, region, role),
        ExecutionDetails(arn, record["name"], role, given, record["startDate"]),
        StateMachineDetails(
            record["stateMachineArn"],
            runs.machine_name(record),
            record["type"],
            record["definition"],
        ),
    )


def _finish(record: dict[str, Any], state: Any, output: str) -> None:
    """Write the end of a program into MiniStack's record and announce it."""
    status = {
        "ProgramEnded": "SUCCEEDED",
        "ProgramError": "FAILED",
        "ProgramStopped": "ABORTED",
        "ProgramTimedOut": "TIMED_OUT",
    }[type(state).__name__]
    if status == "SUCCEEDED":
        if runs.end(record, status=status, output=output):
            del record["_course"]  # it is not redriven
    else:
        error = (state.error or {}) if status == "FAILED" else vars(state)
        runs.end(record, status=status, error=error.get("error"), cause=error.get("cause"))


def start_from_event(arn: str, payload: str) -> None:
    """Start an execution for an EventBridge target, named ``<event id>_<random>`` as AWS does."""
    name = f"{json.loads(payload).get('id', uuid.uuid4())}_{uuid.uuid4()}"
    status, _, body = stepfunctions._start_execution(
        {"stateMachineArn": arn, "input": payload, "name": name[:80]}
    )
    if status != 200:
        log.warning("EventBridge could not start %s: %s", arn, body.decode())
