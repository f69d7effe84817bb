"""A stranger's text as HTML: nothing in it is markup, and nothing in it is invisible."""

from __future__ import annotations

import html
import json

# The style of plain text that is not ours: its line breaks stay, and its long lines are broken, at
# a word's end if there is one. JupyterLab's own style would break them anywhere.
_PLAIN = (
    "white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal;font-family:monospace;"
    "line-height:1.4"
)

# Between two dollar signs, MathJax would take a text for maths; 3 and 2 call this by other names.
# Source: https://docs.mathjax.org/en/latest/options/document.html
NO_MATHS = "mathjax_ignore tex2jax_ignore"

# Readable on white and on black: the ground is see-through, and the sign needs no colour at all.
_CHANGES = {"+": ("ins", "#2da44e"), "-": ("del", "#e5534b")}


def visible(text: object) -> str:
    r"""Write what cannot be seen as JSON does; line breaks and tabs stay.

    A policy's name or document is its author's, who may turn the direction of writing around, or
    end a line where there is none.

    >>> visible("a\u202eb\nc")
    'a\\u202eb\nc'
    """
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else json.dumps(sign)[1:-1]
        for sign in str(text)
    )


def escaped(text: object) -> str:
    """Return a stranger's text for a place in HTML, between tags or in an attribute."""
    return html.escape(visible(text))


def changed(sign: str, text: object) -> str:
    """Return a line of a difference: "+" came, "-" goes, anything else stays."""
    shown = f"{sign} {escaped(text)}"
    if sign not in _CHANGES:
        return f'<div style="padding-left:10px">{shown}</div>'
    tag, colour = _CHANGES[sign]
    style = f"border-left:4px solid {colour};background-color:{colour}2e;padding-left:6px"
    return f'<div style="{style}"><{tag} style="text-decoration:none">{shown}</{tag}></div>'


def plain(inner: str) -> str:
    """Return HTML as a block in which line breaks stay and long lines wrap."""
    return f'<pre style="{_PLAIN};margin:6px 0">{inner}</pre>'
