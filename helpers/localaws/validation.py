"""What is wrong with a state machine's definition: all of it at once, each with its place.

The checks follow the Amazon States Language (https://states-language.net/spec.html); codes,
severities and places follow ValidateStateMachineDefinition, whose words "might change":
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
Where AWS was seen to say something, it is said in its words. What passes here is parsed by
moto, so that whatever moto cannot run is refused too.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonata
from ministack.core.responses import json_response

from helpers.localaws import interpreter
from helpers.localaws.requests import Answer, Refused, read_json, refusing

Object = dict[str, Any]


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong (``ERROR``) or looks wrong (``WARNING``)."""

    code: str
    message: str
    location: str | None = None
    severity: str = "ERROR"

    def __str__(self) -> str:
        """As InvalidDefinition says it."""
        return f"{self.code}: {self.message}" + (f" at {self.location}" if self.location else "")

    def shown(self) -> dict[str, str]:
        """As ValidateStateMachineDefinition shows it."""
        fields = {"severity": self.severity, "code": self.code, "message": self.message}
        return {**fields, "location": self.location} if self.location else fields


Found = Iterator[Diagnostic]


@refusing
def validate(data: Object) -> Answer:
    """ValidateStateMachineDefinition: FAIL where an error prevents creation, warnings do not.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
    """
    found = diagnostics(data["definition"], data.get("type", "STANDARD"))
    errors = [each for each in found if each.severity == "ERROR"]
    shown = found if data.get("severity") == "WARNING" else errors
    most = data.get("maxResults") or 100
    return json_response(
        {
            "result": "FAIL" if errors else "OK",
            "diagnostics": [each.shown() for each in shown[:most]],
            "truncated": len(shown) > most,
        }
    )


def check(definition: str, kind: str = "STANDARD") -> None:
    """Raise Refused with InvalidDefinition and every error, as CreateStateMachine does."""
    errors = [str(each) for each in diagnostics(definition, kind) if each.severity == "ERROR"]
    if errors:
        words = f"Invalid State Machine Definition: '{', '.join(errors)}'"
        raise Refused("InvalidDefinition", words)


def check_state(name: str, state: Object, language: str = "JSONPath") -> None:
    """Raise Refused with InvalidDefinition for a state alone, wherever it may go on to."""
    machine = {"States": {name: state}}
    found = [
        each
        for _, one, path in _all_states(machine, "")
        for each in _state(one, path, language, "STANDARD")
    ]
    if any(each.severity == "ERROR" for each in found):
        errors = ", ".join(str(each) for each in found if each.severity == "ERROR")
        raise Refused("InvalidDefinition", f"Invalid State Machine Definition: '{errors}'")


def state(document: Object, name: str) -> Object | None:
    """Return the state of that name, of the machine itself or nested in it, or None."""
    return next((found for known, found, _ in _all_states(document, "") if known == name), None)


