"""Distributed Map: what moto's grammar and its run leave out.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from ministack.core.responses import now_iso
from moto.stepfunctions.parser.asl.component.component import Component
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval.resource_eval_s3 import (  # noqa: E501
    ResourceEvalS3 as Reader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import (  # noqa: E501
    ItemReader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_selector import ItemSelector
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (  # noqa: E501
    DistributedIterationComponent,
    DistributedIterationComponentEvalInput,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.distributed_item_processor_worker import (  # noqa: E501
    DistributedItemProcessorWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (  # noqa: E501
    MapRunRecord,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import Job, JobPool
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval.resource_eval_s3 import (  # noqa: E501
    ResourceEvalS3 as Writer,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_map.tolerated_failure import (
    ToleratedFailureCountStringJSONata,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from helpers.localaws import definitions
from helpers.localaws.events import History
from helpers.localaws.failures import failure

Document = dict[str, Any]

CHILDREN_AT_ONCE = 40  # AWS runs up to 10,000; each is a thread here


def install() -> None:
    """Let moto's Distributed Map batch, tolerate failures and write its results."""
    DistributedIterationComponent.item_batcher = None
    DistributedIterationComponent._map_run = run_children
    DistributedItemProcessorWorker._eval_job = run_child
    ItemReader._eval_body = _reading(ItemReader._eval_body)
    Reader._handle_list_objects_v2 = staticmethod(list_objects)
    Writer._handle_put_object = staticmethod(write_results)
    # moto takes the count for a percentage here.
    Preprocessor.visitTolerated_failure_count_jsonata = _tolerated_count


# --- the definition ----------------------------------------------------------------------


def adapt(definition: Document) -> dict[str, Document]:
    """Change a definition, in place, to what moto's grammar takes; return what it does not.

    The answer has, by the name of a Map state, a machine whose Map's ItemSelector is the
    ItemBatcher: its fields take the same templates.
    """
    batchers = {}
    for name, state, _ in definitions.states(definition):
        config = (state.get("ItemProcessor") or {}).get("ProcessorConfig")
        if config and config.get("ExecutionType") == "EXPRESS":
            config["ExecutionType"] = "STANDARD"  # the parent's history is the same
        percentage = state.get("ToleratedFailurePercentage")
        if type(percentage) is int:
            state["ToleratedFailurePercentage"] = float(percentage)
        if isinstance(state.get("ItemBatcher"), dict):
            language = definitions.language(definition, state)
            batchers[name] = _machine(name, language, state.pop("ItemBatcher"))
    return batchers


def attach(program: Component, batchers: dict[str, Component]) -> None:
    """Give a program's Map states their batchers, parsed."""
    selectors = {name: _map(machine, name).item_selector for name, machine in batchers.items()}
    for name, selector in selectors.items():
        _map(program, name).iteration_component.item_batcher = selector


def _machine(name: str, language: str, batcher: Document) -> Document:
    fields = {
        f"{key.removesuffix('Path')}.$" if key.endswith("Path") else key: value
        for key, value in batcher.items()
    }
    processor = {"StartAt": "Item", "States": {"Item": {"Type": "Succeed"}}}
    state = {"Type": "Map", "ItemSelector": fields, "ItemProcessor": processor, "End": True}
    return {"QueryLanguage": language, "StartAt": name, "States": {name: state}}


def _map(part: Any, name: str) -> Any:
    """Find a Map state in a program."""
    if isinstance(part, StateMap) and part.name == name:
        return part
    if isinstance(part, dict | list):
        inner = part.values() if isinstance(part, dict) else part
    else:
        inner = vars(part).values() if isinstance(part, Component) else ()
    return next((found for each in inner if (found := _map(each, name))), None)


def _tolerated_count(self: Preprocessor, ctx: Any) -> ToleratedFailureCountStringJSONata:
    return ToleratedFailureCountStringJSONata(
        string_jsonata=self.visitString_jsonata(ctx.string_jsonata())
    )


