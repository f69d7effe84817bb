"""JSONata as Step Functions has it: its variables, its own functions, and how a failure reads.

moto writes the values into the expression's text, where a quotation mark in a value breaks it;
here they are bound, with the functions that Step Functions adds.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import jsonata
from jsonata.jexception import JException
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.query_language import QueryLanguageMode
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringJSONata,
    StringVariableSample,
)
from moto.stepfunctions.parser.asl.component.component import Component
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison import (
    ConditionStringJSONata,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.items.items import ItemsJSONata
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from helpers.localaws import definitions

UNDEFINED = object()
TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def install() -> None:
    """Evaluate JSONata here and not in moto, which expects a Java virtual machine for it."""
    StringJSONata._eval_body = _evaluate_string
    StringVariableSample._eval_body = _evaluate_variable
    ConditionStringJSONata._eval_body = _evaluate_condition
    ItemsJSONata._eval_body = _evaluate_items


# --- evaluating --------------------------------------------------------------------------


def evaluate(expression: str, bindings: Mapping[str, Any]) -> Any:
    """Return an expression's value, or UNDEFINED; ``bindings`` are its variables, without ``$``.

    Raises what jsonata-python raises: an exception with a ``code``, or any other.
    """
    program = jsonata.Jsonata(expression)
    program.output_convert_nulls = False  # null is a value, undefined is none
    frame = program.create_frame()
    for name, function in FUNCTIONS.items():
        frame.bind(name, jsonata.Jsonata.JLambda(function))
    frame.bind("eval", None)  # Step Functions has $parse in its place
    for name, value in bindings.items():
        frame.bind(name, _with_nulls(value))
    value = program.evaluate(None, frame)
    return UNDEFINED if value is None else _plain(value)


def _with_nulls(value: Any) -> Any:
    """JSON's null as jsonata-python knows it; its None is undefined."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _with_nulls(each) for key, each in value.items()}
    return [_with_nulls(each) for each in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """The value in JSON's own types; whole numbers are int, as AWS writes them."""
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | range):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _partition(array: list[Any], size: float) -> list[list[Any]]:
    return [array[at : at + int(size)] for at in range(0, len(array), int(size))]


def _range(first: float, last: float, step: float) -> list[Any]:
    return [first + step * at for at in range(int((last - first) / step) + 1)]


def _hash(value: str, algorithm: str) -> str:
    names = {f"SHA-{bits}": f"sha{bits}" for bits in (1, 256, 384, 512)} | {"MD5": "md5"}
    return hashlib.new(names[algorithm], value.encode(), usedforsecurity=False).hexdigest()


def _random(seed: Any = None) -> float:
    # Not for secrets; and the same seed gives the same number.
    return (random if seed is None else random.Random(seed)).random()  # noqa: S311


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": lambda text: _with_nulls(json.loads(text)),
}


def _variables(env: Environment) -> dict[str, Any]:
    return {**env.variable_store._outer_scope, **env.variable_store._inner_scope}


# --- moto's components -------------------------------------------------------------------


def _evaluate_string(self: StringJSONata, env: Environment) -> None:
    """Take the place of ``StringJSONata._eval_body``."""
    try:
        value = evaluate(self.expression, {"states": env.states._states_data, **_variables(env)})
    except Exception as error:
        sentence = f"threw an error during evaluation{_words(error)}"
        raise failure(env, self, sentence) from error
    if value is UNDEFINED:
        raise failure(env, self, "returned nothing (undefined).")
    if not isinstance(value, dict | list | str | int | float | None):
        raise failure(env, self, "returned an unsupported result type.")
    env.stack.append(value)


def _words(error: Exception) -> str:
    """What JSONata says, as AWS ends its sentence: the reference's words, values as JSON."""
    if not isinstance(error, JException):
        return f": {error}"
    # jsonata-python was translated by machine, its catalogue too.
    template = JException.error_codes.get(error.error, "").replace("Object", "function")
    values = [json.dumps(_plain(each), default=str) for each in (error.current, error.expected)]
    places = re.findall(r"{{\w+}}", template)
    if "{{{" in template or len(places) > len(values):
        return f". {error.error}: {error}"
    for place, value in zip(places, values, strict=False):
        template = template.replace(place, value, 1)
    return f". {error.error}: {template}"


