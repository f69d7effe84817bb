"""LookupEvents: the event history, which every account has, with a trail or without.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import heapq
import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail

from helpers.localaws.identities import user_name
from helpers.localaws.management import Document, resources

Answer = tuple[int, dict[str, str], bytes]

# AWS keeps them for 90 days. Reads have a list of their own: who looks at an execution every
# second must not push out what was changed.
CHANGES, READS = 10_000, 1_000
PAGE = 50

_ATTRIBUTES = {
    "AccessKeyId",
    "EventId",
    "EventName",
    "EventSource",
    "ReadOnly",
    "ResourceName",
    "ResourceType",
    "Username",
}
_ORDER = ("LookupAttributes", "StartTime", "EndTime", "EventCategory")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Remembered:
    """An event, its place in the order, and when it happened, in seconds since 1970."""

    number: int
    event: Document
    seconds: int

    @functools.cached_property
    def entry(self) -> Document:
        """The event as LookupEvents shows it; most are never looked up."""
        return {
            "EventId": self.event["eventID"],
            "EventName": self.event["eventName"],
            "ReadOnly": str(self.event["readOnly"]).lower(),
            "AccessKeyId": self.event["userIdentity"]["accessKeyId"],
            "EventTime": self.seconds,
            "EventSource": self.event["eventSource"],
            "Username": user_name(self.event["userIdentity"]),
            "Resources": resources(self.event),
            "CloudTrailEvent": json.dumps(self.event),
        }


@dataclass
class History:
    """The events of one account in one region, oldest first."""

    changes: deque[Remembered] = field(default_factory=lambda: deque(maxlen=CHANGES))
    reads: deque[Remembered] = field(default_factory=lambda: deque(maxlen=READS))

    def newest_first(self) -> Iterator[Remembered]:
        """Yield all events."""
        both = (reversed(list(self.changes)), reversed(list(self.reads)))
        return heapq.merge(*both, key=lambda remembered: -remembered.number)


_histories: dict[tuple[str, str], History] = {}


def install() -> None:
    """Take LookupEvents over."""
    cloudtrail._DISPATCH["LookupEvents"] = lookup


def remember(event: Document, seconds: float) -> None:
    """Keep an event, which happened at ``seconds`` since 1970."""
    owner = (event["recipientAccountId"], event["awsRegion"])
    history = _histories.setdefault(owner, History())
    kept = history.reads if event["readOnly"] else history.changes
    kept.append(Remembered(next(_numbers), event, int(seconds)))


class BadLookup(Exception):  # noqa: N818 - it is an answer, not a fault
    """A lookup that CloudTrail refuses: its error's name without "Exception", and why."""

    def __init__(self, name: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = f"{name}Exception"


def lookup(body: Document) -> Answer:
    """LookupEvents."""
    try:
        return cloudtrail._ok(_page(body))
    except BadLookup as refused:
        return cloudtrail._err(refused.code, str(refused))


def _page(body: Document) -> Document:
    size = _size(body)
    key, value = _attribute(body)
    start, end = _time_range(body)
    last = _opened(body["NextToken"], body) if "NextToken" in body else float("inf")
    if _is_insight(body):
        return {"Events": []}
    history = _histories.get((get_account_id(), get_region()), History())
    matching = (
        remembered
        for remembered in history.newest_first()
        if remembered.number < last
        and start <= remembered.seconds <= end
        and _matches(remembered.entry, key, value)
    )
    found = list(itertools.islice(matching, size + 1))
    page: Document = {"Events": [remembered.entry for remembered in found[:size]]}
    if len(found) > size:
        page["NextToken"] = _sealed(found[size - 1].number, body)
    return page


def _matches(entry: Document, key: str | None, value: str) -> bool:
    if key in ("ResourceName", "ResourceType"):
        return any(resource[key] == value for resource in entry["Resources"])
    return key is None or entry[key] == value


def _size(body: Document) -> int:
    size = body.get("MaxResults", PAGE)
    if type(size) is not int or not 1 <= size <= PAGE:
        raise BadLookup("InvalidMaxResults", f"MaxResults must be from 1 to {PAGE}.")
    return size


def _attribute(body: Document) -> tuple[str | None, str]:
    """Return the one attribute to look for; "currently the list can contain only one item"."""
    attributes = body.get("LookupAttributes") or []
    if not attributes:
        return None, ""
    if not isinstance(attributes, list) or len(attributes) > 1:
        raise BadLookup("InvalidLookupAttributes", "Only one lookup attribute can be given.")
    (attribute,) = attributes
    given = attribute if isinstance(attribute, dict) else {}
    key, value = given.get("AttributeKey"), given.get("AttributeValue")
    if key not in _ATTRIBUTES:
        raise BadLookup("InvalidLookupAttributes", f"There is no lookup attribute {key!r}.")
    if not isinstance(value, str) or not 1 <= len(value) <= 2000:
        raise BadLookup("InvalidLookupAttributes", "A value has from 1 to 2000 characters.")
    return key, value


def _time_range(body: Document) -> tuple[float, float]:
    start, end = body.get("StartTime", 0), body.get("EndTime", float("inf"))
    if not all(isinstance(moment, int | float) for moment in (start, end)) or start > end:
        raise BadLookup("InvalidTimeRange", "The start time must not be after the end time.")
    return start, end


def _is_insight(body: Document) -> bool:
    """Whether the lookup is for Insights events, of which there are none here."""
    category = body.get("EventCategory")
    if category not in (None, "insight"):
        raise BadLookup("InvalidEventCategory", f"There is no event category {category!r}.")
    return category == "insight"


def _sealed(number: int, body: Document) -> str:
    """Return the token of the next page; it is good for a lookup of the same things only."""
    return base64.b64encode(json.dumps([number, _digest(body)]).encode()).decode()


def _opened(token: Any, body: Document) -> int:
    try:
        number, digest = json.loads(base64.b64decode(token, validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadLookup("InvalidNextToken", "The token is not valid.") from error
    if type(number) is not int or digest != _digest(body):
        raise BadLookup("InvalidNextToken", "The token is another lookup's.")
    return number


def _digest(body: Document) -> str:
    asked = [get_account_id(), get_region(), *(body.get(name) for name in _ORDER)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
