"""Which restricted actions an IAM policy document grants.

Source of the rules, and of the element names:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html

Whatever cannot be understood grants everything: a guard that does not know must not say "harmless".
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

STATEMENT_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}
# One character that no pattern of the document mentions stands for all that it does not mention.
NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_."
SEARCH_STEPS, SEARCH_BITS = 20_000, 50_000_000


class NotUnderstoodError(ValueError):
    """The document, or an action in it, is not what IAM's grammar says."""


class Statement(NamedTuple):
    """What one statement says of actions; `inverted` is NotAction."""

    sid: str
    allows: bool
    inverted: bool
    patterns: list[tuple[str, str]]
    counts: bool = True


def restricted_grants(document: object, restricted: list[str]) -> list[str]:
    """Tell which entries of `restricted` the policy document grants, in the order given.

    `document` is JSON text, percent-encoded JSON text, a dict, or None. An entry is
    `service:action`, and may have wildcards: it is granted when some name it stands for is.
    Never raises: a document, or an entry, that cannot be understood counts as granted.
    """
    try:
        statements = read_statements(document)
    except (NotUnderstoodError, RecursionError):
        return list(restricted)
    return [entry for entry in restricted if _grants(statements, entry)]


def granting_statements(document: object, restricted: list[str]) -> list[dict]:
    """Tell which statements grant which entries: `[{"statement": "0 (Sid)", "grants": [...]}]`."""
    try:
        statements = read_statements(document)
    except (NotUnderstoodError, RecursionError) as error:
        return [{"statement": f"not understood: {error}", "grants": list(restricted)}]
    denies = [statement for statement in statements if not statement.allows]
    found = []
    for index, statement in enumerate(statements):
        grants = [e for e in restricted if statement.allows and _grants([statement, *denies], e)]
        if grants:
            name = f"{index} ({statement.sid})" if statement.sid else str(index)
            found.append({"statement": name, "grants": grants})
    return found


def parse_restricted(text: str) -> list[str]:
    """Read the parameter `restrictedActions`: entries with commas between them.

    Raises NotUnderstoodError for an entry that is no action, and for a list with no entry: an
    empty list must never come to mean that nothing is restricted.
    """
    entries = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not entries:
        raise NotUnderstoodError("restrictedActions is empty: name at least one service:action")
    for entry in entries:
        _sides(entry)
    return entries


def read_statements(document: object) -> list[Statement]:
    """Read a policy document strictly; raises NotUnderstoodError where IAM's grammar is left."""
    if isinstance(document, str):
        document = _parse(document)
    if not isinstance(document, dict) or document.keys() - {"Version", "Id", "Statement"}:
        raise NotUnderstoodError("not a policy document")
    statements = document.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise NotUnderstoodError("no Statement")
    return [_read_statement(statement) for statement in statements]


def _parse(text: str) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict:
        if len(dict(pairs)) < len(pairs):  # parsers differ on which of the two they keep
            raise NotUnderstoodError("the same key twice")
        return dict(pairs)

    def refuse(constant: str) -> object:
        raise NotUnderstoodError(f"{constant} is not JSON")

    try:
        text = unquote(text, errors="strict") if text.startswith("%") else text
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except NotUnderstoodError:
        raise
    except ValueError as error:
        raise NotUnderstoodError(f"not JSON: {error}") from error


def _read_statement(statement: object) -> Statement:
    if not isinstance(statement, dict) or statement.keys() - STATEMENT_ELEMENTS:
        raise NotUnderstoodError("a statement with unknown elements")
    effect = statement.get("Effect")
    if not isinstance(effect, str) or effect not in ("Allow", "Deny"):
        raise NotUnderstoodError("an Effect that is neither Allow nor Deny")
    if ("Action" in statement) == ("NotAction" in statement):
        raise NotUnderstoodError("not exactly one of Action and NotAction")
    inverted = "NotAction" in statement
    actions = statement["NotAction" if inverted else "Action"]
    actions = [actions] if isinstance(actions, str) else actions
    if not isinstance(actions, list) or not actions:
        raise NotUnderstoodError("an action that is not text")
    resource = statement.get("Resource")
    everywhere = resource == "*" or (isinstance(resource, list) and "*" in resource)
    everywhere = everywhere and "NotResource" not in statement
    # A Deny under a condition, or on some resources only, leaves a way to the action.
    counts = effect == "Allow" or (everywhere and statement.get("Condition", {}) == {})
    patterns = [_sides(action) for action in actions]
    return Statement(str(statement.get("Sid", "")), effect == "Allow", inverted, patterns, counts)


def _sides(pattern: object) -> tuple[str, str]:
    """Split `service:action` in lower case; `*` alone is every action of every service."""
    if not isinstance(pattern, str) or not pattern.isascii() or not pattern.isprintable():
        raise NotUnderstoodError("an action that is not plain text")
    service, _, action = ("*:*" if pattern == "*" else pattern).lower().partition(":")
    if not service or not action or ":" in action:
        raise NotUnderstoodError(f"an action that is not service:action: {pattern[:100]}")
    return _squeeze(service), _squeeze(action)


