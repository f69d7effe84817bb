"""Items from S3 and results to S3: a Distributed Map's ItemReader and ResultWriter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import stepfunctions
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval.resource_eval_s3 import (  # noqa: E501
    ResourceEvalS3 as Reader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import (  # noqa: E501
    ItemReader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval.resource_eval_s3 import (  # noqa: E501
    ResourceEvalS3 as Writer,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.result_writer_decl import (  # noqa: E501
    ResultWriter,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

from helpers.localaws import redrive
from helpers.localaws.failures import failure
from helpers.localaws.map_runs import MapRun, succeeded

Document = dict[str, Any]

_FILES = {
    "FAILED": ("FAILED", "TIMED_OUT", "ABORTED"),
    "PENDING": (None,),
    "SUCCEEDED": ("SUCCEEDED",),
}


def install() -> None:
    """Let moto read and write as AWS does."""
    ItemReader._eval_body = _refused_as("States.ItemReaderFailed", ItemReader._eval_body)
    ResultWriter._eval_body = _refused_as("States.ResultWriterFailed", ResultWriter._eval_body)
    Reader._handle_list_objects_v2 = staticmethod(list_objects)
    Writer._handle_put_object = staticmethod(write)


def _refused_as(error: str, eval_body: Callable[..., None]) -> Callable[..., None]:
    """Wrap a reader or writer: what S3 refuses has an error name of its own.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """

    def evaluate(self: EvalComponent, env: Environment) -> None:
        try:
            eval_body(self, env)
        except ClientError as refusal:
            answer, request = refusal.response["Error"], refusal.response["ResponseMetadata"]
            cause = (
                f"{answer['Message']} (Service: S3, Status Code: {request['HTTPStatusCode']}, "
                f"Request ID: {request.get('RequestId')})"
            )
            raise failure(env, error, cause) from refusal

    return evaluate


def source(reader: ItemReader | None, env: Environment) -> str:
    """Return where items come from, as ``$$.Map.Item.Source`` says it.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
    """
    if reader is None or reader.parargs is None:
        return "STATE_DATA"
    reader.parargs.eval(env)
    place = env.stack.pop()
    return "S3://" + "/".join(place[key] for key in ("Bucket", "Key") if key in place)


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


def outputs(run: MapRun, transformation: str) -> list[Any]:
    """Return what a Map Run gives its state, in the order of the items.

    "If a child workflow execution fails, Step Functions returns its execution result unchanged."
    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    return _transformed([child for child in run.children if child], transformation)


def _transformed(children: list[Document], transformation: str) -> list[Any]:
    found: list[Any] = []
    for child in children:
        if transformation == "NONE" or not succeeded(child):
            found.append(_result(child))
            continue
        output = json.loads(child["output"])
        flat = transformation == "FLATTEN" and isinstance(output, list)
        found += output if flat else [output]
    return found


def write(env: Environment, resource_runtime_part: Any, state_credentials: Any) -> None:
    """Write a Map Run's results and their manifest; the state's output says where.

    A redriven run writes beside its first results, and its manifest names what succeeded then too.
    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    place = env.stack.pop()
    client = Writer._get_s3_client(resource_runtime_part, state_credentials)
    run: MapRun = stepfunctions._map_runs[env.event_history_context.passage.map_run]
    times = run.told["redriveCount"]
    parts = (place.get("Prefix", "").strip("/"), run.arn.split(":")[-1], f"Redrive-{times}")
    folder = "/".join(part for part in (parts if times else parts[:2]) if part)
    before = list(run.files.get("SUCCEEDED", ()))
    files: dict[str, list[Document]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": before}
    for name, statuses in _FILES.items():
        found = _results(run, statuses)
        if found:
            body = json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()
            key = f"{folder}/{name}_0.json"
            client.put_object(Bucket=place["Bucket"], Key=key, Body=body)
            files[name].append({"Key": key, "Size": len(body)})
    run.files = files
    manifest = {
        "DestinationBucket": place["Bucket"],
        "MapRunArn": run.arn,
        "ResultFiles": files,
    }
    key = f"{folder}/manifest.json"
    client.put_object(Bucket=place["Bucket"], Key=key, Body=json.dumps(manifest).encode())
    details = {"Bucket": place["Bucket"], "Key": key}
    env.stack.append({"MapRunArn": run.arn, "ResultWriterDetails": details})


def _results(run: MapRun, statuses: tuple[str | None, ...]) -> list[Any]:
    """Return what is written of the children that are at one of these points.

    Of a redriven run: since it was redriven.
    """
    since = run.told.get("redriveDate", "")
    pending = [
        _pending(given)
        for given, child in zip(run.inputs, run.children, strict=True)
        if child is None and None in statuses
    ]
    ended = [
        child
        for child in run.children
        if child and child["status"] in statuses and child["stopDate"] >= since
    ]
    return pending + _transformed(ended, run.transformation)


def _pending(given: Any) -> Document:
    text = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    return {"Input": text, "InputDetails": {"Included": True}, "Status": "PENDING"}


def _result(child: Document) -> Document:
    keys = "cause error executionArn input name output startDate stateMachineArn status stopDate"
    told = {key: child[key] for key in keys.split() if child.get(key) is not None}
    told |= {"inputDetails": {"Included": True}, "outputDetails": {"Included": True}}
    told |= redrive.details(child)
    return {f"{key[0].upper()}{key[1:]}": told[key] for key in sorted(told)}
