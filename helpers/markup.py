"""A stranger's text as HTML: nothing in it is markup, and nothing in it is invisible."""

from __future__ import annotations

import html
import json

# The style of plain text that is not ours: its line breaks stay, and its long lines are broken, at
# a word's end if there is one. JupyterLab's own style would break them anywhere.
PLAIN = (
    "white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal;font-family:monospace;"
    "line-height:1.4"
)


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
