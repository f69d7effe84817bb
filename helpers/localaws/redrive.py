"""Redrives: an execution that failed, timed out or was stopped goes on where it ended.

The state that did not end is run again, with its input and the variables of then; what came
before is kept. A Parallel or inline Map state is run again as a whole, where AWS runs only the
branches that failed.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

import contextvars
import json
from typing import Any

from ministack.core.responses import json_response, now_iso
from ministack.services import stepfunctions
from moto.stepfunctions.parser.api import ExecutionRedrivenEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from helpers.localaws import admission, requests
from helpers.localaws.interpreter import Worker
from helpers.localaws.requests import Answer, Refused, refusing

Record = dict[str, Any]

# "The execution event history count is less than 24,999."
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
_EVENTS = 24_999


@refusing
def execute(data: Record) -> Answer:
    """RedriveExecution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
    """
    arn = requests.arn(data["executionArn"], "execution")
    record = stepfunctions._executions.get(arn)
    if record is None:
        raise Refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    token = data.get("clientToken")
    if token and token == record.get("redriveToken"):
        return json_response({"redriveDate": record["redriveDate"]})
    reason = _obstacle(record)
    if reason:
        raise Refused("ExecutionNotRedrivable", reason)
    record.update(
        status="RUNNING",
        redriveCount=record.get("redriveCount", 0) + 1,
        redriveDate=now_iso(),
        redriveToken=token,
        stopDate=None,
        error=None,
        cause=None,
        output=None,
        _worker=Redriven,
    )
    stepfunctions._emit_execution_status_event(record)
    context = contextvars.copy_context()
    run = admission.Thread(
        target=context.run, args=(stepfunctions._run_execution, arn), daemon=True
    )
    run.start()
    return json_response({"redriveDate": record["redriveDate"]})


def details(record: Record) -> Record:
    """Return what DescribeExecution says of an execution's redrives; nothing of an Express one."""
    if record.get("sync"):
        return {}
    told: Record = {"redriveCount": record.get("redriveCount", 0)}
    if told["redriveCount"]:
        told["redriveDate"] = record["redriveDate"]
    reason = _obstacle(record)
    told["redriveStatus"] = "NOT_REDRIVABLE" if reason else "REDRIVABLE"
    return {**told, "redriveStatusReason": reason} if reason else told


def _obstacle(record: Record) -> str | None:
    """Return why an execution cannot be redriven, in AWS's words, or None.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
    """
    if record["status"] in ("RUNNING", "SUCCEEDED"):
        return f"Execution is {record['status']} and cannot be redriven"
    if len(record["events"]) >= _EVENTS:
        return "Execution history event limit exceeded"
    return None


class Redriven(Worker):
    """An execution that goes on: it has a history, and begins at the state that did not end."""

    def _execution_logic(self) -> None:
        """Run the rest. Takes the place of moto's, which begins a history."""
        program = self._get_evaluation_entrypoint()
        past = list(self.record["events"])
        self.env = self._get_evaluation_environment()
        events = self.env.event_manager
        events._history_event_list.extend(past)
        events._event_id_gen._next_id = len(past) + 1
        context = self.env.event_history_context
        context.source_event_id = context.last_published_event_id = len(past)
        count = ExecutionRedrivenEventDetails(redriveCount=self.record["redriveCount"])
        events.add_event(
            context=context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details=EventDetails(executionRedrivenEventDetails=count),
        )
        definition = self._evaluation_details.state_machine_details.definition
        state, given = _resume(definition, self.record["input"], past)
        program.start_at = StartAt(state)
        self.env.states.reset(given)
        for name, value in _variables(definition, past).items():
            self.env.variable_store.set(name, value)
        self.env.variable_store.reset_tracing()
        program.eval(self.env)
        self.terminated()


def _resume(definition: str, given: str, past: list[Record]) -> tuple[str, Any]:
    """Return the state to go on with and its input."""
    document = json.loads(definition)
    for event in reversed(past):
        entered, left = event.get("stateEnteredEventDetails"), event.get("stateExitedEventDetails")
        if entered and entered["name"] in document["States"]:
            return entered["name"], json.loads(entered["input"])
        onward = document["States"].get(left["name"], {}).get("Next") if left else None
        if onward:  # stopped between two states
            return onward, json.loads(left["output"])
    return document["StartAt"], json.loads(given)


def _variables(definition: str, past: list[Record]) -> Record:
    """Return the variables that the states of the machine itself have assigned, at the end."""
    states = json.loads(definition)["States"]
    assigned: Record = {}
    for event in past:
        left = event.get("stateExitedEventDetails", {})
        if left.get("name") in states:
            assigned.update(left.get("assignedVariables", {}))
    return {name: _value(text) for name, text in assigned.items()}


def _value(text: str) -> Any:
    """Return the value of a variable as a history shows it: JSON, and moto's quoted strings."""
    try:
        return json.loads(text)
    except ValueError:
        return text[1:-1]
