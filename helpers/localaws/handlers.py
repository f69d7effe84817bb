"""Retriers and catchers: which fields they have, and what may be in them.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

from helpers.localaws.diagnostics import (
    Found,
    Object,
    failed,
    is_text,
    is_whole,
    required,
    unsupported,
)

_RETRIER = set("ErrorEquals IntervalSeconds MaxAttempts BackoffRate MaxDelaySeconds".split())
_RETRIER |= {"JitterStrategy", "Comment"}
_CATCHER = {"ErrorEquals", "Next", "Assign", "Comment"}
_KEEPS = {"JSONPath": {"ResultPath"}, "JSONata": {"Output"}}
_WHOLE = {  # the least and the most
    "IntervalSeconds": (1, 99_999_999),
    "MaxAttempts": (0, 99_999_999),
    "MaxDelaySeconds": (1, 31_622_399),
}
_JITTER = ("FULL", "NONE")


def check(state: Object, path: str, language: str) -> Found:
    """Yield what is wrong with the Retry and the Catch of a state in a query language."""
    for field in ("Retry", "Catch"):
        handlers = state.get(field, [])
        if not isinstance(handlers, list):
            yield failed("Expected value of type Array", f"{path}/{field}")
            continue
        for number, handler in enumerate(handlers):
            place = f"{path}/{field}[{number}]"
            if not isinstance(handler, dict):
                yield failed("Expected value of type Object", place)
                continue
            look = (
                _retrier(handler, place) if field == "Retry" else _catcher(handler, place, language)
            )
            yield from look
            yield from _errors(handler, place, field, is_last=number == len(handlers) - 1)


def _retrier(retrier: Object, path: str) -> Found:
    yield from required(retrier, path, "ErrorEquals")
    yield from unsupported(retrier, path, _RETRIER)
    for field, (least, most) in _WHOLE.items():
        value = retrier.get(field, least)
        if not is_whole(value) or not least <= value <= most:
            yield failed(f"Value must be an integer from {least} to {most}", f"{path}/{field}")
    rate = retrier.get("BackoffRate", 1)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate < 1:
        yield failed("Value must be a number of at least 1.0", f"{path}/BackoffRate")
    if retrier.get("JitterStrategy", "NONE") not in _JITTER:
        yield failed(f"Value must be one of [{', '.join(_JITTER)}]", f"{path}/JitterStrategy")


def _catcher(catcher: Object, path: str, language: str) -> Found:
    yield from required(catcher, path, "ErrorEquals", "Next")
    yield from unsupported(catcher, path, _CATCHER | _KEEPS[language])


def _errors(handler: Object, path: str, field: str, *, is_last: bool) -> Found:
    errors = handler.get("ErrorEquals", ["unknown"])
    if not isinstance(errors, list) or not errors or not all(map(is_text, errors)):
        yield failed("ErrorEquals must be a list of error names", f"{path}/ErrorEquals")
    elif "States.ALL" in errors and (len(errors) > 1 or not is_last):
        words = f"States.ALL must appear alone, and in the last one of {field}"
        yield failed(words, f"{path}/ErrorEquals")
