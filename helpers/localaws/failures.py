"""How a state fails: with which error, in which words, and what a Retry or Catch may see.

The words are those that AWS was seen to write; the error names are in
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import (
    ExecutionFailedEventDetails,
    HistoryEventType,
    LambdaFunctionFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_task import (
    state_task_activitiy,
    state_task_lambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
    state_task_service_callback,
    state_task_service_events,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (  # noqa: E501
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    ActivityTaskStartEndpoint,
    HeartbeatTimeoutError,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from helpers.localaws.requests import PAYLOAD_BYTES

RUNTIME = "States.Runtime"
TIMEOUT = "States.Timeout"
# What the wildcards of ErrorEquals do not match; but a catcher may name the second of them.
TERMINAL = {RUNTIME, "States.DataLimitExceeded"}
PREFIX = "An error occurred while executing the state '"


class RuntimeFaultError(Exception):
    """The execution cannot go on; the message is the cause that AWS writes."""


class FailedEntryError(RuntimeError):
    """PutEvents has not taken every entry; moto's has a cause that is no text.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-eventbridge.html
    """

    def __init__(self, cause: Any) -> None:
        """Keep the service's answer as JSON."""
        self.cause = to_json_str(cause, separators=(",", ":"))
        super().__init__(self.cause)


def install() -> None:
    """Let moto's states fail as AWS's do."""
    FailureEvent.__init__ = _remember_the_state(FailureEvent.__init__)
    FailureEventException.get_execution_failed_event_details = execution_failed_details
    Environment.set_error = _end_at_runtime_errors(Environment.set_error)
    ErrorEqualsDecl._eval_body = _match
    state_task_lambda.StateTaskLambda._from_error = _named_by_lambda(
        state_task_lambda.StateTaskLambda._from_error
    )
    for kind in (ExecutionState, *_subclasses(ExecutionState)):
        if "_from_error" in vars(kind):
            kind._from_error = _seen_by_retry_and_catch(kind._from_error)
    state_task_service_events.SfnFailedEntryCountException = FailedEntryError
    # moto refuses names that begin with "States.", which a branch or a worker may well report.
    for module in (iteration_worker, state_task_activitiy, state_task_service_callback):
        module.CustomErrorName = named
    # moto measures a text without its quotes, and takes the limit itself for too much.
    for module in (state, state_task_lambda, state_task_service):
        module.is_within_size_quota = fits
    # moto reads it, also when the activity's time is over and no worker has set it.
    ActivityTaskStartEndpoint._outcome = None


def _subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def fits(value: Any) -> bool:
    """Whether a value may be passed on: "262,144 bytes of data as a UTF-8 encoded string".

    https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    """
    return len(to_json_str(value).encode()) <= PAYLOAD_BYTES


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
            TIMEOUT,
            "States.HeartbeatTimeout",
        }


def _match(self: ErrorEqualsDecl, env: Environment) -> None:
    """Take the place of moto's method: say whether a retrier or a catcher is for an error."""
    error: ErrorName = env.stack.pop()
    env.stack.append(any(_is_for(wanted, error) for wanted in self.error_names))


def _is_for(wanted: ErrorName, error: ErrorName) -> bool:
    match wanted.error_name:
        case "States.ALL":
            return error.error_name not in TERMINAL
        case "States.TaskFailed":
            return error.error_name not in TERMINAL | {TIMEOUT}
        case _:
            return error == wanted


def _named_by_lambda(from_error: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
    """Wrap what a Lambda's own ARN makes of an error: moto calls each "Exception"."""

    def name(
        self: state_task_lambda.StateTaskLambda, env: Environment, ex: Exception
    ) -> FailureEvent:
        if not isinstance(ex, ClientError):
            return from_error(self, env, ex)
        error, cause = StateTaskServiceLambda._error_cause_from_client_error(ex)
        details = LambdaFunctionFailedEventDetails(error=error, cause=cause)
        return FailureEvent(
            env,
            named(error),
            HistoryEventType.LambdaFunctionFailed,
            EventDetails(lambdaFunctionFailedEventDetails=details),
        )

    return name


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
