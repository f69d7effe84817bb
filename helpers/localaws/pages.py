"""Pages of a list: in which order, how many, and the token for the next."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from helpers.localaws.requests import Refused, read_json

Item = dict[str, Any]


def page(
    items: list[Item],
    place: Callable[[Item], list[str]],
    subject: str,
    data: Item,
    *,
    newest_first: bool = False,
) -> tuple[list[Item], dict[str, str]]:
    """Return the page of ``items`` that a list request asks for, and the next one's token.

    ``place`` gives an item's place in the order: a date and what makes it unique. The token
    holds the last one's, so that what is created or deleted meanwhile moves no page; ``subject``
    keeps one list's token out of another. ``maxResults`` 0 is the default, 100. Raises Refused
    with InvalidToken.
    """
    rest = sorted(items, key=place, reverse=newest_first)
    if "nextToken" in data:
        last = _opened(data["nextToken"], subject)
        rest = [
            item for item in rest if (place(item) < last if newest_first else place(item) > last)
        ]
    size = data.get("maxResults") or 100
    shown = rest[:size]
    return shown, {"nextToken": _sealed(place(shown[-1]), subject)} if len(rest) > size else {}


def since(date: str, arn: str) -> Callable[[Item], list[str]]:
    """Return the place of an item among others by its date; ``arn`` makes it unique."""
    return lambda item: [item[date], item[arn]]


def created(arn: str) -> Callable[[Item], list[str]]:
    """Return the place of an item among others by its creation."""
    return since("creationDate", arn)


def _sealed(place: list[str], subject: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([subject, *place]).encode()).decode()


def _opened(token: str, subject: str) -> list[str]:
    try:
        known, *place = read_json(base64.urlsafe_b64decode(token.encode()).decode())
    except (ValueError, TypeError) as error:
        raise Refused("InvalidToken", "Invalid Token: 'Invalid token'") from error
    if known != subject or [type(part) for part in place] != [str, str]:
        raise Refused("InvalidToken", "Invalid Token: 'Invalid token'")
    return place
