"""Map Runs and their children, as the API shows them.

What is compared was recorded on AWS: https://github.com/radkawar/stackd
testdata/aws/stepfunctions/distributed_map.json and redrive_map.json.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from tests.localaws.laboratory import Document, Laboratory, machine

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ZERO = dict.fromkeys(
    (
        *("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total"),
        *("resultsWritten", "failuresNotRedrivable", "pendingRedrive"),
    ),
    0,
)
# An item {"n": …, "fail": …} goes one of two ways.
PROCESSOR = {
    "StartAt": "Decide",
    "States": {
        "Decide": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.item.fail", "BooleanEquals": True, "Next": "No"}],
            "Default": "Yes",
        },
        "No": {"Type": "Fail", "Error": "E", "Cause": "C"},
        "Yes": {"Type": "Pass", "OutputPath": "$.item.n", "End": True},
    },
}
SELECTOR = {"item.$": "$$.Map.Item.Value", "source.$": "$$.Map.Item.Source"}


def _distributed(kind: str = "STANDARD", processor: Document = PROCESSOR, **more: Any) -> Document:
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}}
    fields = {"ItemSelector": SELECTOR, "MaxConcurrency": 1, "Label": "L", **more}
    return machine(
        M={"Type": "Map", "ItemProcessor": {**config, **processor}, **fields, "End": True}
    )


def _items(*failing: bool) -> list[Document]:
    return [{"n": number, "fail": fail} for number, fail in enumerate(failing)]


@dataclass(frozen=True)
class Run:
    """An execution and its Map Run."""

    lab: Laboratory
    execution: str

    @property
    def states(self) -> Any:
        return self.lab.aws.client("stepfunctions")

    @property
    def listed(self) -> Document:
        (run,) = self.states.list_map_runs(executionArn=self.execution)["mapRuns"]
        return run

    @property
    def described(self) -> Document:
        return self.states.describe_map_run(mapRunArn=self.listed["mapRunArn"])

    def children(self, **filters: str) -> list[Document]:
        """The children, latest end first."""
        arn = self.listed["mapRunArn"]
        return self.states.list_executions(mapRunArn=arn, **filters)["executions"]

    @property
    def begun(self) -> int:
        """How many children have begun."""
        runs = self.states.list_map_runs(executionArn=self.execution)["mapRuns"]
        return len(self.children()) if runs else 0

    def objects(self, prefix: str) -> dict[str, Any]:
        """What is in the bucket, by the keys after the Map Run's id."""
        s3, found = self.lab.aws.client("s3"), {}
        for item in s3.list_objects_v2(Bucket="laboratory", Prefix=f"{prefix}/")["Contents"]:
            body = s3.get_object(Bucket="laboratory", Key=item["Key"])["Body"].read()
            found[item["Key"].removeprefix(f"{prefix}/").split("/", 1)[1]] = json.loads(body)
        return found


def _run(lab: Laboratory, definition: Document, items: Any) -> Run:
    run = Run(lab, lab.start(definition, items, f"maps{uuid.uuid4().hex}"))
    lab.ended(run.execution)
    return run


def _writer(prefix: str) -> Document:
    where = {"Bucket": "laboratory", "Prefix": prefix}
    return {"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": where}}


def test_a_run_and_its_children_are_described(lab: Laboratory) -> None:
    run = _run(lab, _distributed(), _items(False, True, False, False))
    name = run.execution.split(":")[6]
    base = "arn:aws:states:us-east-1:123456789012"
    listed = run.listed
    assert re.fullmatch(f"{base}:mapRun:{name}/L:{UUID}", listed["mapRunArn"])
    assert listed["stateMachineArn"] == f"{base}:stateMachine:{name}/L"
    assert (listed["executionArn"], "stopDate" in listed) == (run.execution, True)
    described = run.described
    counts = {**ZERO, "pending": 2, "succeeded": 1, "failed": 1, "total": 4, "resultsWritten": 1}
    assert described["itemCounts"] == described["executionCounts"] == counts
    expected = {
        "status": "FAILED",
        "maxConcurrency": 1,
        "toleratedFailureCount": 0,
        "toleratedFailurePercentage": 0.0,
        "redriveCount": 0,
    }
    assert expected.items() <= described.items()
    failed, succeeded = run.children()
    assert (failed["status"], succeeded["status"]) == ("FAILED", "SUCCEEDED")
    for child in (failed, succeeded):
        assert re.fullmatch(f"{base}:execution:{name}/L:{UUID}", child["executionArn"])
        assert child["executionArn"].endswith(child["name"])
        assert (child["mapRunArn"], child["itemCount"]) == (listed["mapRunArn"], 1)
    assert [child["status"] for child in run.children(statusFilter="FAILED")] == ["FAILED"]
    parents = run.states.list_executions(stateMachineArn=f"{base}:stateMachine:{name}")
    assert [each["executionArn"] for each in parents["executions"]] == [run.execution]