# --- the run -----------------------------------------------------------------------------


def run_children(
    self: DistributedIterationComponent,
    env: Environment,
    eval_input: DistributedIterationComponentEvalInput,
) -> None:
    """Take the place of ``_map_run``: a child for each item or batch."""
    items, record = env.stack.pop(), eval_input.map_run_record
    selector = eval_input.item_selector or eval_input.parameters
    inputs = [_select(env, selector, *item) for item in enumerate(items)] if selector else items
    if self.item_batcher:
        inputs = _batches(inputs, _select(env, self.item_batcher, 0, None))
    record.item_counter.total.count(len(items))
    record.children, record.gate = [], threading.Lock()
    pool = JobPool(job_program=self._get_iteration_program(), job_inputs=inputs)
    at_once = min(record.max_concurrency or CHILDREN_AT_ONCE, CHILDREN_AT_ONCE, len(inputs))
    for _ in range(at_once):
        self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
    pool.await_jobs()
    if pool.get_worker_exception():
        raise pool.get_worker_exception()
    done = sorted(record.children, key=lambda child: child["index"])
    env.stack.append([child["output"] for child in done if "output" in child])


def _select(env: Environment, selector: ItemSelector, index: int, item: Any) -> Any:
    """Evaluate a template for one item; its input is the Map state's."""
    frame = env.open_inner_frame()
    context = frame.states.context_object.context_object_data
    context["Map"] = MapData(Item=ItemData(Index=index, Value=item))
    frame.states.reset(input_value=env.stack[-1])
    frame.stack.append(env.stack[-1])
    selector.eval(frame)
    env.delete_frame(frame)
    return frame.stack.pop()


def _batches(items: list[Any], batcher: Document) -> list[Document]:
    """Group items by number and size, in bytes of JSON.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
    """
    most, size = batcher.get("MaxItemsPerBatch"), batcher.get("MaxInputBytesPerBatch")
    shared = {"BatchInput": batcher["BatchInput"]} if "BatchInput" in batcher else {}
    batches: list[Document] = []
    for item in items:
        longer = {**shared, "Items": [*batches[-1]["Items"], item]} if batches else None
        full = longer is None or (most and len(longer["Items"]) > most)
        if full or (size and len(json.dumps(longer).encode()) > size):
            batches.append({**shared, "Items": [item]})
        else:
            batches[-1] = longer
    return batches


def run_child(self: DistributedItemProcessorWorker, env: Environment, job: Job) -> None:
    """Take the place of ``_eval_job``: one child, with a history of its own."""
    record = self._map_run_record
    env.event_manager, env.event_history_context = History(), EventHistoryContext(0)
    env.states.reset(job.job_input)
    record.execution_counter.total.count()
    child = {"index": job.job_index, "input": job.job_input, "start": now_iso()}
    job.job_program.eval(env)
    state, child["stop"] = env.program_state(), now_iso()
    if isinstance(state, ProgramError):
        child["error"] = state.error or {}
    else:
        child["output"] = env.states.get_input()
    job.job_output = child.get("output")
    with record.gate:
        record.children.append(child)
        failed = _count(record, child, job.job_input)
        if "error" in child and _intolerable(record, failed):
            cause = "The specified tolerated failure threshold was exceeded"
            name = "States.ExceedToleratedFailureThreshold"
            job.job_output = failure(env, name, cause)


def _count(record: MapRunRecord, child: Document, value: Any) -> int:
    """Count a child and its items; return how many items have failed."""
    batched = isinstance(value, dict) and isinstance(value.get("Items"), list)
    outcome = "failed" if "error" in child else "succeeded"
    getattr(record.execution_counter, outcome).count()
    getattr(record.item_counter, outcome).count(len(value["Items"]) if batched else 1)
    return record.item_counter.failed.get()


