"""The history: events to steps, statuses and tables. The shapes are those AWS documents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from helpers import history
from helpers.errors import WorkbookError
from helpers.history import Items, StepStatus

START = datetime(2026, 1, 1, tzinfo=UTC)
ASK = {"resourceType": "lambda", "resource": "invoke.waitForTaskToken"}
SNS = {"resourceType": "sns", "resource": "publish"}
VALIDATE = "arn:aws:lambda:eu-west-1:123456789012:function:validate-policy"


class Script:
    """Writes a history: each call adds an event, 10 ms after the one before."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self("ExecutionStarted", input="{}", roleArn="arn:aws:iam::123456789012:role/r")

    def __call__(self, kind: str, previous: int | None = None, **details: object) -> int:
        """Add an event after `previous` (its own predecessor when not told); gives its id."""
        number = len(self.events) + 1
        if previous is None:
            previous = 0 if number <= 2 else number - 1  # AWS: event 2 points to 0
        event = {
            "id": number,
            "previousEventId": previous,
            "timestamp": START + timedelta(milliseconds=10 * number),
            "type": kind,
        }
        if details:
            name = f"{kind[0].lower()}{kind[1:]}"
            for phase in ("Entered", "Exited"):
                name = f"state{phase}" if kind.endswith(f"State{phase}") else name
            event[f"{name}EventDetails"] = details
        self.events.append(event)
        return number

    def passes(self, kind: str, name: str, previous: int | None = None) -> int:
        self(f"{kind}StateEntered", previous, name=name, input='{"a": 1}')
        return self(f"{kind}StateExited", name=name, output='{"b": 2}')

    def function(self, name: str, failures: int = 0, ends: bool = True) -> int:
        """A Task whose Resource is a Lambda function, retried after each failure."""
        self("TaskStateEntered", name=name, input="{}")
        for _ in range(failures):
            self("LambdaFunctionScheduled", resource=VALIDATE, input="{}")
            self("LambdaFunctionStarted")
            self("LambdaFunctionFailed", error="Boom", cause='{"errorMessage": "no"}')
        if ends:
            self("LambdaFunctionScheduled", resource=VALIDATE, input="{}")
            self("LambdaFunctionStarted")
            self("LambdaFunctionSucceeded", output='"ok"')
            self("TaskStateExited", name=name, output='"ok"')
        return len(self.events)

    def asks(self, name: str) -> int:
        self("TaskStateEntered", name=name, input="{}")
        self("TaskScheduled", **ASK, region="eu-west-1", parameters='{"FunctionName": "ask"}')
        self("TaskStarted", **ASK)
        return self("TaskSubmitted", **ASK, output='{"Payload": {"token": "t"}}')


def waiting() -> list[dict]:
    """The episode half-way: a person was asked."""
    script = Script()
    script.passes("Pass", "ModifyState")
    script.function("ValidatePolicy", failures=2)
    script.passes("Choice", "ChooseAction")
    script.function("TempRemove")
    script.asks("AskUser")
    return script.events


def nested() -> list[dict]:
    """A Parallel with a Task, and a Map of two items run at once in the other branch."""
    script = Script()
    script("ParallelStateEntered", name="Both", input="[1, 2]")
    fork = script("ParallelStateStarted")
    task = script("TaskStateEntered", fork, name="Tell", input="{}")
    script("MapStateEntered", fork, name="Each", input="[1, 2]")
    started = script("MapStateStarted", length=2)
    first = script("MapIterationStarted", started, name="Each", index=0)
    second = script("MapIterationStarted", started, name="Each", index=1)
    ends = [script.passes("Pass", "Look", item) for item in (first, second)]
    told = script("TaskScheduled", task, **SNS)
    for index, end in enumerate(ends):
        done = script("MapIterationSucceeded", end, name="Each", index=index)
    script("MapStateSucceeded", done)
    exited = script("MapStateExited", name="Each", output="[]")
    script("TaskSucceeded", told, **SNS, output="{}")
    script("TaskStateExited", name="Tell", output="{}")
    script("ParallelStateSucceeded", exited)
    script("ParallelStateExited", exited, name="Both", output="[]")
    script("SucceedStateEntered", name="Done", input="[]")
    script("SucceedStateExited", name="Done", output="[]")
    script("ExecutionSucceeded", output="[]")
    return script.events