@functools.lru_cache(maxsize=128)
def diagnostics(definition: str, kind: str = "STANDARD") -> tuple[Diagnostic, ...]:
    """Return what is wrong with a definition for machines of ``kind``, in order of its states."""
    repeated: list[str] = []

    def without_repeats(pairs: list[tuple[str, Any]]) -> Object:
        counted = Counter(key for key, _ in pairs)
        repeated.extend(key for key, times in counted.items() if times > 1)
        return dict(pairs)

    try:
        read_json(definition)
        document = json.loads(definition, object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        return (Diagnostic("INVALID_JSON_DESCRIPTION", f"Invalid JSON: {error}"),)
    if document is None:
        return (Diagnostic("MISSING_DESCRIPTION", "The definition is null"),)
    try:
        found = [*_machine(document, kind), *_repeats(document, repeated)]
    except RecursionError:
        return (Diagnostic("TOO_DEEPLY_NESTED", "The states are too deeply nested"),)
    if not any(each.severity == "ERROR" for each in found):
        found += _unparsable(definition)
    return tuple(found)


def _failed(message: str, location: str) -> Diagnostic:
    return Diagnostic("SCHEMA_VALIDATION_FAILED", message, location)


def _unparsable(definition: str) -> Found:
    try:
        interpreter.parse(definition)
    except Exception as error:  # noqa: BLE001 - the parser's, and Python's out of its visitors
        yield _failed(str(error) or type(error).__name__, "/")


def _repeats(document: Any, repeated: list[str]) -> Found:
    """Yield the state names that are not unique "within the scope of the whole state machine"."""
    names = Counter(name for name, _, _ in _all_states(document, ""))
    for name in names:
        if names[name] > 1 or name in repeated:
            words = f'The state name "{name}" appears more than once'
            yield Diagnostic("DUPLICATE_STATE_NAME", words)


def _all_states(machine: Any, path: str) -> Iterator[tuple[str, Object, str]]:
    """Yield each state of a machine and of what is nested in it: name, state, place."""
    states = machine.get("States") if isinstance(machine, dict) else None
    for name, state in states.items() if isinstance(states, dict) else ():
        if isinstance(state, dict):
            yield name, state, f"{path}/States/{name}"
            for inner, place in _nested(state, f"{path}/States/{name}"):
                yield from _all_states(inner, place)


def _nested(state: Object, path: str) -> Iterator[tuple[Any, str]]:
    """Yield the machines within a Parallel or Map state, with their places."""
    branches = state.get("Branches")
    for number, branch in enumerate(branches if isinstance(branches, list) else ()):
        yield branch, f"{path}/Branches[{number}]"
    for field in ("ItemProcessor", "Iterator"):
        if field in state:
            yield state[field], f"{path}/{field}"


# --- machines ----------------------------------------------------------------------------

_MACHINE = {"Comment", "StartAt", "States"}
_TOP = _MACHINE | {"Version", "TimeoutSeconds", "QueryLanguage"}


def _machine(document: Any, kind: str) -> Found:
    if not isinstance(document, dict):
        yield _failed("Expected value of type Object", "/")
        return
    language = document.get("QueryLanguage", "JSONPath")
    if language not in ("JSONPath", "JSONata"):
        yield _failed("Value must be one of [JSONPath, JSONata]", "/QueryLanguage")
        return
    if "TimeoutSeconds" in document:
        yield from _positive(document["TimeoutSeconds"], "/TimeoutSeconds")
    yield from _container(document, "", _TOP)
    for _, state, path in _all_states(document, ""):
        yield from _state(state, path, language, kind)


def _container(machine: Any, path: str, fields: set[str]) -> Found:
    """Yield what is wrong with a machine or a nested one, its states' insides aside."""
    if not isinstance(machine, dict):
        yield _failed("Expected value of type Object", path or "/")
        return
    yield from _required(machine, path or "/", "StartAt", "States")
    yield from _unsupported(machine, path or "/", fields)
    states = machine.get("States")
    if states is None:
        return
    if not isinstance(states, dict) or not states:
        yield _failed("States must be an object with at least one state", f"{path}/States")
        return
    for name, state in states.items():
        if not isinstance(state, dict):
            yield _failed("Expected value of type Object", f"{path}/States/{name}")
        elif name == "" or len(name) > 80:
            words = "A state name has 1 to 80 characters"
            yield Diagnostic("INVALID_STATE_NAME", words, f"{path}/States/{name}")
        else:
            for inner, place in _nested(state, f"{path}/States/{name}"):
                more = {"ProcessorConfig"} if not place.endswith("]") else set()
                yield from _container(inner, place, _MACHINE | more)
    yield from _transitions(machine, states, path)


def _required(thing: Object, path: str, *fields: str) -> Found:
    missing = [field for field in fields if field not in thing]
    if missing:
        yield _failed(f"These fields are required: [{', '.join(missing)}]", path)


def _unsupported(thing: Object, path: str, fields: set[str]) -> Found:
    for field in thing:
        if field not in fields:
            yield _failed(f"Field '{field}' is not supported", path)


def _transitions(machine: Object, states: Object, path: str) -> Found:
    """Yield targets that are not there, states that are never reached, and a missing end."""
    start = machine.get("StartAt")
    if start is not None and (not isinstance(start, str) or start not in states):
        yield _no_target(start, f"{path}/StartAt")
    ways: dict[str, list[str]] = {}
    for name, state in states.items():
        ways[name] = []
        for target, place in _targets(state, f"{path}/States/{name}"):
            if target in states:
                ways[name].append(target)
            else:
                yield _no_target(target, place)
    if not any(_ends(state) for state in states.values()):
        yield Diagnostic("MISSING_END_STATE", "Workflow has no terminal state", path or None)
        return
    reached, waiting = set(), [start] if isinstance(start, str) else []
    while waiting:
        name = waiting.pop()
        if name in states and name not in reached:
            reached.add(name)
            waiting += ways[name]
    for name in states:
        if name not in reached:
            words = f'State "{name}" is not reachable.'
            yield Diagnostic("MISSING_TRANSITION_TARGET", words, f"{path}/States/{name}")


def _no_target(target: Any, path: str) -> Diagnostic:
    return Diagnostic("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {target}", path)


def _ends(state: Any) -> bool:
    if not isinstance(state, dict):
        return False
    return state.get("End") is True or state.get("Type") in ("Succeed", "Fail")


def _targets(state: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield each state that another one goes on to, with the place that names it."""
    if not isinstance(state, dict):
        return
    places = [(state, "Next", f"{path}/Next"), (state, "Default", f"{path}/Default")]
    for field in ("Choices", "Catch"):
        rules = state.get(field)
        places += [
            (rule, "Next", f"{path}/{field}[{number}]/Next")
            for number, rule in enumerate(rules if isinstance(rules, list) else ())
            if isinstance(rule, dict)
        ]
    for thing, field, place in places:
        if isinstance(thing.get(field), str):
            yield thing[field], place


# --- states ------------------------------------------------------------------------------

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
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign")
_FIELD_OF_ONE = {  # at most one of each, at least one where the type needs it
    "Wait": ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
    "Map": ("ItemProcessor", "Iterator"),
}


def _state(state: Object, path: str, language: str, kind: str) -> Found:
    fields = _FIELDS.get(state.get("Type", "")) if _is_text(state.get("Type")) else None
    if fields is None:
        if "Type" in state:
            yield _failed(f"Value must be one of [{', '.join(_FIELDS)}]", f"{path}/Type")
        else:
            yield from _required(state, path, "Type")
        return
    yield from _unsupported(state, path, fields)
    own = state.get("QueryLanguage", language)
    if own not in ("JSONPath", "JSONata"):
        yield _failed("Value must be one of [JSONPath, JSONata]", f"{path}/QueryLanguage")
        return
    if (own, language) == ("JSONPath", "JSONata"):
        words = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
        yield _failed(words, path)
        return
    yield from _language(state, path, own)
    yield from _ways_on(state, path)
    yield from _one_of(state, path)
    yield from _BY_TYPE.get(state["Type"], _nothing)(state, path, own, kind)
    for field in ("Retry", "Catch"):
        yield from _handlers(state, path, field)
    if own == "JSONata":
        yield from _expressions({k: v for k, v in state.items() if k not in _INNER}, path)
    else:
        yield from _paths(state, path)


_INNER = {"Branches", "ItemProcessor", "Iterator"}


def _nothing(*_: Any) -> Found:
    yield from ()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _language(state: Object, path: str, language: str) -> Found:
    other = "JSONPath" if language == "JSONata" else "JSONata"
    for field in state:
        is_path = field in _JSONPATH_ONLY or field.endswith("Path")
        if (field in _JSONATA_ONLY) if other == "JSONata" else is_path:
            yield _failed(
                f"The QueryLanguage is set to '{language}', but field '{field}' is only "
                f"supported for the '{other}' QueryLanguage",
                path,
            )


def _ways_on(state: Object, path: str) -> Found:
    if "Next" not in _FIELDS[state["Type"]]:
        return
    if "End" in state and not isinstance(state["End"], bool):
        yield _failed("Expected value of type Boolean", f"{path}/End")
    elif ("Next" in state) == (state.get("End") is True):
        words = "One and only one of these fields is required: [Next, End]"
        yield _failed(words, path)
    if "Next" in state and not _is_text(state["Next"]):
        yield _failed("Expected value of type String", f"{path}/Next")


def _one_of(state: Object, path: str) -> Found:
    fields = _FIELD_OF_ONE.get(state["Type"], ())
    given = [field for field in fields if field in state]
    if fields and len(given) != 1:
        yield _failed(f"One and only one of these fields is required: [{', '.join(fields)}]", path)
    for field in ("Error", "Cause", "TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency"):
        if field in state and f"{field}Path" in state:
            yield _failed(f"Only one of these fields is allowed: [{field}, {field}Path]", path)


def _task(state: Object, path: str, language: str, kind: str) -> Found:
    del language
    yield from _required(state, path, "Resource")
    resource = state.get("Resource")
    if "Resource" in state and not (_is_text(resource) and _RESOURCE.fullmatch(resource)):
        yield _failed("Value is not a valid resource ARN", f"{path}/Resource")
    elif kind == "EXPRESS" and "Resource" in state:
        for pattern in (".sync", ".waitForTaskToken"):
            if pattern in resource:
                words = f"Express state machine does not support '{pattern}' service integration"
                yield _failed(words, f"{path}/Resource")
        if ":activity:" in resource:
            yield _failed("Express state machine does not support Activity ARN", f"{path}/Resource")
    for field in ("TimeoutSeconds", "HeartbeatSeconds"):
        if field in state:
            yield from _positive(state[field], f"{path}/{field}")
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        words = "HeartbeatSeconds must be smaller than TimeoutSeconds"
        yield _failed(words, f"{path}/HeartbeatSeconds")


_RESOURCE = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[^:\s]*:[^:\s]*:\S+")


def _wait(state: Object, path: str, language: str, kind: str) -> Found:
    del kind
    seconds = state.get("Seconds", 0)
    if language == "JSONata" and _is_text(seconds):
        return
    whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    if not whole or not 0 <= seconds <= 99_999_999:
        yield _failed("Value must be an integer from 0 to 99999999", f"{path}/Seconds")


def _choice(state: Object, path: str, language: str, kind: str) -> Found:
    del kind
    yield from _required(state, path, "Choices")
    rules = state.get("Choices", [{}])
    if not isinstance(rules, list) or not rules:
        yield _failed("Choices must be a list with at least one rule", f"{path}/Choices")
        return
    for number, rule in enumerate(rules if "Choices" in state else ()):
        place = f"{path}/Choices[{number}]"
        if not isinstance(rule, dict):
            yield _failed("Expected value of type Object", place)
            continue
        yield from _required(rule, place, "Next")
        if language == "JSONata":
            yield from _required(rule, place, "Condition")
        else:
            yield from _rule(rule, place, {"Next", "Assign", "Comment"})


_ORDER = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_COMPARISONS = (
    {
        f"{what}{order}{path}"
        for what in ("String", "Numeric", "Timestamp")
        for order in _ORDER
        for path in ("", "Path")
    }
    | {f"Is{what}" for what in "Null Present Numeric String Boolean Timestamp".split()}
    | {"BooleanEquals", "BooleanEqualsPath", "StringMatches"}
)


def _rule(rule: Object, path: str, besides: set[str]) -> Found:
    """Yield what is wrong with a JSONPath choice rule, ``besides`` its comparison."""
    operators = [field for field in rule if field not in besides | {"Variable"}]
    if len(operators) != 1 or operators[0] not in _COMPARISONS | {"And", "Or", "Not"}:
        words = "A choice rule needs one comparison, such as StringEquals, or And, Or, Not"
        yield _failed(words, path)
        return
    operator = operators[0]
    inner = rule[operator] if operator in ("And", "Or") else [rule[operator]]
    if operator in _COMPARISONS:
        yield from _required(rule, path, "Variable")
    elif not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
        yield _failed(f"{operator} needs rules", f"{path}/{operator}")
    else:
        for number, each in enumerate(inner):
            yield from _rule(each, f"{path}/{operator}[{number}]", {"Comment"})


def _parallel(state: Object, path: str, language: str, kind: str) -> Found:
    del language, kind
    yield from _required(state, path, "Branches")
    branches = state.get("Branches", [{}])
    if not isinstance(branches, list) or not branches:
        yield _failed("Branches must be a list with at least one branch", f"{path}/Branches")


def _map(state: Object, path: str, language: str, kind: str) -> Found:
    del language
    label = state.get("Label")
    if "Label" in state and not (
        _is_text(label) and re.fullmatch(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"/]{1,40}", label)
    ):
        yield Diagnostic("INVALID_LABEL_NAME", "A label has 1 to 40 characters", f"{path}/Label")
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
    if kind == "EXPRESS" and isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED":
        words = "Express state machine does not support DISTRIBUTED mode"
        yield _failed(words, f"{path}/ItemProcessor/ProcessorConfig")


_BY_TYPE: dict[str, Callable[[Object, str, str, str], Found]] = {
    "Task": _task,
    "Wait": _wait,
    "Choice": _choice,
    "Parallel": _parallel,
    "Map": _map,
}


def _positive(value: Any, path: str) -> Found:
    if _is_text(value) and value.startswith("{%"):
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield _failed("Value must be a positive integer", path)


def _handlers(state: Object, path: str, field: str) -> Found:
    """Yield what is wrong with a state's Retry or Catch."""
    handlers = state.get(field, [])
    if not isinstance(handlers, list):
        yield _failed("Expected value of type Array", f"{path}/{field}")
        return
    for number, handler in enumerate(handlers):
        place = f"{path}/{field}[{number}]"
        if not isinstance(handler, dict):
            yield _failed("Expected value of type Object", place)
            continue
        needed = ("ErrorEquals",) if field == "Retry" else ("ErrorEquals", "Next")
        yield from _required(handler, place, *needed)
        errors = handler.get("ErrorEquals", ["unknown"])
        if not isinstance(errors, list) or not errors or not all(map(_is_text, errors)):
            yield _failed("ErrorEquals must be a list of error names", f"{place}/ErrorEquals")
        elif "States.ALL" in errors and (len(errors) > 1 or number < len(handlers) - 1):
            words = f"States.ALL must appear alone, and in the last one of {field}"
            yield _failed(words, f"{place}/ErrorEquals")


# --- paths and expressions ---------------------------------------------------------------

_LOOKS_LIKE_A_PATH = re.compile(r"\$(\.|\$|\[).*|States\.[A-Z]\w+\(.*", re.DOTALL)


def _paths(state: Object, path: str) -> Found:
    """Yield what is wrong with the JSONPaths of a state, and what was probably meant as one."""
    for field, value in state.items():
        if field.endswith("Path") and value is not None:
            known = _is_text(value) and value.startswith(("$", "States."))
            if not known:
                yield _failed("Value is not a valid JSONPath", f"{path}/{field}")
        elif field in _TEMPLATES:
            yield from _template(value, f"{path}/{field}")
        elif field == "Result":
            yield from _static(value, f"{path}/{field}")
        elif field not in _INNER and _is_text(value) and _LOOKS_LIKE_A_PATH.fullmatch(value):
            words = f"'{field}' looks like a path; did you mean '{field}Path'?"
            yield Diagnostic("NO_PATH", words, f"{path}/{field}", "WARNING")


def _template(value: Any, path: str) -> Found:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _template(item, f"{path}[{number}]")
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key.endswith(".$"):
            if not (_is_text(inner) and inner.startswith(("$", "States."))):
                yield _failed(
                    f"The value for the field '{key}' must be a valid JSONPath or a valid "
                    "intrinsic function call",
                    path,
                )
        elif _is_text(inner) and _LOOKS_LIKE_A_PATH.fullmatch(inner):
            words = f"'{key}' looks like a path or a function; did you mean '{key}.$'?"
            yield Diagnostic("NO_DOLLAR", words, f"{path}/{key}", "WARNING")
        else:
            yield from _template(inner, f"{path}/{key}")


def _static(value: Any, path: str) -> Found:
    """Yield a warning for each path in a Pass state's Result, which is never evaluated."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key.endswith(".$") or (_is_text(inner) and _LOOKS_LIKE_A_PATH.fullmatch(inner)):
            words = "Result is static: a path in it is not evaluated; use Parameters"
            yield Diagnostic("PASS_RESULT_IS_STATIC", words, f"{path}/{key}", "WARNING")
        else:
            yield from _static(inner, f"{path}/{key}")


def _expressions(value: Any, path: str) -> Found:
    """Yield the JSONata expressions that cannot be parsed."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from _expressions(inner, f"{path}/{key}")
        case list():
            for number, inner in enumerate(value):
                yield from _expressions(inner, f"{path}[{number}]")
        case str() if value.startswith("{%") and value.endswith("%}"):
            try:
                jsonata.Jsonata(value[2:-2].strip())
            except Exception as error:  # noqa: BLE001 - jsonata-python raises many types
                yield Diagnostic("INVALID_JSONATA_EXPRESSION", str(error), path)
