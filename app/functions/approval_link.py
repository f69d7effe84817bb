"""The link of the mail: AskUser writes it, ReceiveUser's page shows what it says."""

import json
from collections.abc import Iterable
from itertools import accumulate
from urllib.parse import quote_plus

# A mail server may break a longer line, and the link with it.
# https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
LONGEST_LINK = 998
DEADLINE = "%Y-%m-%d %H:%M:%S UTC"
GAP = "…"


def write(page: str, token: str, facts: dict[str, str]) -> str:
    """Write a link to `page`: the token, which decides, and what there is room for of the facts.

    The token comes first, so that it outlives a link that is cut short. The shorter facts get
    their room before the longer ones, so that no long name crowds out the others; what the author
    says in `description` gets the rest.
    """
    link = f"{page}?token={quote_plus(token)}"
    names = sorted(facts, key=lambda name: (name == "description", len(facts[name])))
    claims = len(names) - ("description" in facts)
    for place, name in enumerate(names):
        share = (LONGEST_LINK - len(link)) // max(1, claims - place)
        value = _encode(visible(facts[name]), share - len(f"&{name}="))
        if value:
            link += f"&{name}={value}"
    return link


def visible(text: str) -> str:
    r"""Write what cannot be seen, or would end a line, as JSON does: `\u202e`."""
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def _encode(text: str, room: int) -> str:
    """Encode a text for a link; where it needs more than `room`, its middle is left out."""
    # A colon and a comma need no encoding: https://www.rfc-editor.org/rfc/rfc3986#section-3.4
    signs = [quote_plus(sign, safe=":,") for sign in text]
    if sum(map(len, signs)) <= room:
        return "".join(signs)
    gap = quote_plus(GAP)
    half = (room - len(gap)) // 2
    start, end = _fitting(signs, half), _fitting(reversed(signs), half)[::-1]
    return "".join([*start, gap, *end]) if start else ""


def _fitting(signs: Iterable[str], room: int) -> list[str]:
    signs = list(signs)
    lengths = accumulate(map(len, signs))
    return [sign for sign, length in zip(signs, lengths, strict=True) if length <= room]
