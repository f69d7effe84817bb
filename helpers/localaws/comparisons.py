"""A Choice state's rules in JSONPath: one comparison each, or And, Or, Not of others."""

from __future__ import annotations

from helpers.localaws.diagnostics import Found, Object, failed, required

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


def rule(given: Object, path: str, besides: set[str]) -> Found:
    """Yield what is wrong with a JSONPath choice rule, ``besides`` its comparison."""
    operators = [field for field in given if field not in besides | {"Variable"}]
    if len(operators) != 1 or operators[0] not in _COMPARISONS | {"And", "Or", "Not"}:
        words = "A choice rule needs one comparison, such as StringEquals, or And, Or, Not"
        yield failed(words, path)
        return
    operator = operators[0]
    inner = given[operator] if operator in ("And", "Or") else [given[operator]]
    if operator in _COMPARISONS:
        yield from required(given, path, "Variable")
    elif not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
        yield failed(f"{operator} needs rules", f"{path}/{operator}")
    else:
        for number, each in enumerate(inner):
            yield from rule(each, f"{path}/{operator}[{number}]", {"Comment"})