def test_a_child_is_an_execution_of_its_own(lab: Laboratory) -> None:
    show = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"c.$": "$$"}}}}
    show["States"]["A"]["End"] = True
    run = _run(lab, _distributed(processor=show), _items(False))
    (child,) = run.children()
    told = run.states.describe_execution(executionArn=child["executionArn"])
    assert json.loads(told["input"]) == {"item": {"n": 0, "fail": False}, "source": "STATE_DATA"}
    assert (told["mapRunArn"], told["redriveStatus"]) == (child["mapRunArn"], "NOT_REDRIVABLE")
    context = json.loads(told["output"])["c"]
    assert set(context) == {"Execution", "StateMachine", "State"}
    assert context["Execution"]["Id"] == child["executionArn"]
    assert context["Execution"]["Input"] == json.loads(told["input"])
    assert context["StateMachine"] == {
        "Id": run.listed["stateMachineArn"],
        "Name": run.execution.split(":")[6],
    }
    events = run.states.get_execution_history(executionArn=child["executionArn"])["events"]
    assert [(event["type"], event["previousEventId"]) for event in events] == [
        ("ExecutionStarted", 0),
        ("PassStateEntered", 0),
        ("PassStateExited", 2),
        ("ExecutionSucceeded", 3),
    ]
    told = run.states.describe_state_machine_for_execution(executionArn=child["executionArn"])
    assert (json.loads(told["definition"]), told["label"]) == (show, "L")
    assert told["mapRunArn"] == child["mapRunArn"]


def test_a_child_is_redriven_with_its_run_only(lab: Laboratory) -> None:
    run = _run(lab, _distributed(), _items(True))
    (child,) = run.children()
    told = run.states.describe_execution(executionArn=child["executionArn"])
    assert (told["redriveCount"], told["redriveStatus"]) == (0, "REDRIVABLE_BY_MAP_RUN")
    with pytest.raises(run.states.exceptions.ExecutionNotRedrivable):
        run.states.redrive_execution(executionArn=child["executionArn"])
    run.states.redrive_execution(executionArn=run.execution)
    lab.until(run.execution, lambda seen: seen[-1]["id"] > 7 and "Failed" in seen[-1]["type"])
    (again,) = run.children()
    assert (again["executionArn"], again["redriveCount"]) == (child["executionArn"], 1)
    events = run.states.get_execution_history(executionArn=child["executionArn"])["events"]
    assert [event["type"] for event in events[-2:]] == ["ExecutionRedriven", "ExecutionFailed"]
    assert (run.described["redriveCount"], "redriveDate" in run.described) == (1, True)


def test_express_children_have_express_arns_and_no_history(lab: Laboratory) -> None:
    run = _run(lab, _distributed("EXPRESS", ToleratedFailureCount=1), _items(False, True))
    name = run.execution.split(":")[6]
    children = run.children()
    assert sorted(child["status"] for child in children) == ["FAILED", "SUCCEEDED"]
    for child in children:
        arn = f"arn:aws:states:us-east-1:123456789012:express:{name}/L:{UUID}:{UUID}"
        assert re.fullmatch(arn, child["executionArn"])
        assert child["executionArn"].endswith(f":{child['name']}")
        told = run.states.describe_execution(executionArn=child["executionArn"])
        assert told["status"] == child["status"]
        with pytest.raises(run.states.exceptions.InvalidArn):
            run.states.get_execution_history(executionArn=child["executionArn"])
    counts = {**ZERO, "succeeded": 1, "failed": 1, "total": 2, "resultsWritten": 1}
    assert run.described["itemCounts"] == counts


