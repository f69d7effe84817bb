"""A managed policy as a person compares it: its versions, and what differs between two."""

from __future__ import annotations

import difflib
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from botocore.client import BaseClient

from helpers import stack
from helpers.errors import WorkbookError
from helpers.incident import POLICY, policy_arn
from helpers.markup import changed, escaped, plain
from helpers.session import Session
from helpers.table import table

_SHORT, _CONTEXT = 100, 3  # lines of a document that is shown whole; around a change of a longer

Document = Mapping[str, Any]


# Versions -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    """One version of a managed policy. ``text`` is the document exactly as IAM keeps it.

    ``grants`` are the restricted actions that it would grant, as the app judges.
    """

    name: str
    in_force: bool
    created: datetime
    text: str
    grants: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """The document, parsed."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Versions:
    """A policy's versions, newest first: ``versions[0]``, or ``versions["v1"]`` by its id."""

    policy: str
    rows: tuple[Version, ...]

    @property
    def in_force(self) -> Version:
        """The default version: the one that counts."""
        return next(version for version in self.rows if version.in_force)

    def __getitem__(self, which: int | str) -> Version:
        if isinstance(which, int):
            return self.rows[which]
        for version in self.rows:
            if version.name == which:
                return version
        there = ", ".join(version.name for version in self.rows)
        raise WorkbookError(f"{self.policy} has no version {which} (any more), only {there}.")

    def __iter__(self) -> Iterator[Version]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        lines = [
            f"{version.name}{' (in force)' if version.in_force else ''}: grants {_said(version)}"
            for version in self.rows
        ]
        return "\n".join([self.policy, *lines])

    def _repr_html_(self) -> str:
        rows = [
            (
                version.name,
                "✓" if version.in_force else "",
                f"{version.created.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
                _said(version),
            )
            for version in self.rows
        ]
        head = ("Version", "In force", "Created", "Grants of what is restricted")
        documents = "".join(
            f"<details><summary>Document of {escaped(version.name)}</summary>"
            f"{plain(escaped(_indented(version.text)))}</details>"
            for version in self.rows
        )
        return f"<div><b>{escaped(self.policy)}</b></div>{table(head, rows)}{documents}"


def versions(
    session: Session, name: str = POLICY, restricted: Sequence[str] | None = None
) -> Versions:
    """Return a policy's versions as IAM has them now, each with what it grants.

    ``restricted`` are the actions to look for; left out, those that the app was deployed with.
    Raises WorkbookError where the app is not deployed, NoSuchEntity where the policy is not there.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
    """
    wanted = list(restricted) if restricted is not None else restricted_actions(session)
    iam, arn = session.client("iam"), policy_arn(session, name)
    while True:
        listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        try:
            texts = [_text(iam, arn, version["VersionId"]) for version in listed]
        except iam.exceptions.NoSuchEntityException:
            continue  # the app has deleted one in between: look again
        rows = tuple(
            Version(
                version["VersionId"],
                version["IsDefaultVersion"],
                version["CreateDate"],
                text,
                tuple(grants(text, wanted)),
            )
            for version, text in zip(listed, texts, strict=True)
        )
        return Versions(name, rows)


def restricted_actions(session: Session, name: str = stack.NAME) -> list[str]:
    """Return the actions that need an approval, as the app was deployed with them.

    Raises WorkbookError where there is no stack of that name.
    """
    return _judge().parse_restricted(stack.settings(session, name)["restrictedActions"])


def grants(document: Document | str, restricted: Sequence[str]) -> list[str]:
    """Return which of the restricted actions a document grants, as the app judges. Never raises."""
    return _judge().restricted_grants(document, list(restricted))


