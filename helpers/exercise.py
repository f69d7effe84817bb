"""An exercise's check: it never stops a notebook, and says what is wrong with an answer.

A check is a function of the answer that raises `Wrong`, or returns a sentence about what the
right answer does. An answer that still has its dots is not wrong, just not there yet.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from dis import get_instructions
from functools import wraps
from inspect import isfunction
from types import FunctionType
from typing import Any, ParamSpec

from helpers.markup import NO_MATHS
from helpers.table import sign

Parameters = ParamSpec("Parameters")
OPEN = "Not answered yet: write your answer where the dots are, and run this cell again."


class Wrong(Exception):  # noqa: N818 - it is a verdict, not an accident
    """The answer is wrong; its text says what about it, and not what would be right."""


@dataclass(frozen=True)
class Verdict:
    """What became of an answer: ``done`` is None where there is none yet."""

    done: bool | None
    words: str

    def __bool__(self) -> bool:
        return bool(self.done)

    def __repr__(self) -> str:
        return f"{'○' if self.done is None else '✓' if self.done else '✗'} {self.words}"

    def _repr_html_(self) -> str:
        mark = "<b>○</b>" if self.done is None else sign(self.done)
        return f'<div class="{NO_MATHS}">{mark} {html.escape(self.words)}</div>'


def check(judge: Callable[Parameters, str]) -> Callable[Parameters, Verdict]:
    """Make a function that judges an answer return a `Verdict`, whatever it was given.

    An answer of another shape than was asked for makes the judge itself fail; what Python says
    about that is part of the verdict.
    """

    @wraps(judge)
    def verdict(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Verdict:
        if any(map(_is_open, (*args, *kwargs.values()))):
            return Verdict(None, OPEN)
        try:
            return Verdict(True, judge(*args, **kwargs))
        except Wrong as wrong:
            return Verdict(False, str(wrong))
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            return Verdict(
                False,
                "The answer does not have the form that is asked for. "
                f"Python says: {type(error).__name__}: {error}",
            )

    return verdict


def _is_open(answer: Any) -> bool:
    """Whether an answer, or a part of it, is still the dots; a function: whether it is empty."""
    if isinstance(answer, dict):
        return any(map(_is_open, answer.values()))
    if isinstance(answer, list | tuple):
        return any(map(_is_open, answer))
    return answer is ... or (isfunction(answer) and _steps(answer) == _steps(_empty))


def _steps(function: FunctionType) -> list[tuple[str, object]]:
    """Return what a function does: nothing but ``...`` is the same with and without a docstring."""
    return [
        (step.opname, step.argval) for step in get_instructions(function) if step.opname != "NOP"
    ]


def _empty() -> None: ...
