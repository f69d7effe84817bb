"""What a state is told as it is entered: the context object, ``$$`` and ``$states.context``.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment

Object = dict[str, Any]


def install() -> None:
    """Let moto's states know when they were entered, as AWS writes it."""
    CommonStateField._eval_state_input = _entered(CommonStateField._eval_state_input)
    CommonStateField._get_state_entered_event_details = _as_sent(
        CommonStateField._get_state_entered_event_details
    )


def of_execution(record: Object) -> Object:
    """Return the context's ``Execution`` for a recorded execution, in AWS's order."""
    redriven = record.get("redriveDate")
    return {
        "Id": record["executionArn"],
        "Input": json.loads(record["input"]),
        "StartTime": record["startDate"],
        "Name": record["name"].partition(":")[0],
        "RoleArn": record["roleArn"],
        "RedriveCount": record.get("redriveCount", 0),
        **({"RedriveTime": redriven} if redriven else {}),
    }


def _entered(eval_state_input: Callable[[Any, Environment], None]) -> Callable[..., None]:
    """Wrap the first step of a state: a redriven one was entered long ago."""

    def entered(self: CommonStateField, env: Environment) -> None:
        passage = env.event_history_context.passage
        context = env.states.context_object.context_object_data
        if passage:
            context["State"] = {"Name": self.name, "EnteredTime": passage.entered["timestamp"]}
        eval_state_input(self, env)

    return entered


def _as_sent(details_of: Callable[..., Object]) -> Callable[..., Object]:
    """Wrap the details of StateEntered: the first one shows the input with its white space."""

    def details(self: CommonStateField, env: Environment) -> Object:
        course = env.event_history_context.course
        first = course and course.given and not course.passages
        told = details_of(self, env)
        return {**told, "input": course.given} if first else told

    return details