def timed_out_map() -> list[dict]:
    """Two items at once; the first times out. As recorded on AWS: aborts point to the failure."""
    script = Script()
    script("MapStateEntered", name="Each", input="[1, 2]")
    started = script("MapStateStarted", length=2)
    first = script("MapIterationStarted", started, name="Each", index=0)
    second = script("MapIterationStarted", started, name="Each", index=1)
    script("TaskStateEntered", first, name="Call", input="1")
    late = script("TaskScheduled", **SNS, timeoutInSeconds=5)
    script("WaitStateEntered", second, name="Rest", input="2")
    failed = script("TaskTimedOut", late, **SNS, error="States.Timeout")
    script("MapIterationFailed", failed, name="Each", index=0)
    script("WaitStateAborted", failed)
    script("MapIterationAborted", failed, name="Each", index=1)
    script("MapStateFailed", failed)
    script("ExecutionFailed", error="States.Timeout")
    return script.events


def by_step(events: list[dict]) -> dict[str, str]:
    return {name: status.status.value for name, status in history.statuses(events).items()}


# --- events and details ---


def test_events_come_from_every_page():
    class Paginator:
        def paginate(self, **arguments: str) -> list[dict]:
            assert arguments == {"executionArn": "arn"}
            return [{"events": [{"id": 1}, {"id": 2}]}, {"events": [{"id": 3}]}]

    class States:
        def get_paginator(self, operation: str) -> Paginator:
            assert operation == "get_execution_history"
            return Paginator()

    assert [event["id"] for event in history.events(States(), "arn")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("output", '{"a": [1]}', {"a": [1]}),
        ("output", "17", 17),
        ("output", "{cut", "{cut"),
        ("output", "[" * 100_000, "[" * 100_000),
        ("cause", '{"errorMessage": "no"}', {"errorMessage": "no"}),
        ("cause", "404", "404"),
        ("error", "[1]", "[1]"),
    ],
)
def test_details_parse_what_is_json(key: str, text: str, value: object):
    event = {"id": 1, "type": "x", "taskFailedEventDetails": {key: text}}
    assert history.details(event) == {key: value}


def test_details_parse_assigned_variables():
    event = {"stateExitedEventDetails": {"name": "A", "assignedVariables": {"x": "[1]"}}}
    assert history.details(event)["assignedVariables"] == {"x": [1]}
    assert history.details({"id": 1, "type": "LambdaFunctionStarted"}) == {}


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        ("arn:aws:states:::sns:publish", "sns:publish"),
        ("arn:aws-cn:states:::aws-sdk:s3:getObject", "aws-sdk:s3:getObject"),
        ("arn:aws:states:::states:startExecution.sync:2", "states:startExecution.sync:2"),
        ("arn:${AWS::Partition}:states:::sns:publish", "sns:publish"),
        (VALIDATE, "lambda validate-policy"),
        (f"{VALIDATE}:live", "lambda validate-policy:live"),
        ("arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${Name}", "lambda ${Name}"),
        ("arn:aws:states:eu-west-1:123456789012:activity:approve", "activity approve"),
        ("${ValidatePolicyArn}", "${ValidatePolicyArn}"),
    ],
)
def test_resource_reads_short(arn: str, text: str):
    assert history.resource(arn) == text


# --- which step an event belongs to ---


def test_attribute_follows_a_line_of_states():
    names = history.attribute(waiting())
    assert names[:3] == [None, "ModifyState", "ModifyState"]
    assert names[3:14] == ["ValidatePolicy"] * 11
    assert names[-4:] == ["AskUser"] * 4


