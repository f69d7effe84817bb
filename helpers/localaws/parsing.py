"""Definitions as moto's programs: parsed once, read from memory after that."""

from __future__ import annotations

import functools
import json
import pickle
import threading
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.asl.parse import preprocessor
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from helpers.localaws import distributed, expressions, turns

# antlr4's parser shares caches between instances and is not thread-safe.
_parsing = threading.Lock()


def install() -> None:
    """Let moto read definitions as AWS does. Call once."""
    # moto leaves the escapes of JSON in a definition's strings, or reads them as Python's.
    Preprocessor._inner_string_of = staticmethod(string_of)
    preprocessor.from_string_literal = string_of
    Preprocessor._open_query_language_scope = _of_the_machine(
        Preprocessor._open_query_language_scope
    )
    # The first parse of all fills antlr4's caches: not while a learner waits.
    parse('{"StartAt": "Warm", "States": {"Warm": {"Type": "Pass", "End": true}}}')


def parse(definition: str) -> Any:
    """Return a fresh program for a definition (an execution changes its own)."""
    return pickle.loads(_pickled(definition))  # noqa: S301 - our own bytes, never leaving memory


@functools.lru_cache(maxsize=64)
def _pickled(definition: str) -> bytes:
    """Return a definition's program as bytes: reading it again costs 1 ms, parsing it 20 ms.

    What has not been used for longest is forgotten, and parsed again when it runs next.
    """
    with turns.TURNS.lent(), _parsing:
        written, document = json.loads(definition), json.loads(definition)
        batchers = distributed.adapt(document)
        program = _parsed(document)
        parsed = {name: _parsed(each) for name, each in batchers.items()}
        distributed.attach(program, written, parsed)
        expressions.name_fields(program, written)
        return pickle.dumps(program)


def _parsed(document: dict[str, Any]) -> Any:
    # moto keeps this list in the class: what a definition that failed has left there would be
    # the query language of the next one.
    Preprocessor._query_language_per_scope.clear()
    return AmazonStateLanguageParser.parse(json.dumps(document, ensure_ascii=False))[0]


def string_of(parser_rule_context: Any) -> str | None:
    """Return the string, or null, that stands in a definition."""
    text = parser_rule_context.getText()
    return json.loads(text) if text == "null" or text.startswith('"') else text


def _of_the_machine(open_scope: Callable[..., None]) -> Callable[..., None]:
    """Wrap the beginning of a state: its default language is the machine's.

    moto's is the one of the Map or Parallel state around it.
    https://states-language.net/spec.html
    """

    def opened(self: Preprocessor, tree: Any) -> None:
        scopes = self._query_language_per_scope
        around = scopes[1:]
        del scopes[1:]
        open_scope(self, tree)
        scopes[1:1] = around

    return opened
