"""Runs state machines: moto's interpreter behind MiniStack's Step Functions API.

MiniStack keeps the machines, the executions' records and the API (names, paging, tags,
CloudFormation, EventBridge). What happens between StartExecution and the end is moto's, whose
events follow those that AWS was seen to record: types, order, details and previousEventId.

Every place where one library is reached into is in ``install``, each with its reason.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import eventbridge, stepfunctions
from moto.core.utils import utcnow
from moto.stepfunctions.parser.asl.eval import environment, states
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcome,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
)
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
    context,
    courses,
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
)
from helpers.localaws.courses import Course
from helpers.localaws.tokens import ActivityQueue, TokenPool, TokenRegistry

log = logging.getLogger("localaws.interpreter")

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], Answer]

TOKENS = TokenRegistry()
ACTIVITIES: dict[str, ActivityQueue] = {}


def install() -> None:
    """Join the two libraries. Call once, before either serves anything."""
    # Between StartExecution and the end, moto's interpreter runs.
    stepfunctions._run_execution = run_execution
    stepfunctions._send_task_success = send_task_success
    stepfunctions._send_task_failure = send_task_failure
    stepfunctions._send_task_heartbeat = send_task_heartbeat
    stepfunctions._get_activity_task = get_activity_task
    environment.CallbackPoolManager = TokenPool
    TokenPool.registry = TOKENS
    # AWS's tokens are long and need URL-encoding; moto's are UUIDs, and would hide the mistake.
    states.long_uid = TOKENS.new_token
    for module in (
        courses,
        context,
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
    try:
        worker = Worker(record)
        if record["status"] == "RUNNING":  # else it was stopped before it began
            worker._execution_logic()
    except Exception as error:  # the interpreter itself failed: end the execution, keep the server
        if record["status"] == "RUNNING":  # else it was stopped at its first step
            log.exception("The interpreter failed in %s", arn)
            stepfunctions._fail_execution(record, "States.Runtime", str(error))
    finally:
        record.pop("_environment", None)  # only the events stay: memory is flat over many runs


class Worker(ExecutionWorker):
    """One execution. It is its own communication object: told when the program has ended."""

    def __init__(self, record: dict[str, Any]) -> None:
        """Make the environment at once: StopExecution may come before the first step."""
        super().__init__(_details(record), self, None, ActivityStore())
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
        if self.record["status"] == "RUNNING":
            self.record["events"] = self.environment.event_manager._history_event_list
        program.eval(self.environment)
        self.terminated()

    def _begin(self, history: events.History, place: EventHistoryContext) -> None:
        """Write the first event, or the first of a redrive."""
        if self.record.get("redriveCount"):
            past = self.record["events"]
            history.restore(past)
            place.source_event_id = place.last_published_event_id = len(past)
            count = {"redriveCount": self.record["redriveCount"]}
            again = {"executionRedrivenEventDetails": count}
            history.add_event(place, "ExecutionRedriven", again)
            return
        details = {
            "input": self.record["input"],
            "inputDetails": {"truncated": False},
            "roleArn": self.record["roleArn"],
            **runs.qualified(self.record),
        }
        started = {"executionStartedEventDetails": details}
        history.add_event(place, "ExecutionStarted", started, update_source_event_id=False)

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
    if record["status"] != "RUNNING":
        return  # stopped meanwhile: StopExecution wrote the end
    status = {
        "ProgramEnded": "SUCCEEDED",
        "ProgramError": "FAILED",
        "ProgramStopped": "ABORTED",
        "ProgramTimedOut": "TIMED_OUT",
    }[type(state).__name__]
    if status == "SUCCEEDED":
        record["output"] = output
        del record["_course"]  # it is not redriven
    else:
        error = (state.error or {}) if status == "FAILED" else vars(state)
        record["error"], record["cause"] = error.get("error"), error.get("cause")
    record["stopDate"] = now_iso()
    record["status"] = status
    stepfunctions._emit_execution_status_event(record)


class ActivityStore(dict[str, Any]):
    """What the interpreter asks for an activity: MiniStack knows which exist."""

    def get(self, arn: str, default: Any = None) -> Any:
        """Return the queue of the activity, or ``default`` where there is no such activity."""
        if arn not in stepfunctions._activities:
            return default
        return ACTIVITIES.setdefault(arn, ActivityQueue())


def start_from_event(arn: str, payload: str) -> None:
    """Start an execution for an EventBridge target, named ``<event id>_<random>`` as AWS does."""
    name = f"{json.loads(payload).get('id', uuid.uuid4())}_{uuid.uuid4()}"
    status, _, body = stepfunctions._start_execution(
        {"stateMachineArn": arn, "input": payload, "name": name[:80]}
    )
    if status != 200:
        log.warning("EventBridge could not start %s: %s", arn, body.decode())


def stop_execution(data: dict[str, Any]) -> Answer:
    """StopExecution: the history ends with ExecutionAborted; what still runs is not listened to."""
    arn = data.get("executionArn")
    record = stepfunctions._executions.get(arn)
    if not record:
        return _error("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    if record["status"] == "RUNNING":
        # First of all: an execution that is about to begin looks at it once it has "_environment".
        record["status"] = "ABORTED"
        program = record.pop("_environment", None)
        details = {key: data[key] for key in ("error", "cause") if data.get(key)}
        begun = program and program.event_manager.get_event_history()
        history = begun or record["events"]
        aborted = {
            "id": len(history) + 1,
            "previousEventId": 0,
            "type": "ExecutionAborted",
            "timestamp": now_iso(),
            "executionAbortedEventDetails": details,
        }
        record.update(events=[*history, aborted], stopDate=now_iso(), **details)
        if program:
            program.set_stop(utcnow(), data.get("cause"), data.get("error"))
            program.callback_pool_manager.close_all()
        stepfunctions._emit_execution_status_event(record)
    return json_response({"stopDate": record["stopDate"]})


# --- task tokens -------------------------------------------------------------------------


def send_task_success(data: dict[str, Any]) -> Answer:
    """SendTaskSuccess: the waiting task goes on with ``output``."""
    token, output = data.get("taskToken", ""), data.get("output", "")
    try:
        json.loads(output)
    except (TypeError, ValueError) as error:
        return _error("InvalidOutput", f"Invalid Output: '{error}'")
    return _notify(token, CallbackOutcomeSuccess(token, output))


def send_task_failure(data: dict[str, Any]) -> Answer:
    """SendTaskFailure: the waiting task fails with ``error`` and ``cause``."""
    token = data.get("taskToken", "")
    return _notify(token, CallbackOutcomeFailure(token, data.get("error"), data.get("cause")))


def send_task_heartbeat(data: dict[str, Any]) -> Answer:
    """SendTaskHeartbeat: the waiting task's heartbeat clock starts again."""
    return _notify(data.get("taskToken", ""), None)


def _notify(token: str, outcome: CallbackOutcome | None) -> Answer:
    """Pass an outcome, or a heartbeat (None), to the task that waits for ``token``.

    A closed token is TaskTimedOut and not TaskDoesNotExist: "the task token has either expired
    or the task associated with the token has already been closed".
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
    """
    match TOKENS.notify(token, outcome):
        case "sent":
            return json_response({})
        case "closed":
            return _error("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        case _:
            return _error("InvalidToken", "Invalid Token: 'Invalid token'")


async def get_activity_task(data: dict[str, Any]) -> Answer:
    """GetActivityTask: a long poll of up to 60 seconds; an empty answer when nothing came."""
    arn = data.get("activityArn", "")
    queue = ActivityStore().get(arn)
    if queue is None:
        return _error("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
    task = await queue.poll(seconds=60)
    while task and not TOKENS.is_open(task.task_token):
        task = await queue.poll(seconds=60)  # that one's execution has ended meanwhile
    if task is None:
        return json_response({})
    TOKENS.begin(task.task_token, data.get("workerName"))
    return json_response({"taskToken": task.task_token, "input": task.task_input})


def _error(code: str, message: str) -> Answer:
    return error_response_json(code, message, 400)
