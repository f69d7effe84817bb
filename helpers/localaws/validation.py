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
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ministack.core.responses import json_response

from helpers.localaws import definitions, diagnostics, fields, parsing, transitions
from helpers.localaws.diagnostics import Diagnostic, Found, Object, failed
from helpers.localaws.requests import Answer, Refused, read_json, refusing


@refusing
def validate(data: Object) -> Answer:
    """ValidateStateMachineDefinition: FAIL where an error prevents creation, warnings do not.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
    """
    found = diagnose(data["definition"], data.get("type", "STANDARD"))
    errors = [each for each in found if each.is_error]
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
    _refuse(diagnose(definition, kind))


def check_state(name: str, state: Object) -> None:
    """Raise Refused with InvalidDefinition for a state alone, wherever it may go on to."""
    _refuse(_states({"States": {name: state}}, "STANDARD"))


def _refuse(found: Iterable[Diagnostic]) -> None:
    errors = [str(each) for each in found if each.is_error]
    if errors:
        words = f"Invalid State Machine Definition: '{', '.join(errors)}'"
        raise Refused("InvalidDefinition", words)


@functools.lru_cache(maxsize=128)
def diagnose(definition: str, kind: str = "STANDARD") -> tuple[Diagnostic, ...]:
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
    if not any(each.is_error for each in found):
        found += _unparsable(definition)
    return tuple(found)


def _machine(document: Any, kind: str) -> Found:
    if isinstance(document, dict):
        unknown = list(diagnostics.language(definitions.language(document), ""))
        if unknown:
            yield from unknown
            return
        if "TimeoutSeconds" in document:
            yield from diagnostics.positive(document["TimeoutSeconds"], "/TimeoutSeconds")
    yield from transitions.machine(document, "", transitions.OUTERMOST)
    yield from _states(document, kind)


def _states(document: Any, kind: str) -> Found:
    for state in definitions.states(document):
        yield from fields.check(state, definitions.language(document), kind)


def _repeats(document: Any, repeated: list[str]) -> Found:
    """Yield the state names that are not unique "within the scope of the whole state machine"."""
    names = Counter(state.name for state in definitions.states(document))
    for name in names:
        if names[name] > 1 or name in repeated:
            words = f'The state name "{name}" appears more than once'
            yield Diagnostic("DUPLICATE_STATE_NAME", words)


def _unparsable(definition: str) -> Found:
    try:
        parsing.parse(definition)
    except Exception as error:  # noqa: BLE001 - the parser's, and Python's out of its visitors
        yield failed(str(error) or type(error).__name__, "/")