def test_a_batch_counts_as_its_items(lab: Laboratory) -> None:
    sums = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    definition = _distributed(processor=sums, ItemBatcher={"MaxItemsPerBatch": 2})
    run = _run(lab, definition, _items(False, False, False))
    described = run.described
    assert described["itemCounts"] == {**ZERO, "succeeded": 3, "total": 3, "resultsWritten": 3}
    assert described["executionCounts"] == {**ZERO, "succeeded": 2, "total": 2, "resultsWritten": 2}
    assert sorted(child["itemCount"] for child in run.children()) == [1, 2]


def test_what_failed_and_what_never_began_is_written_too(lab: Laboratory) -> None:
    prefix = f"out/{uuid.uuid4().hex}"
    run = _run(lab, _distributed(**_writer(prefix)), _items(False, True, False))
    assert run.described["itemCounts"]["resultsWritten"] == 3
    objects = run.objects(prefix)
    (failed,), (pending,), (succeeded,) = (
        objects[f"{name}_0.json"] for name in ("FAILED", "PENDING", "SUCCEEDED")
    )
    assert (
        list(failed)
        == (
            "Cause Error ExecutionArn Input InputDetails Name OutputDetails RedriveCount "
            "RedriveStatus StartDate StateMachineArn Status StopDate"
        ).split()
    )
    assert (failed["Error"], failed["RedriveStatus"]) == ("E", "REDRIVABLE_BY_MAP_RUN")
    assert list(pending) == ["Input", "InputDetails", "Status"]
    assert json.loads(pending["Input"])["item"]["n"] == 2
    assert (succeeded["Output"], succeeded["Status"]) == ("0", "SUCCEEDED")
    files = objects["manifest.json"]["ResultFiles"]
    assert {name: len(found) for name, found in files.items()} == {
        "FAILED": 1,
        "PENDING": 1,
        "SUCCEEDED": 1,
    }


PAIRS = {
    "StartAt": "Pair",
    "States": {
        "Pair": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.item.fail", "BooleanEquals": True, "Next": "Bad"}],
            "Default": "Two",
        },
        "Bad": {"Type": "Fail", "Error": "E"},
        "Two": {"Type": "Pass", "Parameters": {"l.$": "States.Array($.item.n, 7)"}, "Next": "L"},
        "L": {"Type": "Pass", "OutputPath": "$.l", "End": True},
    },
}


