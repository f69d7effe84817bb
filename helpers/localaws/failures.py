"""How a state fails: with which error, in which words, and what a Retry or Catch may see.

The words are those that AWS was seen to write; the error names are in
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from jsonpath_ng.ext import parse
from moto.stepfunctions.parser.api import ExecutionFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.path.result_path import ResultPath
from moto.stepfunctions.parser.asl.component.common.payload.payloadvalue.payloadbinding.payload_binding import (  # noqa: E501
    PayloadBindingStringExpressionSimple,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringIntrinsicFunction,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (  # noqa: E501
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_variable import (
    ComparisonVariable,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import NoSuchVariable
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_activitiy
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    ActivityTaskStartEndpoint,
    HeartbeatTimeoutError,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

Body = Callable[[Any, Environment], None]

RUNTIME = "States.Runtime"
PREFIX = "An error occurred while executing the state '"


class RuntimeFaultError(Exception):
    """The execution cannot go on; the message is the cause that AWS writes."""


def install() -> None:
    """Let moto's states fail as AWS's do."""
    FailureEvent.__init__ = _remember_the_state(FailureEvent.__init__)
    FailureEventException.get_execution_failed_event_details = execution_failed_details
    Environment.set_error = _end_at_runtime_errors(Environment.set_error)
    for state in (ExecutionState, *_subclasses(ExecutionState)):
        if "_from_error" in vars(state):
            state._from_error = _seen_by_retry_and_catch(state._from_error)
    # moto refuses names that begin with "States.", which a branch or a worker may well report.
    for module in (iteration_worker, state_task_activitiy, state_task_service_callback):
        module.CustomErrorName = named
    StateChoice._eval_state = _choose(StateChoice._eval_state)
    ComparisonVariable._eval_body = _compare(ComparisonVariable._eval_body)
    PayloadBindingStringExpressionSimple._eval_val = _bind(
        PayloadBindingStringExpressionSimple._eval_val
    )
    StringIntrinsicFunction._eval_body = _call(StringIntrinsicFunction._eval_body)
    ResultPath._eval_body = _put(ResultPath._eval_body)
    # moto reads it, also when the activity's time is over and no worker has set it.
    ActivityTaskStartEndpoint._outcome = None


def _subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


# --- errors ------------------------------------------------------------------------------


def named(error_name: str | None) -> ErrorName:
    """Return moto's object for an error name, one of AWS's or any other."""
    try:
        return StatesErrorName.from_name(error_name or "")
    except ValueError:
        return ErrorName(error_name)


class HeartbeatTimeout(StatesErrorName):
    """A missed heartbeat reads States.Timeout, and is caught under either name."""

    __hash__ = None  # type: ignore[assignment] # compared, never a key, like moto's own

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ErrorName) and other.error_name in {
            "States.Timeout",
            "States.HeartbeatTimeout",
        }


def failure(env: Environment, error: str, cause: str) -> FailureEventException:
    """Return the exception that fails a state without an event of the failure's own."""
    details = ExecutionFailedEventDetails(error=error, cause=cause)
    event_details = EventDetails(executionFailedEventDetails=details)
    return FailureEventException(FailureEvent(env, named(error), None, event_details))


def runtime_failure(env: Environment, cause: str) -> FailureEventException:
    """Return the exception of an error that no Retry or Catch sees: the execution fails."""
    return failure(env, RUNTIME, cause)


def execution_failed_details(self: FailureEventException) -> ExecutionFailedEventDetails | None:
    """Take the place of moto's method: the state is named once, by the innermost failure."""
    pair = self.extract_error_cause_pair()
    if pair is None:
        return None
    error, cause = pair
    if cause and not cause.startswith(PREFIX) and error in NAMED:
        state, entered = self.failure_event.state_name, self.failure_event.entered_event_id
        cause = f"{PREFIX}{state}' (entered at the event id #{entered}). {cause}"
    return {key: value for key, value in (("error", error), ("cause", cause)) if value}


NAMED = {
    RUNTIME,
    "States.QueryEvaluationError",
    "States.IntrinsicFailure",
    "States.ResultPathMatchFailure",
}


def _remember_the_state(make: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: FailureEvent, env: Environment, *rest: Any, **named: Any) -> None:  # noqa: N807
        make(self, env, *rest, **named)
        self.entered_event_id = env.event_manager.entered(env.event_history_context)

    return __init__


def _end_at_runtime_errors(set_error: Callable[..., None]) -> Callable[..., None]:
    def set_error_and_end(self: Environment, error: dict[str, Any] | None) -> None:
        if error and error.get("error") == RUNTIME:
            self.event_manager.end_is_near()  # no failed or aborted events on the way out
        set_error(self, error)

    return set_error_and_end


