"""What the model of an API says of a request's members: their types, and what they may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, Shape, StructureShape


class WrongTypeError(Exception):
    """A JSON value of another type than the model's, in the words that AWS was seen to use."""


def typed(shape: Shape, value: Any) -> Any:
    """Return ``value`` with the members that its shape has, in the shape's types.

    Raises WrongTypeError; null counts as absent.
    """
    match shape:
        case StructureShape():
            if not isinstance(value, dict):
                raise _wrong_type(value, "structure")
            return {
                name: typed(member, value[name])
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case ListShape():
            if not isinstance(value, list):
                raise _wrong_type(value, "list")
            return [typed(shape.member, item) for item in value]
        case _:
            return _scalar(shape.type_name, value)


def _scalar(kind: str, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "string" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "float" | "double" if number:
            return value
        case "integer" | "long" if number and abs(value) < 2**63:
            return int(value)  # AWS takes 300.5 for 300
        case _:
            raise _wrong_type(value, kind)


def _wrong_type(value: Any, expected: str) -> WrongTypeError:
    """Return the error for a JSON value of another type, in the words that AWS was seen to use."""
    match value:
        case list():
            words = "Start of list found where not expected"
        case dict():
            words = "Start of structure or map found where not expected."
        case _ if expected in ("structure", "list"):
            words = "Expected null" if expected == "structure" else "Expected list or null"
        case _:
            token = {True: "TRUE_VALUE", False: "FALSE_VALUE"}.get(
                value if isinstance(value, bool) else None,
                "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE",
            )
            article = "an" if expected == "integer" else "a"
            words = f"{token} can not be converted to {article} {expected.capitalize()}"
    return WrongTypeError(words)


def broken(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Yield what AWS says of each constraint of the model that ``value`` breaks."""
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                inner = f"{path}.{name}" if path else name
                if name in value:
                    yield from broken(member, value[name], inner)
                elif name in shape.required_members:
                    yield _words("Value null", inner, "Member must not be null")
        case ListShape():
            yield from _length(shape, value, "Value", path)
            for number, item in enumerate(value, start=1):
                yield from broken(shape.member, item, f"{path}.{number}.member")
        case _ if isinstance(value, str):
            yield from _text(shape, value, path)
        case _ if not isinstance(value, bool):
            yield from _range(shape, value, path)


def detected(found: list[str]) -> str:
    """Return the sentence in which AWS says of a request that it breaks these constraints."""
    noun = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {noun} detected: {'; '.join(found)}"


def _text(shape: Shape, value: str, path: str) -> Iterator[str]:
    # What is sensitive is not repeated.
    shown = "Value" if shape.metadata.get("sensitive") else f"Value '{value}'"
    yield from _length(shape, value, shown, path)
    choices = shape.metadata.get("enum")
    if choices and value not in choices:
        yield _words(shown, path, f"Member must satisfy enum value set: [{', '.join(choices)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern.replace(r"\p{ASCII}", r"[\x00-\x7f]"), value):
        yield _words(shown, path, f"Member must satisfy regular expression pattern: {pattern}")


def _length(shape: Shape, value: str | list[Any], shown: str, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if len(value) < low:
        yield _words(shown, path, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _words(shown, path, f"Member must have length less than or equal to {high}")


def _range(shape: Shape, value: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        words = f"Member must have value greater than or equal to {low}"
        yield _words(f"Value '{value}'", path, words)
    if high is not None and value > high:
        words = f"Member must have value less than or equal to {high}"
        yield _words(f"Value '{value}'", path, words)


def _words(shown: str, path: str, words: str) -> str:
    return f"{shown} at '{path}' failed to satisfy constraint: {words}"