def test_attribute_inside_parallel_and_map():
    events = nested()
    expected = {
        "ParallelState": "Both",
        "Map": "Each",
        "Pass": "Look",
        "Task": "Tell",
        "Succeed": "Done",
        "Execution": None,
    }
    for event, name in zip(events, history.attribute(events), strict=True):
        prefix = next(prefix for prefix in expected if event["type"].startswith(prefix))
        assert name == expected[prefix], event


def test_attribute_does_not_depend_on_the_order_given():
    events = nested()
    names = dict(zip([event["id"] for event in events], history.attribute(events), strict=True))
    events = events[1::2] + events[::2][::-1]
    assert history.attribute(events) == [names[event["id"]] for event in events]


def test_attribute_of_an_abort_is_who_was_open():
    events = timed_out_map()
    names = dict(zip([event["type"] for event in events], history.attribute(events), strict=True))
    assert names["WaitStateAborted"] == "Rest"
    assert names["MapIterationAborted"] == names["MapStateFailed"] == "Each"
    assert names["TaskTimedOut"] == "Call"


def test_attribute_of_a_part_of_a_history():
    script = Script()
    script.passes("Pass", "First")
    script.asks("AskUser")
    script("TaskSucceeded", **ASK, output="{}")
    script("TaskStateExited", name="AskUser", output="{}")
    script("ExecutionSucceeded", output="{}")
    assert history.attribute(script.events[-4:]) == ["AskUser"] * 3 + [None]


def test_a_sequential_map_points_to_the_item_before():
    # Recorded on AWS: with one item at a time, an item's start follows the last exit.
    script = Script()
    script("MapStateEntered", name="Each", input="[1, 2]")
    before = script("MapStateStarted", length=2)
    for index in range(2):
        script("MapIterationStarted", before, name="Each", index=index)
        before = script.passes("Pass", "Look")
        script("MapIterationSucceeded", name="Each", index=index)
    script("MapStateSucceeded", before)
    script("MapStateExited", before, name="Each", output="[]")
    assert set(history.attribute(script.events)[1:]) == {"Each", "Look"}
    each = history.statuses(script.events)["Each"]
    assert each.status is StepStatus.SUCCEEDED
    assert each.items == Items(total=2, succeeded=2)


# --- statuses ---


def test_status_half_way():
    statuses = history.statuses(waiting())
    assert statuses["AskUser"].status is StepStatus.WAITING
    assert statuses["ValidatePolicy"].status is StepStatus.SUCCEEDED
    assert statuses["ValidatePolicy"].retries == 2
    assert "UsersChoice" not in statuses


def test_status_after_the_answer():
    script = Script()
    script.asks("AskUser")
    script("TaskSucceeded", **ASK, output="{}")
    assert by_step(script.events) == {"AskUser": "RUNNING"}
    script("TaskStateExited", name="AskUser", output="{}")
    assert by_step(script.events) == {"AskUser": "SUCCEEDED"}


def test_a_job_run_to_its_end_waits_for_no_person():
    script = Script()
    script("TaskStateEntered", name="Run", input="{}")
    sync = {"resourceType": "states", "resource": "startExecution.sync"}
    script("TaskScheduled", **sync)
    script("TaskSubmitted", **sync, output="{}")
    assert by_step(script.events) == {"Run": "RUNNING"}


def test_caught_and_failed():
    script = Script()
    script.function("Try", failures=2, ends=False)
    script("TaskStateExited", name="Try", output="{}")
    script("FailStateEntered", name="Give up", input="{}")
    assert by_step(script.events) == {"Try": "CAUGHT", "Give up": "FAILED"}
    script("ExecutionFailed", error="Gone", cause="for good")
    assert by_step(script.events) == {"Try": "CAUGHT", "Give up": "FAILED"}
    table = history.steps(script.events).set_index("step")
    assert table.loc["Try", "error"] == 'Boom: {"errorMessage": "no"}'
    assert table.loc["Give up", "error"] == "Gone: for good"
    assert table.loc["Try", "attempts"] == 2