def _seen_by_retry_and_catch(from_error: Callable[..., FailureEvent]) -> Callable[..., Any]:
    """Wrap a state's ``_from_error``: runtime errors go past its Retry and Catch."""

    def checked(self: ExecutionState, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, NoSuchJsonPathError):
            raise runtime_failure(env, str(ex)) from ex
        if isinstance(ex, RuntimeFaultError):
            raise runtime_failure(env, str(ex)) from ex
        if isinstance(ex, FailureEventException):
            if ex.extract_error_cause_pair()[0] == RUNTIME:
                raise ex
            return ex.failure_event
        event = from_error(self, env=env, ex=ex)
        if event.error_name and event.error_name.error_name == RUNTIME:
            raise FailureEventException(event) from ex
        if isinstance(ex, HeartbeatTimeoutError):
            event.error_name = HeartbeatTimeout(typ=event.error_name.typ)
        return event

    return checked


# --- where moto's words, or none, were others --------------------------------------------


def _choose(eval_state: Body) -> Body:
    """Wrap a Choice: without a match and a Default AWS reports States.Runtime."""

    def choose(self: StateChoice, env: Environment) -> None:
        try:
            eval_state(self, env)
        except RuntimeError as error:
            cause = (
                "Failed to transition out of the state. The state does not point to a next state."
            )
            raise runtime_failure(env, cause) from error

    return choose


def _compare(eval_body: Body) -> Body:
    """Wrap a comparison: only IsPresent may ask for what is not there."""

    def compare(self: ComparisonVariable, env: Environment) -> None:
        self.variable.eval(env)
        missing = isinstance(env.stack.pop(), NoSuchVariable)
        if missing and self.comparison_function.operator_type != ComparisonOperatorType.IsPresent:
            path = self.variable.string_sampler.literal_value
            cause = (
                f"Invalid path '{path}': The choice state's condition path references "
                "an invalid value."
            )
            raise runtime_failure(env, cause)
        eval_body(self, env)

    return compare


def _bind(eval_val: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a field ``"name.$": "$.path"`` of a payload template."""

    def bind(self: PayloadBindingStringExpressionSimple, env: Environment) -> Any:
        try:
            return eval_val(self, env)
        except NoSuchJsonPathError as error:
            if _is_past_the_end(error):
                return None
            cause = (
                f"The JSONPath '{error.json_path}' specified for the field '{self.field}.$' "
                f"could not be found in the input '{to_json_str(error.data)}'"
            )
            raise runtime_failure(env, cause) from error

    return bind


def _is_past_the_end(error: NoSuchJsonPathError) -> bool:
    """Whether the path names an element that its array does not have; AWS takes null for it."""
    array = re.fullmatch(r"(.+)\[\d+\]", error.json_path)
    found = parse(array[1]).find(error.data) if array else ()
    return bool(found) and isinstance(found[0].value, list)


def _call(eval_body: Body) -> Body:
    """Wrap an intrinsic function: its failure names the whole expression."""

    def call(self: StringIntrinsicFunction, env: Environment) -> None:
        begin = f"The function '{self.literal_value}' had the following error: "
        try:
            eval_body(self, env)
        except NoSuchJsonPathError as error:
            cause = (
                f"The JsonPath argument for the field '{error.json_path}' could not be found "
                f"in the input '{to_json_str(error.data)}'"
            )
            raise runtime_failure(env, begin + cause) from error
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise failure(env, "States.IntrinsicFailure", begin + str(error)) from error

    return call


def _put(eval_body: Body) -> Body:
    """Wrap ResultPath: what cannot hold a field fails the state."""

    def put(self: ResultPath, env: Environment) -> None:
        path = self.result_path_src
        if path not in {None, "$"} and not _holds(path, env.states.get_input()):
            text = to_json_str(env.states.get_input())
            cause = f"Unable to apply ReferencePath {path} to input {text}"
            raise failure(env, "States.ResultPathMatchFailure", cause)
        eval_body(self, env)

    return put


def _holds(path: str, value: Any) -> bool:
    """Whether ``path`` can be set in ``value``: all that it goes through are objects or arrays."""
    parents = re.findall(r"[^.\[\]]+|\[[^\]]*\]", path)[1:]
    for count in range(len(parents)):
        matches = parse(_joined(parents[:count])).find(value)
        if not matches:
            return True  # from here on it is made
        kind = list if re.fullmatch(r"\[\d+\]", parents[count]) else dict
        if not isinstance(matches[0].value, kind):
            return False
        if kind is list and int(parents[count][1:-1]) >= len(matches[0].value):
            return False
    return True


def _joined(parts: list[str]) -> str:
    return "$" + "".join(part if part.startswith("[") else f".{part}" for part in parts)
