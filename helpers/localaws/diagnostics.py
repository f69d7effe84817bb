"""What can be said of a definition: a code, a sentence, a place; and the checks that all share.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong (``ERROR``) or looks wrong (``WARNING``)."""

    code: str
    message: str
    location: str | None = None
    severity: str = "ERROR"

    def __str__(self) -> str:
        """As InvalidDefinition says it."""
        return f"{self.code}: {self.message}" + (f" at {self.location}" if self.location else "")

    @property
    def is_error(self) -> bool:
        """Whether it prevents creation."""
        return self.severity == "ERROR"

    def shown(self) -> dict[str, str]:
        """As ValidateStateMachineDefinition shows it."""
        fields = {"severity": self.severity, "code": self.code, "message": self.message}
        return {**fields, "location": self.location} if self.location else fields


Found = Iterator[Diagnostic]


def failed(message: str, location: str) -> Diagnostic:
    """Return the diagnostic of most mistakes: the definition is not as its schema has it."""
    return Diagnostic("SCHEMA_VALIDATION_FAILED", message, location)


def doubt(code: str, message: str, location: str) -> Diagnostic:
    """Return a warning."""
    return Diagnostic(code, message, location, "WARNING")


def required(thing: Object, path: str, *fields: str) -> Found:
    """Yield an error where one of these fields is not there."""
    missing = [field for field in fields if field not in thing]
    if missing:
        yield failed(f"These fields are required: [{', '.join(missing)}]", path)


def unsupported(thing: Object, path: str, fields: set[str]) -> Found:
    """Yield an error for each field that is none of these."""
    for field in thing:
        if field not in fields:
            yield failed(f"Field '{field}' is not supported", path)


def one_of(thing: Object, path: str, *fields: str) -> Found:
    """Yield an error where not exactly one of these fields is there."""
    if len([field for field in fields if field in thing]) != 1:
        yield failed(f"One and only one of these fields is required: [{', '.join(fields)}]", path)


def language(value: Any, path: str) -> Found:
    """Yield an error for a query language that does not exist."""
    if value not in ("JSONPath", "JSONata"):
        yield failed("Value must be one of [JSONPath, JSONata]", f"{path}/QueryLanguage")


def positive(value: Any, path: str) -> Found:
    """Yield an error for what is no positive integer, nor an expression of one."""
    if is_text(value) and value.startswith("{%"):
        return
    if not is_whole(value) or value < 1:
        yield failed("Value must be a positive integer", path)


def is_text(value: Any) -> bool:
    """Whether a JSON value is a string."""
    return isinstance(value, str)


def is_whole(value: Any) -> bool:
    """Whether a JSON value is an integer."""
    return isinstance(value, int) and not isinstance(value, bool)