def test_waiting_to_be_retried_is_still_running():
    script = Script()
    script.function("Try", failures=1, ends=False)
    assert by_step(script.events) == {"Try": "RUNNING"}
    script("ExecutionFailed", error="Boom")
    assert by_step(script.events) == {"Try": "FAILED"}


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("ExecutionAborted", "ABORTED"),
        ("ExecutionTimedOut", "TIMED_OUT"),
        ("ExecutionFailed", "FAILED"),
    ],
)
def test_the_end_of_the_execution_ends_its_states(ending: str, status: str):
    script = Script()
    script("PassStateEntered", name="Only", input="{}")
    script(ending, error="States.Runtime")
    assert by_step(script.events) == {"Only": status}


def test_a_map_that_times_out():
    assert by_step(timed_out_map()) == {"Each": "FAILED", "Call": "TIMED_OUT", "Rest": "ABORTED"}
    assert history.statuses(timed_out_map())["Each"].items == Items(total=2, failed=1)


def test_a_parallel_that_is_retried_and_caught():
    script = Script()
    script("ParallelStateEntered", name="Both", input="{}")
    for attempt in range(2):
        fork = script("ParallelStateStarted", 5 if attempt else None)
        script("WaitStateEntered", fork, name="Rest", input="{}")
        failed = script("FailStateEntered", fork, name="Bad", input="{}")
    assert by_step(script.events) == {"Both": "RUNNING", "Rest": "RUNNING", "Bad": "FAILED"}
    script("WaitStateAborted", failed)
    script("ParallelStateFailed", failed)
    script("ParallelStateExited", name="Both", output="{}")
    script.passes("Pass", "Handler")
    statuses = history.statuses(script.events)
    assert statuses["Both"].status is StepStatus.CAUGHT
    assert statuses["Both"].retries == 1
    assert by_step(script.events)["Rest"] == "ABORTED"
    assert (("Both", "Handler", True)) in history.transitions(script.events)
    assert (("Both", "Rest", False)) in history.transitions(script.events)
    first = history.steps(script.events).query("step == 'Rest'").iloc[0]
    assert first["status"] == "ABORTED"


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
@pytest.mark.parametrize("to", ["the failure", "the event before"])
def test_containers_in_one_another_fail_in_turn(kind: str, to: str):
    script = Script()
    for name in ("Outer", "Inner"):
        script(f"{kind}StateEntered", name=name, input="[1]")
        script(f"{kind}StateStarted", **({"length": 1} if kind == "Map" else {}))
        if kind == "Map":
            script("MapIterationStarted", name=name, index=0)
    failed = script.function("Try", failures=1, ends=False)
    for name in ("Inner", "Outer"):
        before = failed if to == "the failure" else None
        if kind == "Map":
            script("MapIterationFailed", before, name=name, index=0)
        script(f"{kind}StateFailed", before)
    script("ExecutionFailed", failed, error="Boom")
    owners = zip(script.events, history.attribute(script.events), strict=True)
    failures = [name for event, name in owners if event["type"] == f"{kind}StateFailed"]
    assert failures == ["Inner", "Outer"]
    assert by_step(script.events) == dict.fromkeys(["Outer", "Inner", "Try"], "FAILED")


def test_any_item_at_work_counts_before_those_done():
    script = Script()
    script("MapStateEntered", name="Each", input="[1, 2, 3]")
    started = script("MapStateStarted", length=3)
    first = script("MapIterationStarted", started, name="Each", index=0)
    second = script("MapIterationStarted", started, name="Each", index=1)
    script("PassStateEntered", second, name="Look", input="2")
    done = script.passes("Pass", "Look", first)
    script("MapIterationSucceeded", done, name="Each", index=0)
    statuses = history.statuses(script.events)
    assert statuses["Look"].status is StepStatus.RUNNING
    assert statuses["Look"].visits == 2
    assert statuses["Each"].items == Items(total=3, succeeded=1, running=1)


