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
from collections.abc import Callable
from typing import Any

import jsonata
from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import eventbridge, stepfunctions
from ministack.services.cloudformation import provisioners
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
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    Preprocessor,
)
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

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
    stepfunctions._start_execution = _named(stepfunctions._start_execution)
    stepfunctions._send_task_success = send_task_success
    stepfunctions._send_task_failure = send_task_failure
    stepfunctions._send_task_heartbeat = send_task_heartbeat
    stepfunctions._get_activity_task = get_activity_task
    environment.CallbackPoolManager = TokenPool
    TokenPool.registry = TOKENS
    # AWS's tokens are long and need URL-encoding; moto's are UUIDs, and would hide the mistake.
    states.long_uid = TOKENS.new_token
    # moto expects a Java virtual machine here.
    moto_jsonata._eval_jsonata = evaluate_jsonata
    # Each use of a path parses it anew, 0.4 ms each; a definition has the same few all the time.
    json_path.parse = functools.lru_cache(maxsize=1024)(json_path.parse)
    # MiniStack accepts any JSON as a definition; AWS refuses what cannot run.
    stepfunctions._create_state_machine = _validated(stepfunctions._create_state_machine)
    stepfunctions._update_state_machine = _validated(stepfunctions._update_state_machine)
    # In a stack too; and by then it is parsed: the first execution does not pay for that.
    handlers = provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachine"]
    handlers["create"] = _validated_resource(handlers["create"])
    # AWS names an execution after its event, so that one can be followed to the other.
    eventbridge._dispatch_to_stepfunctions = start_from_event
    # The first parse of all fills antlr4's caches: not while a learner waits.
    parse('{"StartAt": "Warm", "States": {"Warm": {"Type": "Pass", "End": true}}}')


def evaluate_jsonata(expression: str) -> Any:
    """Evaluate a JSONata expression with jsonata-python; raise moto's JSONataException."""
    try:
        return jsonata.Jsonata(expression).evaluate(None)
    except Exception as error:  # jsonata-python raises many types; AWS knows one
        raise moto_jsonata.JSONataException("UNKNOWN", str(error)) from error


# --- parsing -----------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _pickled(definition: str) -> bytes:
    """Return a definition's program as bytes: reading it again costs 1 ms, parsing it 20 ms."""
    with _parsing:
        tree = AmazonStateLanguageParser.parse(definition)[1]
        return pickle.dumps(Preprocessor().visit(tree))


def parse(definition: str) -> Any:
    """Return a fresh program for a definition (an execution changes its own)."""
    return pickle.loads(_pickled(definition))  # noqa: S301 - our own bytes, never leaving memory


def definition_error(definition: str) -> str | None:
    """Return what is wrong with a definition, in one sentence, or None."""
    try:
        document = json.loads(definition)
    except ValueError as error:
        return f"Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {error}'"
    states = document.get("States") if isinstance(document, dict) else None
    if not isinstance(states, dict) or not states:
        return "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: States is missing'"
    if document.get("StartAt") not in states:
        return (
            "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: "
            f"Missing 'Next' target: {document.get('StartAt')} at /StartAt'"
        )
    try:
        parse(definition)
    except Exception as error:  # noqa: BLE001 - the parser's, and Python's out of its visitors
        return f"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: {error}'"
    return None


def _validated(operation: Operation) -> Operation:
    """Wrap CreateStateMachine or UpdateStateMachine: refuse what cannot run."""

    def checked(data: dict[str, Any]) -> Answer:
        definition = data.get("definition")
        error = definition_error(definition) if isinstance(definition, str) else None
        return _error("InvalidDefinition", error) if error else operation(data)

    return checked


def _validated_resource(create: Any) -> Any:
    """Wrap CloudFormation's creation of a state machine: refuse what cannot run."""

    def checked(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        error = definition_error(provisioners._sfn_definition(properties))
        if error:
            raise ValueError(f"{error} (Service: Sfn, Status Code: 400)")
        return create(logical_id, properties, stack_name)

    return checked


# --- executions --------------------------------------------------------------------------


def run_execution(arn: str) -> None:
    """Run the execution that MiniStack has just recorded under ``arn``, to its end.

    Called on a thread of its own, with the caller's account and region in its context.
    """
    record = stepfunctions._executions[arn]
    machine = stepfunctions._state_machines[record["stateMachineArn"]]
    account, region = arn.split(":")[4], arn.split(":")[3]
    role = machine["roleArn"]
    details = EvaluationDetails(
        AWSExecutionDetails(account, region, role),
        ExecutionDetails(
            arn, record["name"], role, json.loads(record["input"]), record["startDate"]
        ),
        StateMachineDetails(
            machine["stateMachineArn"], machine["name"], machine["type"], machine["definition"]
        ),
    )
    try:
        Worker(record, details)._execution_logic()
    except Exception as error:  # the interpreter itself failed: end the execution, keep the server
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
        record["_environment"] = self.environment

    def _get_evaluation_entrypoint(self) -> Any:
        return parse(self._evaluation_details.state_machine_details.definition)

    def _get_evaluation_environment(self) -> Environment:
        # From here on the record shows the interpreter's own, growing list of events.
        self.record["events"] = self.environment.event_manager._history_event_list
        return self.environment

    def terminated(self) -> None:
        """Write the program's end into the record."""
        self.environment.callback_pool_manager.close_all()
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


def _named(start: Operation) -> Operation:
    """Wrap StartExecution: the same name with the same input, while it runs, is the same execution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """

    def start_execution(data: dict[str, Any]) -> Answer:
        try:
            json.loads(data.get("input", "{}"))
        except (TypeError, ValueError) as error:
            return _error(
                "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
            )
        machine = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        if machine is None:
            arn = data.get("stateMachineArn")
            return _error("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        if data.get("name"):
            arn = machine.replace(":stateMachine:", ":execution:") + f":{data['name']}"
            known = stepfunctions._executions.get(arn)
            same = (
                known and known["status"] == "RUNNING" and known["input"] == data.get("input", "{}")
            )
            if same:
                return json_response({"executionArn": arn, "startDate": known["startDate"]})
        return start(data)

    return start_execution


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
    program = record.pop("_environment", None)
    if record["status"] == "RUNNING" and program:
        details = {key: data[key] for key in ("error", "cause") if data.get(key)}
        history = program.event_manager.get_event_history()
        aborted = {
            "id": len(history) + 1,
            "previousEventId": 0,
            "type": "ExecutionAborted",
            "timestamp": now_iso(),
            "executionAbortedEventDetails": details,
        }
        record.update(events=[*history, aborted], stopDate=now_iso(), status="ABORTED", **details)
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
