"""How big a text is, and how it is broken into lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
NAME, SUBTITLE, LABEL, PILL = 13.0, 10.5, 10.5, 9.5  # sizes in pixels

# Advance widths of Helvetica, which Arial and Liberation Sans share, in thousandths of the size.
# Source: Adobe font metrics (AFM) of Helvetica.
_ADVANCES = {
    letter: advance
    for advance, letters in {
        191: "'",
        222: "ijl",
        260: "|",
        278: " !,./:;I[\\]ft",
        333: "()-`r",
        334: "{}",
        355: '"',
        389: "*",
        469: "^",
        500: "Jcksvxyz",
        556: "#$0123456789?L_abdeghnopqu",
        584: "+<=>~",
        611: "FTZ",
        667: "&ABEKPSVXY",
        722: "CDHNRUw",
        778: "GOQ",
        833: "Mm",
        889: "%",
        944: "W",
        1015: "@",
    }.items()
    for letter in letters
}
_BOLD = 1.07  # a bold text is so much wider


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text in pixels."""
    total = sum(_ADVANCES.get(letter) or _other(letter) for letter in text)
    return total / 1000 * size * (_BOLD if bold else 1.0)


def wrap(text: str, widest: float, size: float, bold: bool = False) -> list[str]:
    """Lines of at most `widest` pixels, broken after a space, a sign or before a capital."""
    lines = [""]
    for part in re.findall(r"\S+?(?:(?<=[a-z0-9])(?=[A-Z])|(?<=[-_.:/])(?=\w)|(?=\s)|$)|\s+", text):
        for piece in _pieces(part, widest, size, bold):
            if lines[-1].strip() and width(lines[-1] + piece.rstrip(), size, bold) > widest:
                lines.append("")
            lines[-1] += piece if lines[-1] or not piece.isspace() else ""
    return [line.rstrip() for line in lines] if text.strip() else [text]


def clip(text: str, widest: float, size: float) -> str:
    """The text, or as much of it as fits `widest` pixels with an ellipsis."""
    if width(text, size) <= widest:
        return text
    while text and width(text + "…", size) > widest:
        text = text[:-1]
    return text + "…"


@lru_cache(maxsize=1024)
def _other(letter: str) -> int:
    return 1200 if unicodedata.east_asian_width(letter) in "WF" else 700


def _pieces(word: str, widest: float, size: float, bold: bool) -> Iterator[str]:
    """A word in parts that fit a line."""
    piece = ""
    for letter in word:
        if piece and width(piece + letter, size, bold) > widest:
            yield piece
            piece = ""
        piece += letter
    yield piece