def test_a_distributed_map_tells_its_total():
    script = Script()
    script("MapStateEntered", name="Each", input="[1, 2]")
    script("MapStateStarted", length=2)
    script("MapRunStarted", mapRunArn="arn:aws:states:eu-west-1:123456789012:mapRun:m/x:y")
    assert history.statuses(script.events)["Each"].items == Items(total=2, apart=True)
    script("MapRunSucceeded")
    script("MapStateSucceeded")
    script("MapStateExited", name="Each", output="[]")
    assert set(history.attribute(script.events)[1:]) == {"Each"}
    assert by_step(script.events) == {"Each": "SUCCEEDED"}


def test_a_loop_shows_its_last_visit():
    script = Script()
    script.function("Poll", failures=1, ends=False)
    script("TaskStateExited", name="Poll", output="{}")
    script.passes("Wait", "Rest")
    script("TaskStateEntered", name="Poll", input="{}")
    status = history.statuses(script.events)["Poll"]
    assert (status.status, status.visits, status.retries) == (StepStatus.RUNNING, 2, 0)


def test_a_redriven_execution_opens_what_failed():
    script = Script()
    script.function("Try", failures=1, ends=False)
    script("ExecutionFailed", error="Boom")
    script("ExecutionRedriven", redriveCount=1)
    script("LambdaFunctionScheduled", resource=VALIDATE, input="{}")
    assert by_step(script.events) == {"Try": "RUNNING"}
    assert history.attribute(script.events)[-1] == "Try"
    script("LambdaFunctionSucceeded", output="{}")
    script("TaskStateExited", name="Try", output="{}")
    assert by_step(script.events) == {"Try": "SUCCEEDED"}
    # A person's redrive, and no retrier's doing.
    assert history.statuses(script.events)["Try"].retries == 0


def test_an_expression_that_fails_names_its_state():
    script = Script()
    script("TaskStateEntered", name="Sum", input="{}")
    script("EvaluationFailed", error="States.QueryEvaluationError", cause="no", state="Sum")
    script("TaskStateExited", name="Sum", output="{}")
    assert history.attribute(script.events)[1:] == ["Sum"] * 3
    assert by_step(script.events) == {"Sum": "CAUGHT"}


def test_transitions():
    assert history.transitions(nested()) == {
        (None, "Both", False),
        ("Both", "Tell", False),
        ("Both", "Each", False),
        ("Each", "Look", False),
        ("Look", None, False),
        ("Each", None, False),
        ("Tell", None, False),
        ("Both", "Done", False),
        ("Done", None, False),
    }


# --- how long it was dangerous ---


def quarantined(detail: dict, failures: int = 0) -> list[dict]:
    """An incident whose policy was made within the second before, and quarantined."""
    script = Script()
    script.events[0]["executionStartedEventDetails"]["input"] = json.dumps({"detail": detail})
    script.function("TempRemove", failures, ends=not failures)
    if failures:
        script("TaskStateExited", name="TempRemove", output="{}")
    script.passes("Pass", "AskUser")
    return script.events


def test_exposure_is_from_the_call_to_the_end_of_the_quarantine():
    events = quarantined({"eventTime": "2025-12-31T23:59:58Z"})
    assert repr(history.exposure(events)) == "between 1.06 and 2.06 seconds"
    assert repr(history.exposure(events[::-1])) == "between 1.06 and 2.06 seconds"
    later = quarantined({"eventTime": "2026-01-01T00:00:00Z"})
    assert history.exposure(later) == history.Exposure(0.05, 0.06)  # as long as the execution


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (waiting()[:-1], "does not begin with a CloudTrail event"),
        (quarantined({}), "does not begin with a CloudTrail event"),
        (quarantined({"eventTime": "2026-01-01"}), "does not begin with a CloudTrail event"),
        (quarantined({"eventTime": "2026-01-01T00:00:00Z"}, failures=1), "was not quarantined"),
        ([], "was not quarantined"),
    ],
)
def test_exposure_needs_a_call_and_a_quarantine(events: list[dict], sentence: str):
    with pytest.raises(WorkbookError, match=sentence):
        history.exposure(events)


