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
import pickle
import threading
import uuid
from collections import deque
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
from moto.stepfunctions.parser.asl.eval.program_state import ProgramTimedOut
from moto.stepfunctions.parser.asl.parse import preprocessor
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from helpers.localaws import (
    branches,
    distributed,
    events,
    expressions,
    failures,
    integrations,
    intrinsics,
    paths,
    turns,
)
from helpers.localaws.tokens import ActivityQueue, TokenPool, TokenRegistry

log = logging.getLogger("localaws.interpreter")

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], Answer]

TOKENS = TokenRegistry()
ACTIVITIES: dict[str, ActivityQueue] = {}
# antlr4's parser shares caches between instances and is not thread-safe.
_parsing = threading.Lock()


def install() -> None:
    """Join the two libraries. Call once, before either serves anything."""
    # Between StartExecution and the end, moto's interpreter runs.
    stepfunctions._run_execution = run_execution
    stepfunctions._stop_execution = stop_execution
    stepfunctions._send_task_success = send_task_success
    stepfunctions._send_task_failure = send_task_failure
    stepfunctions._send_task_heartbeat = send_task_heartbeat
    stepfunctions._get_activity_task = get_activity_task
    environment.CallbackPoolManager = TokenPool
    TokenPool.registry = TOKENS
    # AWS's tokens are long and need URL-encoding; moto's are UUIDs, and would hide the mistake.
    states.long_uid = TOKENS.new_token
    for module in (
        turns,
        events,
        failures,
        paths,
        intrinsics,
        expressions,
        branches,
        integrations,
        distributed,
    ):
        module.install()
    # moto leaves the escapes of JSON in a definition's strings, or reads them as Python's.
    preprocessor.Preprocessor._inner_string_of = staticmethod(string_of)
    preprocessor.from_string_literal = string_of
    # It holds every event that was ever published, and nobody reads it.
    eventbridge._events_log_list = functools.partial(deque, maxlen=0)
    # AWS names an execution after its event, so that one can be followed to the other.
    eventbridge._dispatch_to_stepfunctions = start_from_event
    # The first parse of all fills antlr4's caches: not while a learner waits.
    parse('{"StartAt": "Warm", "States": {"Warm": {"Type": "Pass", "End": true}}}')


# --- parsing -----------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _pickled(definition: str) -> bytes:
    """Return a definition's program as bytes: reading it again costs 1 ms, parsing it 20 ms."""
    with turns.TURNS.lent(), _parsing:
        document = json.loads(definition)
        batchers = distributed.adapt(document)
        program = _parsed(document)
        distributed.attach(program, {name: _parsed(each) for name, each in batchers.items()})
        expressions.name_fields(program, json.loads(definition))
        return pickle.dumps(program)


def string_of(parser_rule_context: Any) -> str | None:
    """Return the string, or null, that stands in a definition."""
    text = parser_rule_context.getText()
    return json.loads(text) if text == "null" or text.startswith('"') else text


def _parsed(document: dict[str, Any]) -> Any:
    return AmazonStateLanguageParser.parse(json.dumps(document, ensure_ascii=False))[0]


def parse(definition: str) -> Any:
    """Return a fresh program for a definition (an execution changes its own)."""
    return pickle.loads(_pickled(definition))  # noqa: S301 - our own bytes, never leaving memory


# --- executions --------------------------------------------------------------------------


def run_execution(arn: str) -> None:
    """Run the execution that MiniStack has just recorded under ``arn``, to its end.

    Called on a thread of its own, with the caller's account and region in its context.
    """
    record = stepfunctions._executions.get(arn)
    machine = record and stepfunctions._state_machines.get(record["stateMachineArn"])
    if machine is None:
        return  # deleted meanwhile, and its executions with it
    account, region = arn.split(":")[4], arn.split(":")[3]
    role = machine["roleArn"]
    details = EvaluationDetails(
        AWSExecutionDetails(account, region, role),
        ExecutionDetails(
            arn, record["name"], role, json.loads(record["input"]), record["startDate"]
        ),
        StateMachineDetails(
            machine["stateMachineArn"],
            machine["name"],
            machine["type"],
            record.get("definition", machine["definition"]),
        ),
    )
    try:
        with turns.TURNS.taken():
            worker = record.pop("_worker", Worker)(record, details)
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

    def __init__(self, record: dict[str, Any], details: EvaluationDetails) -> None:
        """Make the environment at once: StopExecution may come before the first step."""
        super().__init__(details, self, None, ActivityStore())
        self.record = record
        self.environment: Environment = super()._get_evaluation_environment()
        self.environment.next_state_name = None  # it runs, and so can be stopped
        record["_environment"] = self.environment

    def _get_evaluation_entrypoint(self) -> Any:
        return parse(self._evaluation_details.state_machine_details.definition)

    def _get_evaluation_environment(self) -> Environment:
        # From here on the record shows the interpreter's own, growing list of events.
        if self.record["status"] == "RUNNING":
            self.record["events"] = self.environment.event_manager._history_event_list
        return self.environment

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
