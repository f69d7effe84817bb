"""Which restricted actions an IAM policy document grants.

What IAM takes: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
What it does not take cannot be understood, and the worst is assumed: a document is read as
`Allow *`, a restricted entry as `*`. A guard that does not know must not say "harmless".
"""

import json
import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple
from urllib.parse import unquote

STATEMENT_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource"}
STATEMENT_ELEMENTS |= {"Condition", "Principal", "NotPrincipal"}
ACTION = re.compile(r"\*|[ -9;-~]+:[ -9;-~]+")  # printable ASCII with one colon inside
ENTRY = re.compile(r"\*|[\w*?.-]+:[\w*?.-]+", re.ASCII)  # as app/template.yaml has it
OTHER = "\0"  # stands for all letters that no pattern names: they are alike
# The memory for all searches in a document, and the least that a step of them is charged.
SEARCH_BITS, STEP_BITS = 2**29, 2**14


class NotUnderstoodError(ValueError):
    """The document, or an action, is not what IAM takes."""


def restricted_grants(document: object, restricted: list[str]) -> list[str]:
    """Tell which entries of `restricted` the policy document grants, in the order given.

    `document` is JSON text, percent-encoded JSON text, a dict, or None. An entry is an action, and
    may have wildcards: it is granted when some action it stands for is. Never raises.
    """
    policy = Policy(document)
    return [entry for entry in restricted if any(policy.granting(entry))]


def granting_statements(document: object, restricted: list[str]) -> list[dict]:
    """Tell which statements grant which entries: `[{"statement": "0 (Sid)", "grants": [...]}]`."""
    policy = Policy(document)
    granting = {entry: set(policy.granting(entry)) for entry in restricted}
    found = [(s.name, [e for e in restricted if s in granting[e]]) for s in policy.allows]
    return [{"statement": name, "grants": entries} for name, entries in found if entries]


def parse_restricted(text: str) -> list[str]:
    """Read the parameter `restrictedActions`: actions with commas between them.

    Raises NotUnderstoodError for what is no action, and for an empty list: it must never come to
    mean that nothing is restricted.
    """
    entries = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not entries or not all(map(ENTRY.fullmatch, entries)):
        raise NotUnderstoodError(f"restrictedActions is no list of service:action: {text!r}")
    return entries


def read_json(text: str) -> object:
    """Read JSON, or percent-encoded JSON, strictly. Raises NotUnderstoodError."""

    def unique(pairs: list[tuple[str, object]]) -> dict:
        found = dict(pairs)
        if len(found) < len(pairs):  # which of the two would IAM take?
            raise ValueError("the same key twice")
        return found

    try:
        text = unquote(text, errors="strict") if text.startswith("%") else text
        # Python also reads NaN and Infinity, which are not JSON; int() refuses them.
        return json.loads(text, object_pairs_hook=unique, parse_constant=int)
    except (ValueError, RecursionError) as error:
        raise NotUnderstoodError(f"not JSON: {error}") from error


def read_statements(document: object) -> Iterator[tuple[str, str, bool, str]]:
    """Yield name, Effect, "is it NotAction?", patterns. Raises NotUnderstoodError."""
    document = read_json(document) if isinstance(document, str) else document
    if not isinstance(document, dict) or document.keys() - {"Version", "Id", "Statement"}:
        raise NotUnderstoodError("not a policy document")
    found = document.get("Statement") or [None]
    for number, statement in enumerate(found if isinstance(found, list) else [found]):
        if not isinstance(statement, dict) or statement.keys() - STATEMENT_ELEMENTS:
            raise NotUnderstoodError("no Statement, or one with unknown elements")
        effect, sid, resource = map(statement.get, ("Effect", "Sid", "Resource"))
        if effect not in ("Allow", "Deny"):
            raise NotUnderstoodError("an Effect that is neither Allow nor Deny")
        if ("Action" in statement) == ("NotAction" in statement):
            raise NotUnderstoodError("not exactly one of Action and NotAction")
        patterns = read_actions(statement.get("Action", statement.get("NotAction")))
        everywhere = resource == "*" or (isinstance(resource, list) and "*" in resource)
        limited = "NotResource" in statement or statement.get("Condition", {}) != {}
        if effect == "Deny" and (limited or not everywhere):
            continue  # it leaves a way to the action
        name = f"{number} ({sid})" if isinstance(sid, str) and sid else f"{number}"
        yield name, effect, "NotAction" in statement, patterns


def read_actions(actions: object) -> str:
    """Return the patterns of an Action or NotAction, a line each. Raises NotUnderstoodError."""
    actions = actions if isinstance(actions, list) else [actions]
    for action in actions or [None]:
        if not isinstance(action, str) or not ACTION.fullmatch(action):
            raise NotUnderstoodError("an action that is not service:action")
    lines = "\n" + "".join("*:*\n" if a == "*" else a + "\n" for a in actions).lower()
    while "**" in lines:
        lines = lines.replace("**", "*")
    # No side of a name is empty: a lone star is at least one letter.
    return lines.replace("\n*:", "\n?*:").replace(":*\n", ":?*\n")[1:]


