"""Tables as a notebook shows them: plain HTML that every viewer keeps, everything escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Sequence

from helpers.markup import NO_MATHS

_LEFT = ' style="text-align:left"'
_RIGHT = ' style="text-align:right"'
_BREAKING = ' style="text-align:left;overflow-wrap:anywhere"'
_LONG = 24  # letters: an ARN is one long word, and its column must not become as wide
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[a-z]{3})(?=[0-9])|(?<=[:_])(?![:_])")
_COLOURS = {"✓": "#2da44e", "✗": "#e5534b"}  # at least 3:1 on white and on black


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[int] = ()
) -> str:
    """Return an HTML table; ``right`` are the columns flushed right, such as those of numbers.

    A cell that is just ✓ or ✗ is coloured, for those who see colours.
    """
    titles = "".join(
        f"<th{_RIGHT if place in right else _LEFT}>{html.escape(title)}</th>"
        for place, title in enumerate(head)
    )
    body = "".join(
        f"<tr>{''.join(_cell(str(value), place in right) for place, value in enumerate(row))}</tr>"
        for row in rows
    )
    head_and_body = f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody>"
    return f'<table class="{NO_MATHS}">{head_and_body}</table>'


def columns(rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return rows as lines of text, column below column; ``right`` are those flushed right."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def breakable(name: str) -> str:
    """Return a name, escaped, that breaks where its words end: ``AWS::IAM::Role`` after ``::``."""
    return "<wbr>".join(html.escape(word) for word in _WORDS.split(name))


def sign(good: bool) -> str:
    """Return a bold, coloured ✓ or ✗."""
    mark = "✓" if good else "✗"
    return f'<b><font color="{_COLOURS[mark]}">{mark}</font></b>'


def _cell(text: str, right: bool) -> str:
    shown = sign(text == "✓") if text in _COLOURS else html.escape(text)
    long = any(len(word) > _LONG for word in text.split())
    return f"<td{_RIGHT if right else _BREAKING if long else _LEFT}>{shown}</td>"