def _squeeze(side: str) -> str:
    while "**" in side:
        side = side.replace("**", "*")
    return side


def _grants(statements: list[Statement], entry: str) -> bool:
    """Tell whether some name that `entry` stands for is allowed and not denied."""
    try:
        sides, automata = _prepared(entry)
    except NotUnderstoodError:
        return True
    allows, denies = [], []
    for statement in filter(lambda s: s.counts, statements):
        met = [p for p in statement.patterns if all(map(Automaton.meets, automata, p))]
        if met or statement.inverted:
            (allows if statement.allows else denies).append((statement.inverted, met))
    certain = [bool(met) != inverted for inverted, met in allows]
    if any(inverted and not met for inverted, met in denies) or not allows:
        return False
    if not {"*", "?"} & set("".join(sides)):  # one name: what meets it, matches it
        return any(certain) and not any(bool(met) != inverted for inverted, met in denies)
    return (any(certain) and not denies) or _search(":".join(sides), allows, denies)


@lru_cache(maxsize=256)
def _prepared(entry: str) -> tuple[list[str], list["Automaton"]]:
    # No name has an empty side, so a lone star stands for one character or more.
    sides = ["?*" if side == "*" else side for side in _sides(entry)]
    return sides, [Automaton([side]) for side in sides]


def _search(entry: str, allows: list[tuple], denies: list[tuple]) -> bool:
    """Look for one name of `entry` that an allow covers and no deny does, letter by letter.

    Which wildcards leave a name over is a hard question in general, so the search has a limit;
    at the limit the answer is yes.
    """
    groups = [(True, *group) for group in allows] + [(False, *group) for group in denies]
    automata = [Automaton([entry])] + [Automaton(map(":".join, met)) for _, _, met in groups]
    steps = min(SEARCH_STEPS, SEARCH_BITS // sum(a.size for a in automata))
    waiting = [tuple(a.start for a in automata)]
    seen = set(waiting)
    while waiting:
        rows = waiting.pop()
        live = {c for a, row in zip(automata, rows, strict=True) for c in a.expects(row)}
        for letter in [*sorted(live), *[c for c in NAME_CHARACTERS if c not in live][:1]]:
            steps -= 1
            after = tuple(a.step(row, letter) for a, row in zip(automata, rows, strict=True))
            possible = any(
                is_allow and (inverted or row)
                for (is_allow, inverted, _), row in zip(groups, after[1:], strict=True)
            )
            if not after[0] or not possible or after in seen:
                continue
            ended = [bool(row & a.ends) for a, row in zip(automata, after, strict=True)]
            covers = {
                (is_allow, end != inverted)
                for (is_allow, inverted, _), end in zip(groups, ended[1:], strict=True)
            }
            if steps < 0 or (ended[0] and (True, True) in covers and (False, True) not in covers):
                return True
            seen.add(after)
            waiting.append(after)
    return False


class Automaton:
    """Patterns side by side in one integer, a bit for each place in them, moved all at once.

    Time grows with the text read, never with the ways to match it. This is the Shift-And of
    Baeza-Yates and Gonnet, "A new approach to text searching", CACM 35(10), 1992.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        places = "".join(pattern + "\n" for pattern in patterns).encode()[::-1]

        def bits(*characters: int) -> int:
            digits = bytearray(b"0" * 256)
            for character in characters:
                digits[character] = ord("1")
            return int(b"0" + places.translate(digits), 2)

        self.size = len(places)
        self.stars, self.ends, any_one = bits(ord("*")), bits(ord("\n")), bits(ord("?"))
        self.letters = {chr(c): bits(c) | any_one for c in set(places) - set(b"*?\n")}
        self.any_one = any_one
        self.anything = ((1 << self.size) - 1) & ~self.stars & ~self.ends
        self.start = self._skip_stars((self.ends << 1 | 1) & ((1 << self.size) - 1))

    def _skip_stars(self, row: int) -> int:
        return row | (row & self.stars) << 1

    def expects(self, row: int) -> list[str]:
        """List the letters that patterns name at the places of `row`."""
        return [letter for letter, places in self.letters.items() if row & places & ~self.any_one]

    def step(self, row: int, letter: str) -> int:
        """Read one letter; a wildcard stands for any letter but the colon."""
        if letter == ":":
            return self._skip_stars((row & self.letters.get(":", 0) & ~self.any_one) << 1)
        moved = (row & self.letters.get(letter, self.any_one)) << 1 | row & self.stars
        return self._skip_stars(moved)

    def meets(self, pattern: str) -> bool:
        """Tell whether some text matches both `pattern` and a pattern of this automaton."""
        row = self.start
        for letter in pattern:
            if letter == "*":  # it can read all that is still to come
                row = -(row & -row) & (1 << self.size) - 1
            elif letter == "?":
                row = self._skip_stars((row & self.anything) << 1 | row & self.stars)
            else:
                row = self.step(row, letter)
            if not row:
                return False
        return bool(row & self.ends)