class Patterns:
    r"""Patterns, a line each, that are read side by side, letter by letter.

    A set of places tells where reading goes on. In "g*t\nput\n" it starts at 0 and 4; "g" leads to
    1, the star, and to 2, as a star may be nothing. The set is an int with a bit for each place: so
    a letter moves all of them at once, and no number of stars makes it slow. This is Shift-And:
    R. Baeza-Yates, G. Gonnet, "A new approach to text searching", CACM 35(10), 1992.
    """

    def __init__(self, lines: str) -> None:
        self.text, self.known = lines[::-1].encode(), {}  # the lowest bit is written last
        self.stars, self.any_one, self.ends = map(self.holding, "*?\n")
        first = self.ends << 1 | 1
        self.start = first | (first & self.stars) << 1

    def holding(self, letter: str) -> int:
        """Return the places that hold this letter."""
        if letter not in self.known:
            digits = b"0" * ord(letter) + b"1" + b"0" * (255 - ord(letter))
            self.known[letter] = int(b"0" + self.text.translate(digits), 2)
        return self.known[letter]

    @cached_property
    def named(self) -> list[tuple[str, int]]:
        """List the letters that patterns name, with the places that hold them."""
        letters = sorted(set(self.text.decode()) - set("*?\n"))
        return [(letter, self.holding(letter)) for letter in letters]

    def after(self, places: int, letter: str) -> int:
        """Return the places that a letter leads to. No wildcard stands for the colon."""
        any_one, stars = (0, 0) if letter == ":" else (self.any_one, self.stars)
        places = (places & (self.holding(letter) | any_one)) << 1 | places & stars
        return places | (places & self.stars) << 1


@lru_cache(maxsize=1024)
def patterns_of(entry: str) -> Patterns:
    """Return the pattern of a restricted entry."""
    try:
        return Patterns(read_actions(entry))
    except NotUnderstoodError:
        return Patterns(read_actions("*"))


class Statement(NamedTuple):
    """A statement of a Policy: the places of its patterns, which NotAction inverts."""

    name: str
    inverted: bool
    places: int

    def covers(self, possible: int, certain: int) -> bool:
        """Tell whether it can cover a name that may match from `possible`, must from `certain`."""
        return not self.places & certain if self.inverted else bool(self.places & possible)


class Policy:
    """The patterns of a document, its Allows, and its Denies that count."""

    def __init__(self, document: object) -> None:
        try:
            statements = list(read_statements(document))
        except NotUnderstoodError as error:
            statements = [(f"not understood: {error}", "Allow", False, read_actions("*"))]
        lines, self.allows, denies = "", [], []
        for name, effect, inverted, patterns in statements:
            statement = Statement(name, inverted, ((1 << len(patterns)) - 1) << len(lines))
            (self.allows if effect == "Allow" else denies).append(statement)
            lines += patterns
        denied = sum(deny.places for deny in denies if not deny.inverted)  # as if they were one
        self.denies = [Statement("", False, denied), *(deny for deny in denies if deny.inverted)]
        self.patterns = Patterns(lines)
        self.steps = iter(range(SEARCH_BITS // (STEP_BITS + len(lines))))

    def granting(self, entry: str) -> Iterator[Statement]:
        """Yield each Allow of some name that `entry` stands for and no Deny takes away.

        Spells names letter by letter. With wildcards in the entry they may be too many: whether
        patterns leave nothing of others is hard in general. Then every Allow counts.
        """
        asked, own, allows = patterns_of(entry), self.patterns, self.allows

        def is_open(possible: int, certain: int) -> bool:  # an Allow can cover, and no Deny must
            allowed = any(allow.covers(possible, certain) for allow in allows)
            return allowed and not any(deny.covers(certain, possible) for deny in self.denies)

        waiting = [(asked.start, own.start)]
        seen = set(waiting)
        while waiting:
            in_asked, in_own = waiting.pop()
            letters = [letter for letter, held in asked.named if in_asked & held]
            many = in_asked & (asked.stars | asked.any_one)
            if many:
                letters += [letter for letter, held in own.named if in_own & held]
                letters.append(OTHER)
            for letter in dict.fromkeys(letters):
                if many and next(self.steps, None) is None:
                    yield from allows
                    return
                places = to_asked, to_own = asked.after(in_asked, letter), own.after(in_own, letter)
                ended, last_stars = to_own & own.ends, to_own & own.stars & own.ends >> 1
                if to_asked & asked.ends and is_open(ended, ended):
                    yield from (allow for allow in allows if allow.covers(ended, ended))
                    allows = [allow for allow in allows if not allow.covers(ended, ended)]
                if to_asked and places not in seen and is_open(to_own, last_stars):
                    seen.add(places)
                    waiting.append(places)