# --- tables and view ---


def test_frame():
    table = history.frame(waiting())
    assert list(table) == ["id", "type", "step", "resource", "started", "elapsed", "previous"]
    assert str(table["started"].dt.tz) == "UTC"
    assert table["started"].iloc[0] == START + timedelta(milliseconds=10)
    assert list(table["elapsed"].iloc[:3]) == [0, 10, 20]
    assert table["step"].iloc[0] is None
    assert list(table["previous"].iloc[:3]) == [0, 0, 2]
    assert table["resource"].iloc[-1] == "lambda:invoke.waitForTaskToken"
    functions = table[table["type"].str.startswith("LambdaFunction")]
    assert set(functions["resource"]) == {"lambda validate-policy"}
    assert set(table[table["type"].str.startswith("Pass")]["resource"]) == {""}


def test_frame_and_steps_of_no_events():
    assert history.frame([]).empty
    assert history.steps([]).empty
    assert history.statuses([]) == {}
    assert repr(history.view([])).split() == ["id", "type", "step", "resource", "ms"]


WITHOUT_A_TABLE = """
import sys
from datetime import UTC, datetime
from helpers import (
    approval, attack, cost, execution, graph, history, inbox, incident, inventory, laboratory,
    permission, policy, preflight, session, stack, timeline, trail, watch)
event = {"id": 1, "type": "ExecutionStarted", "timestamp": datetime(2026, 1, 1, tzinfo=UTC)}
view = history.view([event])
print(repr(view), view._repr_html_(), "pandas" in sys.modules, "matplotlib" in sys.modules)
"""


def test_a_kernel_that_shows_no_table_of_pandas_does_not_load_it():
    """It is half of a first cell's time and of a kernel's memory, for each learner of a room."""
    run = [sys.executable, "-c", WITHOUT_A_TABLE]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert said.endswith("False False\n")


def test_steps():
    table = history.steps(waiting())
    assert list(table["step"]) == [
        "ModifyState",
        "ValidatePolicy",
        "ChooseAction",
        "TempRemove",
        "AskUser",
    ]
    first, *_, last = table.itertuples()
    assert (first.type, first.status, first.duration) == ("Pass", "SUCCEEDED", 10)
    assert (first.input, first.output) == ({"a": 1}, {"b": 2})
    assert last.status == "WAITING"
    assert last.duration != last.duration  # not a number: it still runs
    assert last.output is None
    assert table["attempts"].iloc[1] == 3


def test_view_as_text():
    lines = repr(history.view(waiting())).splitlines()
    assert lines[0].split() == ["id", "type", "step", "resource", "ms"]
    resource = "lambda:invoke.waitForTaskToken"
    assert lines[-1].split() == ["25", "TaskSubmitted", "AskUser", resource, "240"]


class Tags(HTMLParser):
    """Checks that tags are balanced, and collects their names and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        assert not [name for name, _ in attrs if name.startswith("on") or name == "class"]
        self.seen.add(tag)
        if tag not in ("br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_view_as_html_is_escaped_and_needs_no_script():
    script = Script()
    name = "<script>alert('&')</script>"
    script("PassStateEntered", name=name, input='{"x": "<b>&amp;</b>"}')
    page = Tags(history.view(script.events)._repr_html_())
    assert "script" not in page.seen
    assert {"table", "details", "summary"} <= page.seen
    assert name in page.text
    assert '"x": "<b>&amp;</b>"' in page.text.replace("\xa0", " ")


def test_a_long_view_says_what_it_leaves_out():
    script = Script()
    for number in range(400):
        script.passes("Pass", f"S{number}")
    view = history.view(script.events)
    assert repr(view).splitlines()[-1].startswith("… 741 more events")
    assert "… 301 more events" in view._repr_html_()
    assert len(re.findall("<tr>", view._repr_html_())) == 501
