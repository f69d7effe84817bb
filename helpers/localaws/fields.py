"""The fields of a state: which its type has, and what may be in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from helpers.localaws import comparisons, handlers, references
from helpers.localaws.definitions import State
from helpers.localaws.diagnostics import (
    Diagnostic,
    Found,
    Object,
    failed,
    is_text,
    is_whole,
    language,
    one_of,
    positive,
    required,
    unsupported,
)

_ANY = {"Type", "Comment", "QueryLanguage"}
_FILTERS = {"InputPath", "OutputPath", "Output"}
_ON = _ANY | _FILTERS | {"Next", "End", "Assign"}
_WORK = _ON | set("Parameters Arguments ResultPath ResultSelector Retry Catch".split())
_FIELDS = {
    "Pass": _ON | {"Result", "ResultPath", "Parameters"},
    "Task": _WORK
    | set("Resource Credentials TimeoutSeconds TimeoutSecondsPath".split())
    | {"HeartbeatSeconds", "HeartbeatSecondsPath"},
    "Choice": _ANY | _FILTERS | {"Choices", "Default", "Assign"},
    "Wait": _ON | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Succeed": _ANY | _FILTERS,
    "Fail": _ANY | {"Error", "ErrorPath", "Cause", "CausePath"},
    "Parallel": _WORK | {"Branches"},
    "Map": (_WORK - {"Arguments"})
    | set("ItemProcessor Iterator ItemsPath Items ItemSelector ItemReader ItemBatcher".split())
    | set("ResultWriter MaxConcurrency MaxConcurrencyPath Label".split())
    | {
        f"ToleratedFailure{what}{path}" for what in ("Count", "Percentage") for path in ("", "Path")
    },
}
_JSONATA_ONLY = {"Arguments", "Output", "Items"}
_JSONPATH_ONLY = {"InputPath", "OutputPath", "Parameters", "Result", "ResultPath", "ResultSelector"}
_ALTERNATIVES = {  # exactly one of them
    "Wait": ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
    "Map": ("ItemProcessor", "Iterator"),
}
_OR_PATH = ("Error", "Cause", "TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency")
_RESOURCE = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[^:\s]*:[^:\s]*:\S+")
_BATCHER = set("BatchInput MaxItemsPerBatch MaxItemsPerBatchPath MaxInputBytesPerBatch".split())
_BATCHER |= {"MaxInputBytesPerBatchPath"}
_TRANSFORMATIONS = ["NONE", "COMPACT", "FLATTEN"]
_LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"/]{1,40}")


def check(state: State, machine_language: str, kind: str) -> Found:
    """Yield what is wrong with a state of a machine of ``kind``, STANDARD or EXPRESS."""
    fields, path = state.fields, state.path
    known = _FIELDS.get(fields.get("Type", "")) if is_text(fields.get("Type")) else None
    if known is None:
        if "Type" in fields:
            yield failed(f"Value must be one of [{', '.join(_FIELDS)}]", f"{path}/Type")
        else:
            yield from required(fields, path, "Type")
        return
    yield from unsupported(fields, path, known)
    own = fields.get("QueryLanguage", machine_language)
    wrong = [*language(own, path), *_downgrade(own, machine_language, path)]
    yield from wrong
    if not wrong:
        yield from _of_language(fields, path, own)
        yield from _ways_on(fields, path)
        yield from _alternatives(fields, path)
        yield from _BY_TYPE.get(fields["Type"], _nothing)(fields, path, own, kind)
        yield from handlers.check(fields, path, own)
        look = references.expressions if own == "JSONata" else references.paths
        yield from look(fields, path)


def _nothing(*_: Any) -> Found:
    yield from ()


# --- all types ---------------------------------------------------------------------------


def _downgrade(own: Any, machine_language: str, path: str) -> Found:
    if (own, machine_language) == ("JSONPath", "JSONata"):
        words = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
        yield failed(words, path)


def _of_language(state: Object, path: str, spoken: str) -> Found:
    other = "JSONPath" if spoken == "JSONata" else "JSONata"
    for field in state:
        is_path = field in _JSONPATH_ONLY or field.endswith("Path")
        if (field in _JSONATA_ONLY) if other == "JSONata" else is_path:
            yield failed(
                f"The QueryLanguage is set to '{spoken}', but field '{field}' is only "
                f"supported for the '{other}' QueryLanguage",
                path,
            )


def _ways_on(state: Object, path: str) -> Found:
    if "Next" not in _FIELDS[state["Type"]]:
        return
    if "End" in state and not isinstance(state["End"], bool):
        yield failed("Expected value of type Boolean", f"{path}/End")
    elif ("Next" in state) == (state.get("End") is True):
        yield failed("One and only one of these fields is required: [Next, End]", path)
    if "Next" in state and not is_text(state["Next"]):
        yield failed("Expected value of type String", f"{path}/Next")


def _alternatives(state: Object, path: str) -> Found:
    if state["Type"] in _ALTERNATIVES:
        yield from one_of(state, path, *_ALTERNATIVES[state["Type"]])
    for field in _OR_PATH:
        if field in state and f"{field}Path" in state:
            yield failed(f"Only one of these fields is allowed: [{field}, {field}Path]", path)


# --- one type ----------------------------------------------------------------------------


def _task(state: Object, path: str, spoken: str, kind: str) -> Found:
    del spoken
    yield from required(state, path, "Resource")
    resource = state.get("Resource")
    if "Resource" in state and not (is_text(resource) and _RESOURCE.fullmatch(resource)):
        yield failed("Value is not a valid resource ARN", f"{path}/Resource")
    elif kind == "EXPRESS" and "Resource" in state:
        yield from _waiting(resource, f"{path}/Resource")
    for field in ("TimeoutSeconds", "HeartbeatSeconds"):
        if field in state:
            yield from positive(state[field], f"{path}/{field}")
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        words = "HeartbeatSeconds must be smaller than TimeoutSeconds"
        yield failed(words, f"{path}/HeartbeatSeconds")


def _waiting(resource: str, path: str) -> Found:
    """Yield an error for a resource that waits for others, which Express machines cannot."""
    for pattern in (".sync", ".waitForTaskToken"):
        if pattern in resource:
            words = f"Express state machine does not support '{pattern}' service integration"
            yield failed(words, path)
    if ":activity:" in resource:
        yield failed("Express state machine does not support Activity ARN", path)


def _wait(state: Object, path: str, spoken: str, kind: str) -> Found:
    del kind
    seconds = state.get("Seconds", 0)
    if spoken == "JSONata" and is_text(seconds):
        return
    if not is_whole(seconds) or not 0 <= seconds <= 99_999_999:
        yield failed("Value must be an integer from 0 to 99999999", f"{path}/Seconds")


def _choice(state: Object, path: str, spoken: str, kind: str) -> Found:
    del kind
    yield from required(state, path, "Choices")
    rules = state.get("Choices", [{}])
    if not isinstance(rules, list) or not rules:
        yield failed("Choices must be a list with at least one rule", f"{path}/Choices")
        return
    for number, rule in enumerate(rules if "Choices" in state else ()):
        place = f"{path}/Choices[{number}]"
        if not isinstance(rule, dict):
            yield failed("Expected value of type Object", place)
            continue
        yield from required(rule, place, "Next")
        if spoken == "JSONata":
            yield from required(rule, place, "Condition")
        else:
            yield from comparisons.rule(rule, place, {"Next", "Assign", "Comment"})


def _parallel(state: Object, path: str, spoken: str, kind: str) -> Found:
    del spoken, kind
    yield from required(state, path, "Branches")
    branches = state.get("Branches", [{}])
    if not isinstance(branches, list) or not branches:
        yield failed("Branches must be a list with at least one branch", f"{path}/Branches")


def _map(state: Object, path: str, spoken: str, kind: str) -> Found:
    del spoken
    label = state.get("Label")
    if "Label" in state and not (is_text(label) and _LABEL.fullmatch(label)):
        yield Diagnostic("INVALID_LABEL_NAME", "A label has 1 to 40 characters", f"{path}/Label")
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
    if kind == "EXPRESS" and isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED":
        words = "Express state machine does not support DISTRIBUTED mode"
        yield failed(words, f"{path}/ItemProcessor/ProcessorConfig")
    if "ItemBatcher" in state:
        yield from _batcher(state["ItemBatcher"], f"{path}/ItemBatcher")
    if "ResultWriter" in state:
        yield from _writer(state["ResultWriter"], f"{path}/ResultWriter")


def _batcher(batcher: Any, path: str) -> Found:
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
    if not isinstance(batcher, dict):
        yield failed("Expected value of type Object", path)
        return
    yield from unsupported(batcher, path, _BATCHER)
    for field in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"):
        if field in batcher:
            yield from positive(batcher[field], f"{path}/{field}")


def _writer(writer: Any, path: str) -> Found:
    if not isinstance(writer, dict) or not writer:
        yield failed("ResultWriter must be an object and not empty", path)
        return
    config = writer.get("WriterConfig", {})
    if not isinstance(config, dict):
        yield failed("Expected value of type Object", f"{path}/WriterConfig")
        return
    if config.get("Transformation", "NONE") not in _TRANSFORMATIONS:
        words = f"Value must be one of [{', '.join(_TRANSFORMATIONS)}]"
        yield failed(words, f"{path}/WriterConfig/Transformation")
    if config.get("OutputType", "JSON") != "JSON":  # AWS knows JSONL as well
        yield failed("The local AWS writes JSON only", f"{path}/WriterConfig/OutputType")


_BY_TYPE: dict[str, Callable[[Object, str, str, str], Found]] = {
    "Task": _task,
    "Wait": _wait,
    "Choice": _choice,
    "Parallel": _parallel,
    "Map": _map,
}
