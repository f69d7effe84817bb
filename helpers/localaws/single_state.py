"""One state alone: TestState, in the interpreter that runs state machines, as the given role.

What a state retries or catches is told, not done: RETRIABLE and CAUGHT_ERROR.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from ministack.core.iam_evaluator import validate_role_arn
from ministack.core.responses import get_account_id, get_region, json_response, now_iso
from ministack.services import stepfunctions
from moto.stepfunctions.parser.api import StateMachineType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEventException,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from helpers.localaws import definitions, parsing, requests, validation
from helpers.localaws.inspection import MOCKABLE, Inspection, WouldRetryError
from helpers.localaws.requests import Answer, Refused, read_json, refusing

Object = dict[str, Any]

SECONDS = 300  # "The TestState API can run for up to five minutes."
_ALONE = "TestState"  # the name of a state that comes without its machine


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
    """The run of one state."""

    name: str
    state: Object
    language: str
    data: Object

    def __post_init__(self) -> None:
        """Prepare to see what comes of the state's data on the way."""
        jsonata = self.state.get("QueryLanguage", self.language) == "JSONata"
        self.inspection = Inspection(self.state, self.data, jsonata=jsonata)

    def check(self) -> None:
        """Raise Refused for what cannot be tested so."""
        mock, kind = self.data.get("mock"), self.state["Type"]
        resource = self.state.get("Resource", "")
        waits = any(word in resource for word in (".sync", ".waitForTaskToken", ":activity:"))
        if mock is None and (kind in ("Map", "Parallel") or waits):
            what = f"the resource {resource}" if waits else f"{kind} states"
            raise Refused("ValidationException", f"TestState supports {what} only with a mock")
        if mock is not None and kind not in MOCKABLE:
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
        self.inspection.seen["input"] = text
        environment = self._environment(json.loads(text))
        told = self._evaluate(environment)
        if level != "INFO":
            self.inspection.complete(environment)
            told["inspectionData"] = self.inspection.seen
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
        self.inspection.watch(state)
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
        if isinstance(error, WouldRetryError):
            return {"status": "RETRIABLE", **self.inspection.error}
        if isinstance(error, FailureEventException):
            return {"status": "FAILED", **(error.get_execution_failed_event_details() or {})}
        if error is not None:
            return {"status": "FAILED", "error": "States.Runtime", "cause": str(error)}
        output = to_json_str(environment.states.get_input())
        told: Object = {"status": "SUCCEEDED", "output": output}
        if not isinstance(environment.program_state(), ProgramEnded):
            told["nextState"] = environment.next_state_name
        if "catchIndex" in self.inspection.seen.get("errorDetails", {}):
            told = {**told, "status": "CAUGHT_ERROR", **self.inspection.error}
        return told