@cache
def _judge() -> ModuleType:
    """Load the app's own judgement, so that nothing else is told here than what it acts on."""
    path = stack.TEMPLATE.parent / "functions" / "validate_policy" / "policy_grants.py"
    spec = importlib.util.spec_from_file_location("policy_grants", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _text(iam: BaseClient, arn: str, version: str) -> str:
    """Read a document to the byte: botocore parses it, which loses its spaces and its order."""
    iam.meta.events.register_first("after-call.iam.GetPolicyVersion", _keep_text)
    try:
        answer = iam.get_policy_version(PolicyArn=arn, VersionId=version)
    finally:
        iam.meta.events.unregister("after-call.iam.GetPolicyVersion", _keep_text)
    return answer["PolicyVersion"]["Text"]


def _keep_text(parsed: dict[str, Any], **_: Any) -> None:
    """Keep the document as it came, percent-encoded.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html
    """
    if "PolicyVersion" in parsed:
        document = parsed["PolicyVersion"]["Document"]
        parsed["PolicyVersion"]["Text"] = unquote(document, errors="strict")


def _said(version: Version) -> str:
    return ", ".join(version.grants) or "nothing"


# Differences --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """What differs between two documents. ``lines`` are a unified diff of their normal forms.

    ``equal`` is whether they are the same to the byte, None where a text is not known.
    """

    names: tuple[str, str]
    lines: tuple[str, ...]
    equal: bool | None

    def __bool__(self) -> bool:
        return bool(self.lines)

    @property
    def summary(self) -> str:
        """One sentence: what differs, and whether every byte is the same."""
        before, after = self.names
        if self.equal:
            return f"{before} and {after} are equal, byte for byte."
        if self.lines:
            added = sum(line.startswith("+") for line in self.lines)
            removed = sum(line.startswith("-") for line in self.lines)
            return f"From {before} to {after}: {_lines(removed)} removed, {_lines(added)} added."
        known = "" if self.equal is None else ", though not byte for byte"
        return f"{before} and {after} say the same{known}."

    def __repr__(self) -> str:
        return "\n".join([self.summary, *self.lines])

    def _repr_html_(self) -> str:
        shown = f"<div>{escaped(self.summary)}</div>"
        return shown + (
            plain("".join(changed(line[0], line[1:]) for line in self.lines)) if self.lines else ""
        )


def difference(
    before: Version | Document | str,
    after: Version | Document | str,
    names: tuple[str, str] | None = None,
) -> Difference:
    """Compare two policy documents: versions, texts, or parsed documents.

    Without ``names`` a version is called by its own. Compared are their normal forms, in which the
    order of elements and of what is listed does not matter, nor whether one value is a list. A
    parsed document is never told to be equal to the byte: its text is not known.
    """
    own = tuple(
        side.name if isinstance(side, Version) else name
        for side, name in ((before, "before"), (after, "after"))
    )
    texts = [_text_of(side) for side in (before, after)]
    equal = None if None in texts else texts[0] == texts[1]
    forms = [_indented(_normal(_parsed(side))).splitlines() for side in (before, after)]
    return Difference(names or own, tuple(_diff(*forms)), equal)


def _diff(before: list[str], after: list[str]) -> Iterator[str]:
    """Yield a unified diff of JSON, all of a short one; none where they are the same.

    A comma that only came because another line follows is no difference.
    """
    bare = [[line.rstrip(",") for line in lines] for lines in (before, after)]
    if bare[0] == bare[1]:
        return
    context = _CONTEXT if max(len(before), len(after)) > _SHORT else _SHORT
    matcher = difflib.SequenceMatcher(None, *bare, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(context)):
        if number or group[0][3]:
            yield "⋯"
        for what, i, j, k, m in group:
            if what == "equal":
                yield from (f" {line}" for line in after[k:m])
            else:
                yield from (f"-{line}" for line in before[i:j])
                yield from (f"+{line}" for line in after[k:m])


def _text_of(side: Version | Document | str) -> str | None:
    if isinstance(side, Version):
        return side.text
    return side if isinstance(side, str) else None


def _parsed(side: Version | Document | str) -> Any:
    text = _text_of(side)
    if text is None:
        return side
    try:
        return json.loads(text)
    except ValueError as error:
        raise WorkbookError(
            f"This is not a policy document, for it is not JSON: {error}"
        ) from error


# As AWS's examples have them; what is not here comes after, by the alphabet.
_ORDER = (
    *("Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal"),
    *("Action", "NotAction", "Resource", "NotResource", "Condition"),
)


def _normal(document: Any) -> Any:
    """Return the normal form of a policy document: two that say the same look the same.

    The order of elements does not matter, and neither one statement nor one value needs a list:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    if not isinstance(document, dict):
        return document
    found = _ordered(document)
    if "Statement" in found:
        found["Statement"] = [_normal_statement(each) for each in _listed(found["Statement"])]
    return found


def _normal_statement(statement: Any) -> Any:
    if not isinstance(statement, dict):
        return statement
    found = _ordered(statement)
    for key in ("Action", "NotAction", "Resource", "NotResource"):
        if key in found:
            found[key] = _sorted(found[key])
    for key in ("Principal", "NotPrincipal"):
        if isinstance(found.get(key), dict):
            found[key] = _each_sorted(found[key])
    if isinstance(found.get("Condition"), dict):
        operators = _ordered(found["Condition"]).items()
        found["Condition"] = {
            name: _each_sorted(keys) if isinstance(keys, dict) else keys for name, keys in operators
        }
    return found


def _each_sorted(lists: dict[str, Any]) -> dict[str, Any]:
    return {key: _sorted(value) for key, value in _ordered(lists).items()}


def _sorted(value: Any) -> list[Any]:
    """Return a list of what may be one value; its order means nothing, for any of them matches."""
    return sorted(_listed(value), key=json.dumps)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _ordered(elements: dict[str, Any]) -> dict[str, Any]:
    return {key: elements[key] for key in sorted(elements, key=_rank)}


def _rank(key: str) -> tuple[int, str]:
    return (_ORDER.index(key) if key in _ORDER else len(_ORDER), key)


def _indented(document: Any) -> str:
    """Return a document, or its text, as indented JSON; a text that is none stays as it is."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return document
    return json.dumps(document, indent=2, ensure_ascii=False)


def _lines(number: int) -> str:
    return f"{number} line{'' if number == 1 else 's'}"
