"""What AWS says of a fault where moto says something else, or nothing.

The words are those that AWS was seen to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jsonpath_ng.ext import parse
from moto.stepfunctions.parser.asl.component.common.path.result_path import ResultPath
from moto.stepfunctions.parser.asl.component.common.payload.payloadvalue.payloadbinding.payload_binding import (  # noqa: E501
    PayloadBindingStringExpressionSimple,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringIntrinsicFunction,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (  # noqa: E501
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_variable import (
    ComparisonVariable,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import NoSuchVariable
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from helpers.localaws.failures import failure, runtime_failure

Body = Callable[[Any, Environment], None]


def install() -> None:
    """Let moto's fields fail as AWS's do."""
    StateChoice._eval_state = _choose(StateChoice._eval_state)
    ComparisonVariable._eval_body = _compare(ComparisonVariable._eval_body)
    PayloadBindingStringExpressionSimple._eval_val = _bind(
        PayloadBindingStringExpressionSimple._eval_val
    )
    StringIntrinsicFunction._eval_body = _call(StringIntrinsicFunction._eval_body)
    ResultPath._eval_body = _put(ResultPath._eval_body)


def _choose(eval_state: Body) -> Body:
    """Wrap a Choice: without a match and a Default AWS reports States.Runtime."""

    def choose(self: StateChoice, env: Environment) -> None:
        try:
            eval_state(self, env)
        except RuntimeError as error:
            cause = (
                "Failed to transition out of the state. The state does not point to a next state."
            )
            raise runtime_failure(env, cause) from error

    return choose


def _compare(eval_body: Body) -> Body:
    """Wrap a comparison: only IsPresent may ask for what is not there."""

    def compare(self: ComparisonVariable, env: Environment) -> None:
        self.variable.eval(env)
        missing = isinstance(env.stack.pop(), NoSuchVariable)
        if missing and self.comparison_function.operator_type != ComparisonOperatorType.IsPresent:
            path = self.variable.string_sampler.literal_value
            cause = (
                f"Invalid path '{path}': The choice state's condition path references "
                "an invalid value."
            )
            raise runtime_failure(env, cause)
        eval_body(self, env)

    return compare


def _bind(eval_val: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a field ``"name.$": "$.path"`` of a payload template."""

    def bind(self: PayloadBindingStringExpressionSimple, env: Environment) -> Any:
        try:
            return eval_val(self, env)
        except NoSuchJsonPathError as error:
            if _is_past_the_end(error):
                return None
            cause = (
                f"The JSONPath '{error.json_path}' specified for the field '{self.field}.$' "
                f"could not be found in the input '{to_json_str(error.data)}'"
            )
            raise runtime_failure(env, cause) from error

    return bind


def _is_past_the_end(error: NoSuchJsonPathError) -> bool:
    """Whether the path names an element that its array does not have; AWS takes null for it."""
    array = re.fullmatch(r"(.+)\[\d+\]", error.json_path)
    found = parse(array[1]).find(error.data) if array else ()
    return bool(found) and isinstance(found[0].value, list)


def _call(eval_body: Body) -> Body:
    """Wrap an intrinsic function: its failure names the whole expression."""

    def call(self: StringIntrinsicFunction, env: Environment) -> None:
        begin = f"The function '{self.literal_value}' had the following error: "
        try:
            eval_body(self, env)
        except NoSuchJsonPathError as error:
            cause = (
                f"The JsonPath argument for the field '{error.json_path}' could not be found "
                f"in the input '{to_json_str(error.data)}'"
            )
            raise runtime_failure(env, begin + cause) from error
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise failure(env, "States.IntrinsicFailure", begin + str(error)) from error

    return call


def _put(eval_body: Body) -> Body:
    """Wrap ResultPath: what cannot hold a field fails the state."""

    def put(self: ResultPath, env: Environment) -> None:
        path = self.result_path_src
        if path not in {None, "$"} and not _holds(path, env.states.get_input()):
            text = to_json_str(env.states.get_input())
            cause = f"Unable to apply ReferencePath {path} to input {text}"
            raise failure(env, "States.ResultPathMatchFailure", cause)
        eval_body(self, env)

    return put


def _holds(path: str, value: Any) -> bool:
    """Whether ``path`` can be set in ``value``: all that it goes through are objects or arrays."""
    parents = re.findall(r"[^.\[\]]+|\[[^\]]*\]", path)[1:]
    for count in range(len(parents)):
        matches = parse(_joined(parents[:count])).find(value)
        if not matches:
            return True  # from here on it is made
        kind = list if re.fullmatch(r"\[\d+\]", parents[count]) else dict
        if not isinstance(matches[0].value, kind):
            return False
        if kind is list and int(parents[count][1:-1]) >= len(matches[0].value):
            return False
    return True


def _joined(parts: list[str]) -> str:
    return "$" + "".join(part if part.startswith("[") else f".{part}" for part in parts)