def _evaluate_variable(self: StringVariableSample, env: Environment) -> None:
    """Take the place of ``StringVariableSample._eval_body``: a variable, as ``$name.field``."""
    bindings = _variables(env)
    if self.query_language_mode == QueryLanguageMode.JSONata:
        bindings["states"] = env.states._states_data
    value = evaluate(self.expression, bindings)
    if value is UNDEFINED:
        raise NoSuchJsonPathError(self.expression, bindings)
    env.stack.append(value)


def _evaluate_condition(self: ConditionStringJSONata, env: Environment) -> None:
    """Take the place of ``ConditionStringJSONata._eval_body``: it must be true or false."""
    _evaluate_typed(self.string_jsonata, env, "boolean")


def _evaluate_items(self: ItemsJSONata, env: Environment) -> None:
    """Take the place of ``ItemsJSONata._eval_body``: a Map's items are an array."""
    _evaluate_typed(self.string_jsonata, env, "array")


def _evaluate_typed(string: StringJSONata, env: Environment, expected: str) -> None:
    string.eval(env=env)
    value = env.stack[-1]
    actual = TYPES.get(type(value), "number")
    if actual != expected:
        text = json.dumps(value, separators=(",", ":"))
        sentence = (
            "returned an unexpected result type. "
            f"Expected '{expected}', but was '{actual}' for value: {text}"
        )
        raise failure(env, string, sentence)


def failure(env: Environment, string: StringJSONata, what: str) -> FailureEventException:
    """Record EvaluationFailed and return the exception that fails the state.

    Its words are those that AWS was seen to write, with the field in which the expression is.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_EvaluationFailedEventDetails.html
    """
    error = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    field = getattr(string, "field", None)
    specified = f" specified for the field '{field}'" if field else ""
    state, entered = env.next_state_name, env.event_manager.entered(env.event_history_context)
    cause = (
        f"An error occurred while executing the state '{state}' (entered at the event id "
        f"#{entered}). The JSONata expression '{string.expression}'{specified} {what}"
    )
    details = EvaluationFailedEventDetails(error=error.error_name, cause=cause, state=state)
    if field:
        details["location"] = field
    event_details = EventDetails(evaluationFailedEventDetails=details)
    env.event_manager.add_event(
        env.event_history_context, HistoryEventType.EvaluationFailed, event_details
    )
    # The event is written: whoever handles the failure has nothing to add.
    return FailureEventException(FailureEvent(env, error, None, event_details))


# --- fields ------------------------------------------------------------------------------


def name_fields(program: Any, definition: dict[str, Any]) -> None:
    """Tell every expression of a program the field it stands in, such as ``Arguments/Message``."""
    fields: dict[tuple[str, str], str] = {}
    for name, state, _ in definitions.states(definition):
        for path, value in _leaves(state, ""):
            if isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
                fields.setdefault((name, value[2:-2].strip()), path)
    _name_fields(program, "", fields, set())


def _leaves(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        for key, each in value.items():
            if not path and key in definitions.NESTING:
                continue  # states of their own
            yield from _leaves(each, f"{path}/{key}" if path else key)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _leaves(each, f"{path}[{at}]")
    else:
        yield path, value


def _name_fields(part: Any, state: str, fields: Mapping[tuple[str, str], str], seen: set) -> None:
    if isinstance(part, dict | list):
        for each in part.values() if isinstance(part, dict) else part:
            _name_fields(each, state, fields, seen)
        return
    if not isinstance(part, Component) or id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, StringJSONata):
        part.field = fields.get((state, part.expression.strip()))
    inner = part.name if isinstance(part, CommonStateField) else state
    for each in vars(part).values():
        _name_fields(each, inner, fields, seen)
