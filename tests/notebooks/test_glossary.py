"""The glossary's words are linked where a reader meets them first."""

from __future__ import annotations

import re

import pytest

from helpers import render
from tests.notebooks.shelf import LESSONS, text

GLOSSARY = render.NOTEBOOKS / "GLOSSARY.md"
TERMS = re.findall(r"(?m)^## (.+)$", GLOSSARY.read_text())
# Words of everyday language too: a lesson may say them before it explains what AWS means by them.
EVERYDAY = {"event", "history", "mock", "quota", "stack", "state", "template", "variable", "worker"}


def _slug(term: str) -> str:
    return term.replace(" ", "-")


def _says(term: str, words: str) -> bool:
    """Whether a text uses a term, in the singular or the plural, outside of code and links."""
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", words)
    spaced = r"\s+".join(map(re.escape, term.split()))
    return re.search(rf"(?i)\b{spaced}s?\b", plain) is not None


def test_they_are_in_order_and_each_is_explained() -> None:
    assert sorted(TERMS) == TERMS
    for entry in GLOSSARY.read_text().split("\n## ")[1:]:
        name, _, words = entry.partition("\n")
        assert len(words.split()) >= 8, name


@pytest.mark.parametrize("term", TERMS)
def test_the_first_lesson_that_uses_it_links_it(term: str) -> None:
    links = [path for path in LESSONS if f"GLOSSARY.md#{_slug(term)})" in text(path)]
    assert links, "no lesson links it"
    if term not in EVERYDAY:
        first = next(path for path in LESSONS if _says(term, text(path)))
        assert first == links[0], f"{first.name} uses it before {links[0].name} links it"