def _intolerable(record: MapRunRecord, failed: int) -> bool:
    """Whether so many failed items are more than the Map state tolerates.

    Without either field none is; with both, the first that is exceeded counts.
    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html#maprun-fail-threshold
    """
    count, percentage = record.tolerated_failure_count, record.tolerated_failure_percentage
    over_count = failed > count
    over_percentage = failed * 100 > percentage * record.item_counter.total.get()
    if count and percentage:
        return over_count or over_percentage
    return over_percentage if percentage else over_count


# --- S3 ----------------------------------------------------------------------------------


def _reading(eval_body: Callable[..., None]) -> Callable[..., None]:
    """Wrap an ItemReader: what S3 refuses is States.ItemReaderFailed."""

    def read(self: ItemReader, env: Environment) -> None:
        try:
            eval_body(self, env)
        except ClientError as error:
            answer, request = error.response["Error"], error.response["ResponseMetadata"]
            cause = (
                f"{answer['Message']} (Service: S3, Status Code: {request['HTTPStatusCode']}, "
                f"Request ID: {request.get('RequestId')})"
            )
            raise failure(env, "States.ItemReaderFailed", cause) from error

    return read


def list_objects(env: Environment, resource_runtime_part: Any, state_credentials: Any) -> None:
    """Read the objects under a prefix, each with the fields that AWS passes on.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
    """
    client = Reader._get_s3_client(resource_runtime_part, state_credentials)
    pages = client.get_paginator("list_objects_v2").paginate(**env.stack.pop())
    found = [
        {
            "Etag": each["ETag"],
            "Key": each["Key"],
            "LastModified": int(each["LastModified"].timestamp()),
            "Size": each["Size"],
            "StorageClass": each.get("StorageClass", "STANDARD"),
        }
        for page in pages
        for each in page.get("Contents", ())
    ]
    env.stack.append(found)


def write_results(env: Environment, resource_runtime_part: Any, state_credentials: Any) -> None:
    """Write a Map Run's results and their manifest; the state's output says where.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    place = env.stack.pop()
    env.stack.pop()  # the results, which go into the files
    client = Writer._get_s3_client(resource_runtime_part, state_credentials)
    record = env.map_run_record_pool_manager.get_all()[-1]
    prefix = "/".join(
        part
        for part in (place.get("Prefix", "").strip("/"), record.map_run_arn.split(":")[-1])
        if part
    )
    files: Document = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status in ("FAILED", "SUCCEEDED"):
        children = sorted(record.children, key=lambda child: child["index"])
        results = [_result(record, child) for child in children]
        body = json.dumps([each for each in results if each["Status"] == status]).encode()
        if body != b"[]":
            key = f"{prefix}/{status}_0.json"
            client.put_object(Bucket=place["Bucket"], Key=key, Body=body)
            files[status].append({"Key": key, "Size": len(body)})
    manifest = {
        "DestinationBucket": place["Bucket"],
        "MapRunArn": record.map_run_arn,
        "ResultFiles": files,
    }
    key = f"{prefix}/manifest.json"
    client.put_object(Bucket=place["Bucket"], Key=key, Body=json.dumps(manifest).encode())
    details = {"Bucket": place["Bucket"], "Key": key}
    env.stack.append({"MapRunArn": record.map_run_arn, "ResultWriterDetails": details})


def _result(record: MapRunRecord, child: Document) -> Document:
    name = str(uuid.uuid4())
    machine = record.map_state_machine_arn
    result = {
        "ExecutionArn": f"{machine.replace(':stateMachine:', ':execution:')}:{name}",
        "Input": json.dumps(child["input"], separators=(",", ":")),
        "InputDetails": {"Included": True},
        "Name": name,
        "StartDate": child["start"],
        "StateMachineArn": machine,
        "Status": "FAILED" if "error" in child else "SUCCEEDED",
        "StopDate": child["stop"],
    }
    if "error" in child:
        error = child["error"]
        return {**result, "Error": error.get("error"), "Cause": error.get("cause")}
    output = json.dumps(child["output"], separators=(",", ":"))
    return {**result, "Output": output, "OutputDetails": {"Included": True}}