@pytest.mark.parametrize(
    ("transformation", "expected"),
    [
        ("NONE", ["[0,7]", "FAILED", "[2,7]"]),
        ("COMPACT", [[0, 7], "FAILED", [2, 7]]),
        ("FLATTEN", [0, 7, "FAILED", 2, 7]),
    ],
)
def test_the_results_are_transformed(
    lab: Laboratory, transformation: str, expected: list[Any]
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html"""
    config = {"WriterConfig": {"Transformation": transformation, "OutputType": "JSON"}}
    prefix = f"out/{uuid.uuid4().hex}"
    written = {"ResultWriter": {**_writer(prefix)["ResultWriter"], **config}}
    for more in ({"ResultWriter": config}, written):
        definition = _distributed(processor=PAIRS, ToleratedFailureCount=1, **more)
        run = _run(lab, definition, _items(False, True, False))
        output = json.loads(lab.ended(run.execution)["output"])
        if more is written:
            assert output["ResultWriterDetails"]["Key"].startswith(f"{prefix}/")
            files = run.objects(prefix)
            (failed,), succeeded = files["FAILED_0.json"], files["SUCCEEDED_0.json"]
            assert failed["Status"] == "FAILED"
            assert _shown(succeeded) == [each for each in expected if each != "FAILED"]
        else:
            assert _shown(output) == expected


def _shown(results: list[Any]) -> list[Any]:
    """The results, each that is a description of a child as its output or status."""
    return [
        each.get("Output", each["Status"]) if isinstance(each, dict) else each for each in results
    ]


def test_a_redriven_run_goes_on_and_writes_beside(lab: Laboratory) -> None:
    prefix, key = f"out/{uuid.uuid4().hex}", f"late/{uuid.uuid4().hex}"
    read = {
        "StartAt": "Read",
        "States": {
            "Read": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
                "Parameters": {"Bucket": "laboratory", "Key.$": "$.item"},
                "OutputPath": "$.Body",
                "End": True,
            }
        },
    }
    run = _run(lab, _distributed(processor=read, **_writer(prefix)), ["in/list.csv", key, key])
    first = run.described
    assert (first["status"], first["itemCounts"]["succeeded"]) == ("FAILED", 1)
    lab.aws.client("s3").put_object(Bucket="laboratory", Key=key, Body=b"here")
    run.states.redrive_execution(executionArn=run.execution)
    told = lab.ended(run.execution)
    assert told["status"] == "SUCCEEDED"
    assert json.loads(told["output"])["ResultWriterDetails"]["Key"].endswith(
        "/Redrive-1/manifest.json"
    )
    again = run.described
    assert again["mapRunArn"] == first["mapRunArn"]
    counts = {**ZERO, "succeeded": 3, "total": 3, "resultsWritten": 3}
    assert (again["status"], again["itemCounts"]) == ("SUCCEEDED", counts)
    assert sorted(child["redriveCount"] for child in run.children()) == [0, 0, 1]
    objects = run.objects(prefix)
    assert len(objects["Redrive-1/SUCCEEDED_0.json"]) == 2
    written = objects["Redrive-1/manifest.json"]["ResultFiles"]
    assert (len(written["SUCCEEDED"]), written["FAILED"], written["PENDING"]) == (2, [], [])


def test_a_stopped_parent_aborts_its_children(lab: Laboratory) -> None:
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 900, "End": True}}}
    definition = _distributed(processor=wait, MaxConcurrency=2)
    run = Run(lab, lab.start(definition, _items(False, False, False), f"m{uuid.uuid4().hex}"))
    lab.until(run.execution, lambda _: run.begun == 2)
    children = run.children()
    run.states.stop_execution(executionArn=run.execution)
    for child in children:
        assert lab.ended(child["executionArn"])["status"] == "ABORTED"
    assert lab.ended(run.execution)["status"] == "ABORTED"
    assert run.described["itemCounts"]["pending"] == 1


def test_the_limits_of_a_run_can_be_changed_while_it_runs(lab: Laboratory) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateMapRun.html"""
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 900, "End": True}}}
    definition = _distributed(processor=wait)
    run = Run(lab, lab.start(definition, _items(False, False), f"m{uuid.uuid4().hex}"))
    lab.until(run.execution, lambda _: run.begun == 1)
    arn = run.listed["mapRunArn"]
    run.states.update_map_run(mapRunArn=arn, maxConcurrency=2, toleratedFailureCount=1)
    lab.until(run.execution, lambda _: run.begun == 2)
    assert (run.described["maxConcurrency"], run.described["toleratedFailureCount"]) == (2, 1)
    run.states.stop_execution(executionArn=run.execution)


def test_items_from_s3_name_their_source(lab: Laboratory) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "laboratory", "Key": "in/list.json"},
    }
    shown = {
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "OutputPath": "$.source", "End": True}},
    }
    run = _run(lab, _distributed(processor=shown, ItemReader=reader), {})
    assert lab.output(run.execution) == ["S3://laboratory/in/list.json"] * 2


def test_results_that_cannot_be_written_have_their_own_error(lab: Laboratory) -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "no-such"}}
    run = _run(lab, _distributed(ResultWriter=writer), _items(False))
    events = lab.history(run.execution)
    kinds = [event["type"] for event in events[3:]]
    assert kinds == ["MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed"]
    assert events[-1]["executionFailedEventDetails"]["error"] == "States.ResultWriterFailed"
