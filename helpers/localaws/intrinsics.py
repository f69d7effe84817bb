"""Intrinsic functions: how their strings are written, and what moto's do not do as AWS's.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringIntrinsicFunction,
)
from moto.stepfunctions.parser.asl.component.intrinsic.function.statesfunction.generic.string_format import (  # noqa: E501
    StringFormat,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.parse.intrinsic import preprocessor as intrinsic
from moto.stepfunctions.parser.asl.parse.intrinsic.intrinsic_parser import IntrinsicParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

# A string may hold these only escaped, as moto's grammar has it.
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"'}
_UNESCAPED = {**{text: char for char, text in _ESCAPES.items()}, "\\'": "'", "\\\\": "\\"}


def install() -> None:
    """Let moto read an intrinsic function's strings as AWS does."""
    Preprocessor.visitString_intrinsic_function = read_function
    intrinsic.Preprocessor._replace_escaped_characters = staticmethod(unescape)
    StringFormat._eval_body = evaluate_format


def read_function(_: Preprocessor, ctx: Any) -> StringIntrinsicFunction:
    """Take the place of the visitor's method: the text is JSON first."""
    text = json.loads(ctx.STRINGINTRINSICFUNC().getText())
    escaped = "".join(_ESCAPES.get(char, char) for char in text)
    return StringIntrinsicFunction(text, IntrinsicParser.parse(escaped)[0])


def unescape(match: re.Match[str]) -> str:
    """Return the character that an escape stands for; States.Format sees to braces itself."""
    return _UNESCAPED.get(match[0], match[0])


def evaluate_format(self: StringFormat, env: Environment) -> None:
    """Take the place of ``StringFormat._eval_body``, for which ``{`` is Python's."""
    self.argument_list.eval(env=env)
    template, *values = env.stack.pop()
    parts = [re.sub(r"\\([{}])", r"\1", part) for part in re.split(r"(?<!\\)\{\}", template)]
    if len(parts) != len(values) + 1:
        raise ValueError(f"{len(parts) - 1} values are needed, {len(values)} were given")
    texts = [*map(self._to_str_repr, values), ""]
    env.stack.append("".join(part + text for part, text in zip(parts, texts, strict=True)))
