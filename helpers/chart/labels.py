"""How a definition reads: a state's subtitle, a Choice rule as a condition, a Retry or Catch.

Source: Amazon States Language specification (https://states-language.net/spec.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from helpers import history

TYPES = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
ANY_ERROR = "any error"
_OPERATORS = {
    "Equals": "=",
    "LessThan": "<",
    "LessThanEquals": "≤",
    "GreaterThan": ">",
    "GreaterThanEquals": "≥",
    "Matches": "matches",
}
_COMPARISON = re.compile(rf"(?:String|Numeric|Boolean|Timestamp)({'|'.join(_OPERATORS)})(Path)?")
_FROM = {"S": "seconds in", "T": "until"}
_TESTS = {
    "IsPresent": "present",
    "IsNull": "null",
    "IsNumeric": "a number",
    "IsString": "text",
    "IsBoolean": "true or false",
    "IsTimestamp": "a timestamp",
}


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, an empty one where it is anything else."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The members of a list as mappings; none where it is no list."""
    return [mapping(member) for member in value] if isinstance(value, list) else []


def string(value: Any) -> str | None:
    """The value where it is text, None where it is anything else."""
    return value if isinstance(value, str) else None


def subtitle(kind: str, state: Mapping[str, Any]) -> str:
    """The type of a state and what tells it from others of its type."""
    more = ""
    if kind == "unknown":
        return f"unknown type {state['Type']!r}" if "Type" in state else "no Type"
    if kind == "Task":
        named = string(state.get("Resource"))
        more = history.resource(named) if named else "no Resource"
    elif kind == "Wait":
        more = _waiting(state)
    elif kind == "Fail":
        more = _expression(state.get("Error", state.get("ErrorPath", "")))
    elif kind == "Map":
        config = mapping(mapping(state.get("ItemProcessor")).get("ProcessorConfig"))
        more = "distributed" if config.get("Mode") == "DISTRIBUTED" else "for each item"
    elif kind == "Parallel":
        branches = len(mappings(state.get("Branches")))
        more = f"{branches} branch{'' if branches == 1 else 'es'}"
    return f"{kind} · {more}" if more else kind


def condition(rule: Mapping[str, Any]) -> str:
    """A Choice rule in words, for example `action = "remedy"`.

    Source: Amazon States Language, "Choice state", data-test expressions.
    """
    if "Condition" in rule:
        return _expression(rule["Condition"])
    for word in ("And", "Or"):
        if word in rule:
            parts = mappings(rule[word])
            if word == "And":
                parts = [part for part in parts if not _implied(part, parts)]
            texts = [f"({condition(p)})" if _joined(p) else condition(p) for p in parts]
            return f" {word.lower()} ".join(texts) or "?"
    if "Not" in rule:
        return f"not ({condition(mapping(rule['Not']))})"
    variable = _expression(rule.get("Variable", "?"))
    for key, value in rule.items():
        if key in _TESTS:
            return f"{variable} is {'' if value is not False else 'not '}{_TESTS[key]}"
        if match := _COMPARISON.fullmatch(key):
            shown = _expression(value) if match[2] else json.dumps(value, ensure_ascii=False)
            return f"{variable} {_OPERATORS[match[1]]} {shown}"
    return "?"


def errors(rule: Mapping[str, Any]) -> str:
    """The errors that a Retry or Catch is for."""
    named = rule.get("ErrorEquals")
    names = [str(name) for name in named] if isinstance(named, list) else []
    return ", ".join(names) if names and "States.ALL" not in names else ANY_ERROR


def retries(state: Mapping[str, Any]) -> list[str]:
    """What is retried, and how often at most, for example `Lambda.Unknown up to 3×`.

    Source: Amazon States Language, "Retrying after error": MaxAttempts is 3 when it is not given,
    and 0 is never.
    """
    found = []
    for retrier in mappings(state.get("Retry")):
        most = retrier.get("MaxAttempts", 3)
        if isinstance(most, str) or (isinstance(most, int) and most > 0):
            found.append(f"{errors(retrier)} up to {most}×")
    return found


def _expression(value: Any) -> str:
    """A value as it reads in a picture: `$.a.b` as `a.b`, `{% $x %}` as `$x`."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if match := re.fullmatch(r"\{%\s*(.*?)\s*%\}", value, re.DOTALL):
        return " ".join(match[1].split())
    return value[2:] if value.startswith("$.") and len(value) > 2 else value


def _waiting(state: Mapping[str, Any]) -> str:
    """How long a Wait state waits, or until when."""
    for key in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"):
        if key in state:
            value = _expression(state[key])
            return f"{value} s" if isinstance(state[key], int) else f"{_FROM[key[0]]} {value}"
    return ""


def _implied(rule: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a rule only guards another one: `a` is present, where `a` is compared too."""
    return rule.get("IsPresent") is True and any(
        other.get("Variable") == rule.get("Variable") and "IsPresent" not in other
        for other in others
    )


def _joined(rule: Mapping[str, Any]) -> bool:
    return "And" in rule or "Or" in rule
