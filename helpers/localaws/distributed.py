"""Distributed Map: what moto's grammar and its run leave out.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import stepfunctions
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.component import Component
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_selector import ItemSelector
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (  # noqa: E501
    DistributedIterationComponent,
    DistributedIterationComponentEvalInput,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_map.tolerated_failure import (
    ToleratedFailureCountStringJSONata,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from helpers.localaws import definitions, results
from helpers.localaws.failures import RUNTIME, failure
from helpers.localaws.map_runs import Crew, MapRun

Document = dict[str, Any]


def install() -> None:
    """Let moto's Distributed Map run children that are executions of their own."""
    DistributedIterationComponent._eval_body = evaluate
    # moto takes the count for a percentage here.
    Preprocessor.visitTolerated_failure_count_jsonata = _tolerated_count
    results.install()


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
        writer = state.get("ResultWriter")
        if isinstance(writer, dict) and "WriterConfig" in writer:
            del writer["WriterConfig"]
            if not writer:
                del state["ResultWriter"]
    return batchers


def attach(program: Component, definition: Document, batchers: dict[str, Component]) -> None:
    """Give a program's Distributed Maps what they need besides moto's own.

    ``definition`` is the program's, as it was written; ``batchers`` are parsed.
    """
    for name, state, _ in definitions.states(definition):
        found = _map(program, name) if state.get("Type") == "Map" else None
        component = found and found.iteration_component
        if not isinstance(component, DistributedIterationComponent):
            continue
        processor = dict(state.get("ItemProcessor") or state.get("Iterator"))
        config = processor.pop("ProcessorConfig", {})
        component.type = config.get("ExecutionType", "STANDARD")
        if definitions.language(definition) == "JSONata":
            processor = {"QueryLanguage": "JSONata", **processor}
        component.definition = json.dumps(processor, separators=(",", ":"), ensure_ascii=False)
        component.batcher = _map(batchers[name], name).item_selector if name in batchers else None
        component.transformation = _transformation(state.get("ResultWriter"))
        # moto would write the results after the run, and of a failed one none.
        component.result_writer, found.result_writer = found.result_writer, None


def _transformation(writer: Document | None) -> str:
    """Return what is made of the results: NONE is the default for those that are exported.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    writer = writer or {}
    default = "NONE" if "Resource" in writer else "COMPACT"
    return writer.get("WriterConfig", {}).get("Transformation", default)


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


def evaluate(self: DistributedIterationComponent, env: Environment) -> None:
    """Take the place of ``DistributedIterationComponent._eval_body``: a Map Run, or one more."""
    set_request_account_id(env.aws_execution_details.account)  # moto's threads know of no request
    set_request_region(env.aws_execution_details.region)
    given, context = env.stack.pop(), env.event_history_context
    run = _begin(self, given, env)
    try:
        if run.inputs is None:
            run.give(*_inputs(self, given, env))
        succeeded = Crew(run, env).work()
        env.stack.append(results.outputs(run, run.transformation))
        if self.result_writer:
            env.stack.pop()
            self.result_writer.eval(env)
        if not succeeded:
            cause = "The specified tolerated failure threshold was exceeded"
            raise failure(env, "States.ExceedToleratedFailureThreshold", cause)
    except FailureEventException as error:
        run.end("FAILED" if env.is_running() else "ABORTED")
        name, cause = error.extract_error_cause_pair()
        if name == RUNTIME:
            context.passage.map_run = None  # a redrive begins another one
        details = {key: text for key, text in (("error", name), ("cause", cause)) if text}
        env.event_manager.add_event(context, "MapRunFailed", {"mapRunFailedEventDetails": details})
        raise
    run.end("SUCCEEDED" if env.is_running() else "ABORTED")
    env.event_manager.add_event(context, "MapRunSucceeded")


def _begin(
    self: DistributedIterationComponent,
    given: DistributedIterationComponentEvalInput,
    env: Environment,
) -> MapRun:
    """Return a new Map Run, or the one that is redriven, with its event."""
    passage = env.event_history_context.passage
    run = stepfunctions._map_runs.get(passage.map_run)
    if run:
        run.redrive()
        details = {"mapRunArn": run.arn, "redriveCount": run.told["redriveCount"]}
        told = "MapRunRedriven", {"mapRunRedrivenEventDetails": details}
    else:
        run = _new(self, given, env)
        run.transformation = self.transformation
        passage.map_run = run.arn
        told = "MapRunStarted", {"mapRunStartedEventDetails": {"mapRunArn": run.arn}}
    env.event_manager.add_event(env.event_history_context, *told)
    return run


def _new(
    self: DistributedIterationComponent,
    given: DistributedIterationComponentEvalInput,
    env: Environment,
) -> MapRun:
    context = env.states.context_object.context_object_data
    machine = {
        "stateMachineArn": context["StateMachine"]["Id"],
        "type": self.type,
        "definition": self.definition,
        "roleArn": env.aws_execution_details.role_arn,
        "creationDate": context["Execution"]["StartTime"],
    }
    return MapRun(
        context["Execution"]["Id"],
        machine,
        given.label,
        maxConcurrency=given.max_concurrency,
        toleratedFailureCount=given.tolerated_failure_count,
        toleratedFailurePercentage=given.tolerated_failure_percentage,
    )


def _inputs(
    self: DistributedIterationComponent,
    given: DistributedIterationComponentEvalInput,
    env: Environment,
) -> tuple[list[Any], list[int]]:
    """Return the children's inputs, and of how many items each is."""
    items = given.input_items
    if given.item_reader:
        given.item_reader.eval(env=env)
        items = env.stack.pop()
    source, selector = results.source(given.item_reader, env), given.item_selector
    selector = selector or given.parameters
    if selector:
        places = [
            {"Index": index, "Value": item, "Source": source} for index, item in enumerate(items)
        ]
        items = [_select(env, selector, place) for place in places]
    if not self.batcher:
        return items, [1] * len(items)
    batches = _batches(items, _select(env, self.batcher, {}))
    return batches, [len(batch["Items"]) for batch in batches]


def _select(env: Environment, selector: ItemSelector, item: Document) -> Any:
    """Evaluate a template for one item; its input is the Map state's."""
    frame = env.open_inner_frame()
    frame.states.context_object.context_object_data["Map"] = {"Item": item}
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
