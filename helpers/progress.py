"""How far a stack is while it is created, changed, rolled back or deleted.

Takes what CloudFormation says about it and calls nothing. What the statuses mean:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from helpers.table import breakable

_ENDS = ("_COMPLETE", "_SKIPPED")  # skipped: a resource that its template wants to be kept
# Seen on white and on black alike: at least 3:1 on either.
_GREEN, _RED, _BLUE, _GREY = "#2da44e", "#e5534b", "#2f81f7", "#858d97"
# What is narrowed where there is little room is the name.
_CELL = 'align="left" style="text-align:left;padding:2px 6px"'
_NAME = 'align="left" style="text-align:left;padding:2px 6px;overflow-wrap:anywhere"'
_TABLE = (
    "<table><thead><tr>"
    + "".join(f"<th {_CELL}>{title}</th>" for title in ("", "", "Logical id", "Type", "Status"))
    + "</tr></thead><tbody>{rows}</tbody></table>"
)


@dataclass(frozen=True)
class Progress:
    """A stack while it changes: a row a resource, as (logical id, type, status, reason).

    ``reasons`` says why it fails, the first failure first.
    """

    name: str
    rows: list[tuple[str, str, str, str]]
    total: int
    status: str = ""
    reasons: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, stack: dict[str, Any], events: list[dict[str, Any]], total: int) -> Progress:
        """Return how far a stack is.

        ``stack`` and ``events`` are what DescribeStacks and DescribeStackEvents say of it, the
        events newest first; ``total`` is how many resources there will be, or were.
        """
        status, newest = stack["StackStatus"], _operation(events)
        reasons = _reasons(newest) or [stack.get("StackStatusReason") or status]
        return cls(stack["StackName"], _latest(newest), total, status, reasons)

    @property
    def done(self) -> int:
        """How many resources have arrived where the stack is going: are there, or are gone."""
        return sum(self._arrived(status) for _, _, status, _ in self.rows)

    def _arrived(self, status: str) -> bool:
        if not status.endswith(_ENDS):
            return False
        return "UPDATE" in self.status or status.startswith("DELETE") == self._deletes

    @property
    def whole(self) -> int:
        """How many resources there are to do: an update shows only those that change."""
        return len(self.rows) if "UPDATE" in self.status else max(self.total, len(self.rows))

    @property
    def fails(self) -> bool:
        """Whether something went wrong: what was done is undone then, as a rule."""
        return any(word in self.status for word in ("FAILED", "ROLLBACK"))

    @property
    def _deletes(self) -> bool:
        return self.status.startswith("DELETE")

    def failure(self) -> str | None:
        """Return why the stack failed, None where it did not."""
        return ("; ".join(self.reasons) or self.status) if self.fails else None

    def __repr__(self) -> str:
        verb = " deleted" if self._deletes else ""
        because = f", because of {self.reasons[0]}" if self.fails and self.reasons else ""
        count = f"{self.done} of {self.whole} resources{verb}"
        return f"{self.name}: {count} {self.status}{because}".rstrip()

    def _repr_html_(self) -> str:
        rows = "".join(_row(*row, number) for number, row in enumerate(self.rows, 1))
        return f"{self._why()}{self._bar()}{_TABLE.format(rows=rows) if rows else ''}"

    def _why(self) -> str:
        """The reason comes first: what follows from it is only tidying up."""
        if not self.fails:
            return ""
        first, *others = self.reasons or [self.status]
        words = "It failed" + (
            ", so what was done is undone." if "ROLLBACK" in self.status else "."
        )
        more = "".join(f"<br>{html.escape(other)}" for other in others)
        return (
            f'<div style="border-left:4px solid {_RED};padding:4px 10px;margin-bottom:6px;'
            f'overflow-wrap:anywhere"><b><font color="{_RED}">✗</font> {words}</b><br>'
            f"{html.escape(first)}{more}</div>"
        )

    def _bar(self) -> str:
        nothing = 100 if self.status.endswith("_COMPLETE") else 0  # to do, and it is done
        share = round(100 * self.done / self.whole) if self.whole else nothing
        colour = _RED if self.fails else _GREEN
        verb = " deleted" if self._deletes else ""
        words = f"{self.done} of {self.whole} resources{verb} · {self.status or 'starting'}"
        return (
            f'<div style="overflow-wrap:anywhere"><b>{html.escape(self.name)}</b> · '
            f"{html.escape(words)}</div>"
            '<div style="max-width:640px;height:10px;margin:4px 0 8px 0;border-radius:5px;'
            f'border:1px solid {_GREY}"><div style="width:{share}%;height:10px;'
            f'border-radius:5px;background-color:{colour}"></div></div>'
        )


def _row(name: str, kind: str, status: str, reason: str, number: int) -> str:
    """Return a resource's row, and below it why it failed: a long text in a cell of its own."""
    mark, colour = _sign(status, reason)
    row = (
        f'<tr><td {_CELL}>{number}</td><td {_CELL}><b><font color="{colour}">{mark}</font></b></td>'
        f"<td {_NAME}>{breakable(name)}</td><td {_CELL}>{breakable(kind)}</td>"
        f"<td {_CELL}>{breakable(status)}</td></tr>"
    )
    if not reason:
        return row
    return f'{row}<tr><td></td><td></td><td colspan="3" {_NAME}>{html.escape(reason)}</td></tr>'


def _sign(status: str, reason: str) -> tuple[str, str]:
    """Return a resource's sign and its colour; one that has failed keeps it when it is deleted."""
    if reason or status.endswith("_FAILED"):
        return "✗", _RED
    if not status.endswith(_ENDS):
        return "▶", _BLUE
    return ("−", _GREY) if status.startswith("DELETE") else ("✓", _GREEN)


def _operation(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of the newest operation, oldest first; a rollback belongs to what failed.

    The stack's own event begins it. They come newest first, several in one second.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    """
    begin = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    found = []
    for event in events:
        if _is_stack(event):
            if event["ResourceStatus"] in begin:
                break
        else:
            found.append(event)
    return found[::-1]


def _is_stack(event: dict[str, Any]) -> bool:
    """Tell the stack itself from its resources, of which one may be a stack too."""
    return event.get("PhysicalResourceId") == event["StackId"]


def _latest(events: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Return the newest status of every resource, in the order in which they began.

    Of one that failed the reason stays when it is deleted afterwards.
    """
    rows: dict[str, tuple[str, str, str, str]] = {}
    for event in events:
        name, status = event["LogicalResourceId"], event["ResourceStatus"]
        before = rows[name][3] if name in rows else ""
        reason = event.get("ResourceStatusReason", "") if status.endswith("_FAILED") else before
        rows[name] = (name, event["ResourceType"], status, reason)
    return list(rows.values())


def _reasons(events: list[dict[str, Any]]) -> list[str]:
    """Return why resources failed, the first first, without those that were only cancelled.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/determine-root-cause-for-stack-failures.html
    """
    told: dict[str, str] = {}
    for event in events:
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = event.get("ResourceStatusReason", "no reason was given")
            told.setdefault(event["LogicalResourceId"], reason)
    reasons = [f"{name}: {reason}" for name, reason in told.items()]
    return [reason for reason in reasons if not reason.endswith(" cancelled")] or reasons
