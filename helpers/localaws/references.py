"""Paths and expressions within a state: those that are none, and those that were meant as one."""

from __future__ import annotations

import re
from typing import Any

import jsonata

from helpers.localaws.definitions import NESTING
from helpers.localaws.diagnostics import Diagnostic, Found, Object, doubt, failed, is_text

_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign")
_LOOKS_LIKE_A_PATH = re.compile(r"\$(\.|\$|\[).*|States\.[A-Z]\w+\(.*", re.DOTALL)


def paths(state: Object, path: str) -> Found:
    """Yield what is wrong with the JSONPaths of a state, and what was probably meant as one."""
    for field, value in state.items():
        if field.endswith("Path") and value is not None:
            if not _is_reference(value):
                yield failed("Value is not a valid JSONPath", f"{path}/{field}")
        elif field in _TEMPLATES:
            yield from _template(value, f"{path}/{field}")
        elif field == "Result":
            yield from _static(value, f"{path}/{field}")
        elif field not in NESTING and _looks_like_a_path(value):
            words = f"'{field}' looks like a path; did you mean '{field}Path'?"
            yield doubt("NO_PATH", words, f"{path}/{field}")


def expressions(state: Object, path: str) -> Found:
    """Yield the JSONata expressions of a state that cannot be parsed."""
    own = {field: value for field, value in state.items() if field not in NESTING}
    yield from _expressions(own, path)


def _is_reference(value: Any) -> bool:
    return is_text(value) and value.startswith(("$", "States."))


def _looks_like_a_path(value: Any) -> bool:
    return is_text(value) and _LOOKS_LIKE_A_PATH.fullmatch(value) is not None


def _template(value: Any, path: str) -> Found:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _template(item, f"{path}[{number}]")
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key.endswith(".$"):
            if not _is_reference(inner):
                words = "must be a valid JSONPath or a valid intrinsic function call"
                yield failed(f"The value for the field '{key}' {words}", path)
        elif _looks_like_a_path(inner):
            words = f"'{key}' looks like a path or a function; did you mean '{key}.$'?"
            yield doubt("NO_DOLLAR", words, f"{path}/{key}")
        else:
            yield from _template(inner, f"{path}/{key}")


def _static(value: Any, path: str) -> Found:
    """Yield a warning for each path in a Pass state's Result, which is never evaluated."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key.endswith(".$") or _looks_like_a_path(inner):
            words = "Result is static: a path in it is not evaluated; use Parameters"
            yield doubt("PASS_RESULT_IS_STATIC", words, f"{path}/{key}")
        else:
            yield from _static(inner, f"{path}/{key}")


def _expressions(value: Any, path: str) -> Found:
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
