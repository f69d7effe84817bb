"""One state alone: TestState, in the interpreter that runs state machines, as the given role.

What a state retries or catches is told, not done: RETRIABLE and CAUGHT_ERROR.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.core.iam_evaluator import validate_role_arn
from ministack.core.responses import get_account_id, get_region, json_response, now_iso
from ministack.services import stepfunctions
from moto.stepfunctions.parser.api import (
    HistoryEventType,
    StateMachineType,
    TaskFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.catch.catcher_outcome import (
    CatcherOutcomeCaught,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from helpers.localaws import definitions, parsing, requests, validation
from helpers.localaws.requests import Answer, Refused, read_json, refusing

Object = dict[str, Any]

SECONDS = 300  # "The TestState API can run for up to five minutes."
_ALONE = "TestState"  # the name of a state that comes without its machine
_MOCKABLE = ("Task", "Map", "Parallel")


# The parts of moto's states that make something of the data, and what AWS calls it then.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionData.html
_JSONATA_STEPS = {"parargs": "afterArguments", "parameters": "afterArguments", "result": "result"}
_JSONPATH_STEPS = {
    "input_path": "afterInputPath",
    "parargs": "afterParameters",
    "parameters": "afterParameters",
    "items_path": "afterItemsPath",
    "result": "result",
    "result_selector": "afterResultSelector",
    "result_path": "afterResultPath",
}


class _WouldRetryError(Exception):
    """Ends the run of a state at the moment when it would wait and try again."""


@refusing
def test(data: Object) -> Answer:
    """TestState.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
    """
    run = _Run(*_state_of(data), data)
    run.check()
    return json_response(run.result(data.get("inspectionLevel", "INFO")))


def _state_of(data: Object) -> tuple[str, Object, str]:
    """Return the state under test: name, definition, query language. Raises Refused."""
    try:
        document = read_json(data["definition"])
    except ValueError as error:
        words = f"Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {error}'"
        raise Refused("InvalidDefinition", words) from error
    name = data.get("stateName")
    if name is None:
        if not isinstance(document, dict) or "States" in document:
            words = "A state, or a state machine and stateName, must be specified"
            raise Refused("InvalidDefinition", f"Invalid State Machine Definition: '{words}'")
        validation.check_state(_ALONE, document)
        return _ALONE, document, "JSONPath"
    validation.check(data["definition"])
    state = definitions.find(document, name)
    if state is None:
        raise Refused("ValidationException", f"State '{name}' is not in the definition")
    return name, state, definitions.language(document)


@dataclass
class _Run:
    """The run of one state, and what was seen of it on the way."""

    name: str
    state: Object
    language: str
    data: Object
    seen: Object = field(default_factory=dict)
    failure: FailureEvent | None = None

    def check(self) -> None:
        """Raise Refused for what cannot be tested so."""
        mock, kind = self.data.get("mock"), self.state["Type"]
        resource = self.state.get("Resource", "")
        waits = any(word in resource for word in (".sync", ".waitForTaskToken", ":activity:"))
        if mock is None and (kind in ("Map", "Parallel") or waits):
            what = f"the resource {resource}" if waits else f"{kind} states"
            raise Refused("ValidationException", f"TestState supports {what} only with a mock")
        if mock is not None and kind not in _MOCKABLE:
            raise Refused("ValidationException", f"A mock is not supported for {kind} states")
        if mock is not None and ("result" in mock) == ("errorOutput" in mock):
            words = "A mock must have one of result and errorOutput"
            raise Refused("ValidationException", words)
        if mock is None and "context" in self.data:
            raise Refused("ValidationException", "context is supported only with a mock")
        if mock is None and kind == "Task" and "roleArn" not in self.data:
            raise Refused("ValidationException", "roleArn must be specified without a mock")
        problem = validate_role_arn(self.data.get("roleArn", ""))
        if problem:
            raise Refused("ValidationException", problem)

    def result(self, level: str) -> Object:
        """Run the state; return status, output, error, next state and, at DEBUG, the data."""
        subject = "Invalid State Machine Execution Input"
        text = requests.payload(self.data.get("input", "{}"), "InvalidExecutionInput", subject)
        self.seen["input"] = text
        environment = self._environment(json.loads(text))
        told = self._evaluate(environment)
        if level != "INFO":
            self._complete(environment)
            told["inspectionData"] = self.seen
        return told

    def _environment(self, given: Any) -> Environment:
        role = self.data.get("roleArn", "")
        arn = f"arn:aws:states:{get_region()}:{get_account_id()}"
        context = {
            "Execution": {
                "Id": f"{arn}:express:{_ALONE}:{uuid.uuid4()}:{uuid.uuid4()}",
                "Input": given,
                "Name": _ALONE,
                "RoleArn": role,
                "StartTime": now_iso(),
            },
            "StateMachine": {"Id": f"{arn}:stateMachine:{_ALONE}", "Name": _ALONE},
            **self._object("context"),
        }
        context["Execution"] = {"Input": given, **context["Execution"]}
        environment = Environment(
            aws_execution_details=AWSExecutionDetails(get_account_id(), get_region(), role),
            execution_type=StateMachineType.STANDARD,
            context=context,
            event_history_context=EventHistoryContext.of_program_start(),
            cloud_watch_logging_session=None,
            activity_store=stepfunctions._activities,
        )
        for name, value in self._object("variables").items():
            environment.variable_store.set(name, value)
        environment.states.reset(given)
        environment.next_state_name = self.name
        return environment

    def _object(self, member: str) -> Object:
        """Return the JSON object that a member of the request holds."""
        try:
            value = read_json(self.data.get(member, "{}"))
        except ValueError as error:
            raise Refused("ValidationException", f"{member} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise Refused("ValidationException", f"{member} must be a JSON object")
        return value

    def _evaluate(self, environment: Environment) -> Object:
        machine = {
            "QueryLanguage": self.language,
            "StartAt": self.name,
            "States": {self.name: self.state},
        }
        try:
            state = parsing.parse(json.dumps(machine)).states.states[self.name]
        except Exception as error:
            words = f"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: {error}'"
            raise Refused("InvalidDefinition", words) from error
        self._watch(state)
        raised: list[Exception] = []

        def run() -> None:
            try:
                state.eval(environment)
            except Exception as error:  # noqa: BLE001 - told below, whatever it is
                raised.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(SECONDS)
        if thread.is_alive():
            environment.set_timed_out()
            return {"status": "FAILED", "error": "States.Timeout"}
        return self._outcome(environment, raised[0] if raised else None)

    def _outcome(self, environment: Environment, error: Exception | None) -> Object:
        if isinstance(error, _WouldRetryError):
            return {"status": "RETRIABLE", **self._error()}
        if isinstance(error, FailureEventException):
            return {"status": "FAILED", **(error.get_execution_failed_event_details() or {})}
        if error is not None:
            return {"status": "FAILED", "error": "States.Runtime", "cause": str(error)}
        output = to_json_str(environment.states.get_input())
        told: Object = {"status": "SUCCEEDED", "output": output}
        if not isinstance(environment.program_state(), ProgramEnded):
            told["nextState"] = environment.next_state_name
        if "catchIndex" in self.seen.get("errorDetails", {}):
            told = {**told, "status": "CAUGHT_ERROR", **self._error()}
        return told

    def _error(self) -> Object:
        """Return the error and cause of the failure that was retried or caught."""
        details = next(iter(self.failure.event_details.values()))
        return {key: details[key] for key in ("error", "cause") if details.get(key)}

    # --- what is changed in moto's state, and seen of it ---

    def _watch(self, state: Any) -> None:
        """Note what each step makes of the data; put the mock in the place of the work."""
        steps = _JSONATA_STEPS if self._is_jsonata() else _JSONPATH_STEPS
        for attribute, key in steps.items():
            component = getattr(state, attribute, None)
            if component is not None:
                component._eval_body = self._noted(component._eval_body, key)
        if hasattr(state, "_eval_execution"):
            if "mock" in self.data:
                state._eval_execution = lambda env: self._mocked(env, state)
            state._eval_execution = self._noted(state._eval_execution, "result")
            state._from_error = self._recorded(state._from_error)
            state._handle_retry = self._retry(state)
            for number, catcher in enumerate(state.catch.catchers if state.catch else ()):
                catcher._eval_body = self._caught(catcher._eval_body, number)

    def _is_jsonata(self) -> bool:
        return self.state.get("QueryLanguage", self.language) == "JSONata"

    def _noted(self, evaluate: Callable[[Environment], None], key: str) -> Any:
        def noted(env: Environment) -> None:
            evaluate(env)
            self.seen[key] = to_json_str(env.stack[-1])

        return noted

    def _recorded(self, from_error: Callable[..., FailureEvent]) -> Any:
        def recorded(env: Environment, ex: Exception) -> FailureEvent:
            self.failure = from_error(env=env, ex=ex)
            return self.failure

        return recorded

    def _caught(self, evaluate: Callable[[Environment], None], number: int) -> Any:
        def caught(env: Environment) -> None:
            evaluate(env)
            if isinstance(env.stack[-1], CatcherOutcomeCaught):
                self.seen["errorDetails"] = {"catchIndex": number}

        return caught

    def _mocked(self, env: Environment, state: Any) -> None:
        """Do what the mock says; its parameters are evaluated, for the learner to see."""
        parameters = getattr(state, "parargs", None)
        if parameters is not None:
            parameters.eval(env=env)
            env.stack.pop()
        mock = self.data["mock"]
        if "result" in mock:
            subject = "Invalid mock"
            text = requests.payload(mock["result"], "ValidationException", subject)
            env.stack.append(json.loads(text))
            return
        told = mock["errorOutput"]
        details = TaskFailedEventDetails(
            error=told.get("error", ""),
            cause=told.get("cause", ""),
            resource=self.state.get("Resource", ""),
            resourceType="",
        )
        failure = FailureEvent(
            env=env,
            error_name=_Named(told.get("error", "")),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )
        raise FailureEventException(failure_event=failure)

    def _retry(self, state: Any) -> Any:
        def retry(env: Environment, failure_event: FailureEvent) -> None:
            done = self.data.get("stateConfiguration", {}).get("retrierRetryCount", 0)
            for number, retrier in enumerate(state.retry.retriers):
                env.stack.append(failure_event.error_name)
                retrier.error_equals.eval(env)
                if not env.stack.pop():
                    continue
                declared = self.state["Retry"][number]
                if done >= declared.get("MaxAttempts", 3):
                    return
                wait = declared.get("IntervalSeconds", 1) * declared.get("BackoffRate", 2) ** done
                self.seen["errorDetails"] = {
                    "retryIndex": number,
                    "retryBackoffIntervalSeconds": int(
                        min(wait, declared.get("MaxDelaySeconds", wait))
                    ),
                }
                raise _WouldRetryError

        return retry

    def _complete(self, environment: Environment) -> None:
        """Fill in the steps that the state does not declare: what they pass on unchanged."""
        variables = environment.variable_store
        known = {**variables._outer_scope, **variables._inner_scope}
        if known:
            self.seen["variables"] = to_json_str(known)
        if self.state["Type"] not in ("Pass", *_MOCKABLE):
            return
        steps = (
            (("afterArguments", "input"),)
            if self._is_jsonata()
            else (("afterParameters", "afterInputPath"), ("afterResultSelector", "result"))
        )
        for step, before in steps:
            if step not in self.seen and before in self.seen:
                self.seen[step] = self.seen[before]


class _Named(ErrorName):
    """An error's name as a mock gives it: unlike a state's, it may begin with ``States.``."""
