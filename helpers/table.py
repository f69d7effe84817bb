"""Tables as a notebook shows them: plain HTML that every viewer keeps, everything escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_LEFT = ' style="text-align:left"'
_COLOURS = {"✓": "#2e8540", "✗": "#b3261e"}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table. A cell that is just ✓ or ✗ is coloured, for those who see colours."""
    titles = "".join(f"<th{_LEFT}>{html.escape(title)}</th>" for title in head)
    body = "".join(f"<tr>{''.join(_cell(str(value)) for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def sign(good: bool) -> str:
    """Return a bold, coloured ✓ or ✗."""
    mark = "✓" if good else "✗"
    return f'<b><font color="{_COLOURS[mark]}">{mark}</font></b>'


def _cell(text: str) -> str:
    shown = sign(text == "✓") if text in _COLOURS else html.escape(text)
    return f"<td{_LEFT}>{shown}</td>"
