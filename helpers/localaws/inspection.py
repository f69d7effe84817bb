"""What TestState sees of a state: each step of its data, its failure, what it would do then.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionData.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.catch.catcher_outcome import (
    CatcherOutcomeCaught,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from helpers.localaws import requests
from helpers.localaws.failures import named

Object = dict[str, Any]

MOCKABLE = ("Task", "Map", "Parallel")

# The parts of moto's states that make something of the data, and what AWS calls it then.
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


class WouldRetryError(Exception):
    """Ends the run of a state at the moment when it would wait and try again."""


class Inspection:
    """What is changed in moto's state, and seen of it."""

    def __init__(self, state: Object, data: Object, *, jsonata: bool) -> None:
        """Look at a state's definition with what a request says of it."""
        self.state, self.data, self.jsonata = state, data, jsonata
        self.seen: Object = {}
        self.failure: FailureEvent | None = None

    @property
    def error(self) -> Object:
        """The error and cause of the failure that was retried or caught."""
        details = next(iter(self.failure.event_details.values()))
        return {key: details[key] for key in ("error", "cause") if details.get(key)}

    def watch(self, state: Any) -> None:
        """Note what each step makes of the data; put the mock in the place of the work."""
        steps = _JSONATA_STEPS if self.jsonata else _JSONPATH_STEPS
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
            error_name=named(told.get("error", "")),
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
                raise WouldRetryError

        return retry

    def complete(self, environment: Environment) -> None:
        """Fill in the steps that the state does not declare: what they pass on unchanged."""
        variables = environment.variable_store
        known = {**variables._outer_scope, **variables._inner_scope}
        if known:
            self.seen["variables"] = to_json_str(known)
        if self.state["Type"] not in ("Pass", *MOCKABLE):
            return
        steps = (
            (("afterArguments", "input"),)
            if self.jsonata
            else (("afterParameters", "afterInputPath"), ("afterResultSelector", "result"))
        )
        for step, before in steps:
            if step not in self.seen and before in self.seen:
                self.seen[step] = self.seen[before]
