"""What replacing one policy document by another changes, line by line: + comes, - goes.

Nothing is put in order and nothing left out: who decides about a stranger's document sees all of
it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from helpers.markup import changed, plain, visible

PADDED = 20_000


@dataclass(frozen=True)
class Replacement:
    """Two documents as JSON text; either may be empty."""

    before: str
    after: str

    @property
    def lines(self) -> list[tuple[str, str]]:
        """All lines of both, each with its sign: "+", "-", or " " for what stays."""
        before, after = _laid_out(self.before), _laid_out(self.after)
        match = difflib.SequenceMatcher(None, before, after, autojunk=False)
        return [line for step in match.get_opcodes() for line in _signed(step, before, after)]

    def __repr__(self) -> str:
        return "\n".join(f"{sign} {visible(text)}" for sign, text in self.lines)

    def _repr_html_(self) -> str:
        return plain("".join(changed(sign, text) for sign, text in self.lines))


def _signed(
    step: tuple[str, int, int, int, int], before: list[str], after: list[str]
) -> Iterator[tuple[str, str]]:
    same, a, b, c, d = step[0] == "equal", *step[1:]
    yield from ((" " if same else "-", line) for line in before[a:b])
    yield from (("+", line) for line in after[c:d] if not same)


def _laid_out(document: str) -> list[str]:
    """Return a document's lines: alike in shape, so that only what it says makes a difference.

    What is no strict JSON stays as it is, for nobody knows which of two equal keys counts. IAM does
    not count white space, so a document can be much longer than what it says.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    try:
        value = json.loads(document, object_pairs_hook=_unique, parse_constant=_no_json)
        return json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    except (ValueError, RecursionError):
        return (document if len(document) < PADDED else " ".join(document.split())).splitlines()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
