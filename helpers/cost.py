"""What incidents cost on AWS: a month's bill, a year's as a picture, Standard against Express.

Prices are in data/prices.json, with AWS's page and the day on which each was read. Counted as free
is only what AWS gives to every account for ever.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import TYPE_CHECKING, Any

from helpers.localaws.record import CHECKOUT
from helpers.session import Session
from helpers.table import columns, table

if TYPE_CHECKING:
    from helpers.execution import Execution

PRICES = json.loads((CHECKOUT / "data" / "prices.json").read_text())
MONTHS = 12

# What Express Workflows need of their own, before definition and data:
# https://aws.amazon.com/step-functions/pricing/
EXPRESS_MEGABYTES = 50


def standard(transitions: float) -> float:
    """Return a month's US dollars for the state transitions of Standard Workflows.

    https://aws.amazon.com/step-functions/pricing/
    """
    prices = PRICES["stepFunctions"]["standard"]
    return max(transitions - prices["freeTransitionsPerMonth"], 0) * prices["perTransition"]


def express(executions: float, seconds: float, megabytes: float = EXPRESS_MEGABYTES) -> float:
    """Return a month's US dollars for Express Workflows that each take so long and so much memory.

    Seconds are rounded up to tenths and memory to 64 MB, each execution for itself; the more
    GB-hours there are in a month, the less the next one costs.
    https://aws.amazon.com/step-functions/pricing/
    """
    prices = PRICES["stepFunctions"]["express"]
    billed = _rounded_up(seconds, prices["roundedUpToSeconds"])
    gigabytes = _rounded_up(megabytes, prices["roundedUpToMegabytes"]) / 1024
    hours, dollars, before = executions * billed * gigabytes / 3600, 0.0, 0.0
    for tier in prices["perGBHour"]:
        end = hours if tier["upTo"] is None else min(hours, tier["upTo"])
        dollars += max(end - before, 0) * tier["price"]
        before = end
    return executions * prices["perRequest"] + dollars


def _rounded_up(value: float, step: float) -> float:
    return ceil(round(value / step, 9)) * step  # 0.3 / 0.1 is a little less than 3


# A bill -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usage:
    """What one incident uses: the units that services count.

    `calls` are requests to API Gateway, `mails` messages that are published to one e-mail address.
    """

    transitions: float
    invocations: float
    gb_seconds: float
    mails: float
    calls: float


@dataclass(frozen=True)
class Line:
    """A line of a bill: so many units of a service, of which some are free."""

    service: str
    unit: str
    used: float
    free: float
    price: float

    @property
    def dollars(self) -> float:
        """What is to be paid for it."""
        return max(self.used - self.free, 0) * self.price


@dataclass(frozen=True)
class Bill:
    """A month's bill, line by line."""

    lines: tuple[Line, ...]

    HEAD = ("Service", "Unit", "Used", "Free", "Price of one", "To pay")
    NUMBERS = range(2, len(HEAD))

    @property
    def total(self) -> float:
        """US dollars."""
        return sum(line.dollars for line in self.lines)

    def of(self, service: str) -> float:
        """US dollars for a service. Raises KeyError for one that is not on the bill."""
        found = [line.dollars for line in self.lines if line.service == service]
        if not found:
            raise KeyError(service)
        return sum(found)

    @property
    def services(self) -> list[str]:
        """The services on the bill, in order."""
        return list(dict.fromkeys(line.service for line in self.lines))

    def _cells(self) -> list[tuple[str, ...]]:
        cells = [
            (
                line.service,
                line.unit,
                f"{line.used:,.0f}",
                f"{line.free:,.0f}" if line.price else "all",
                f"${line.price:.10f}".rstrip("0") if line.price else "$0",
                dollars(line.dollars),
            )
            for line in self.lines
        ]
        return [*cells, ("Total", "", "", "", "", dollars(self.total))]

    def __repr__(self) -> str:
        return columns([self.HEAD, *self._cells()], right=self.NUMBERS)

    def _repr_html_(self) -> str:
        return table(self.HEAD, self._cells(), right=self.NUMBERS)


def bill(usage: Usage, incidents: float) -> Bill:
    """Return the bill of a month with so many incidents, in an account that does nothing else."""
    lambdas, sns = PRICES["lambda"], PRICES["sns"]
    states = PRICES["stepFunctions"]["standard"]

    def line(service: str, unit: str, each: float, price: float, free: float = 0) -> Line:
        return Line(service, unit, each * incidents, free, price)

    return Bill(
        (
            line(
                "Step Functions",
                "state transition",
                usage.transitions,
                states["perTransition"],
                states["freeTransitionsPerMonth"],
            ),
            line(
                "Lambda",
                "request",
                usage.invocations,
                lambdas["perRequest"],
                lambdas["freeRequestsPerMonth"],
            ),
            line(
                "Lambda",
                "GB-second",
                usage.gb_seconds,
                lambdas["perGBSecond"],
                lambdas["freeGBSecondsPerMonth"],
            ),
            line("SNS", "publish", usage.mails, sns["perPublish"], sns["freePublishesPerMonth"]),
            line("SNS", "e-mail", usage.mails, sns["perEmail"], sns["freeEmailsPerMonth"]),
            line("API Gateway", "request", usage.calls, PRICES["apiGateway"]["perRequest"]),
            line("EventBridge", "management event", 1, PRICES["eventBridge"]["perManagementEvent"]),
            line("CloudTrail", "management event", 1, PRICES["cloudTrail"]["perManagementEvent"]),
        )
    )


def dollars(amount: float) -> str:
    """Return an amount as a person reads it.

    >>> dollars(0), dollars(0.004), dollars(1234.5)
    ('$0.00', 'less than a cent', '$1,234.50')
    """
    return "less than a cent" if 0 < amount < 0.005 else f"${amount:,.2f}"


# What Lambda measured -----------------------------------------------------------------------------

_REPORT = re.compile(r"REPORT .*?\bBilled Duration: (\d+) ms\s+Memory Size: (\d+) MB")


@dataclass(frozen=True)
class Report:
    """What Lambda will charge for one invocation: milliseconds, and MB of memory."""

    step: str
    milliseconds: int
    megabytes: int

    @property
    def gb_seconds(self) -> float:
        """The unit that Lambda counts."""
        return self.milliseconds / 1000 * self.megabytes / 1024


@dataclass(frozen=True)
class Reports:
    """The invocations of an execution, as their logs tell."""

    rows: tuple[Report, ...]

    HEAD = ("Step", "Billed", "Memory", "GB-seconds")
    NUMBERS = range(1, len(HEAD))

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (row.step, f"{row.milliseconds} ms", f"{row.megabytes} MB", f"{row.gb_seconds:.4f}")
            for row in self.rows
        ]

    NONE = "No reports yet: on AWS they take some seconds to reach the logs. Run this cell again."

    def __repr__(self) -> str:
        return columns([self.HEAD, *self._cells()], right=self.NUMBERS) if self.rows else self.NONE

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<div>{self.NONE}</div>"
        return table(self.HEAD, self._cells(), right=self.NUMBERS)


def reports(session: Session, look: Execution) -> Reports:
    """Read what Lambda charges for an execution's functions, step by step, in their logs.

    Empty where there are no logs (yet): on AWS they take some seconds.
    """
    steps = [look.step(row) for row in range(look.visits)]
    return Reports(
        tuple(
            Report(step.visit.name, int(found[1]), int(found[2]))
            for step in steps
            for found in map(_REPORT.match, step.reports(session))
            if found
        )
    )


# A picture ----------------------------------------------------------------------------------------

# matplotlib knows no currentColor, so this stands for it; no other colour here is the same.
_INK, _LINE = "#010203", "#858d97"
# Seen on white and on black alike; told apart by their dashes, too.
_LOOKS = (
    ("#2f81f7", "-"),
    ("#2da44e", "--"),
    ("#b8860b", "-."),
    ("#e5534b", ":"),
)
_LEAST = 0.01  # dollars: nothing below a cent is drawn
_SAMPLES = 20  # of each factor of ten
_APART = 2.2  # one name stands so many times higher than another, or they would touch


class Year:
    """What a year costs, from ten incidents to ten million of them: a line for each service."""

    def __init__(
        self, usage: Usage, incidents: Sequence[int] = tuple(10**power for power in range(1, 8))
    ) -> None:
        self.usage, self.incidents = usage, tuple(incidents)

    def bill(self, incidents: float) -> Bill:
        """Return the bill of each month of a year with so many incidents, spread evenly."""
        return bill(self.usage, incidents / MONTHS)

    def total(self, incidents: float) -> float:
        """US dollars for a year with so many incidents."""
        return MONTHS * self.bill(incidents).total

    HEAD = ("Incidents a year", "Cost of the year", "Step Functions' part")
    NUMBERS = range(len(HEAD))

    def _cells(self) -> list[tuple[str, ...]]:
        return [(f"{n:,}", dollars(self.total(n)), self._part(n)) for n in self.incidents]

    def _part(self, incidents: int) -> str:
        month = self.bill(incidents)
        return f"{month.of('Step Functions') / month.total:.0%}" if month.total else "–"

    def __repr__(self) -> str:
        return columns([self.HEAD, *self._cells()], right=self.NUMBERS)

    def _repr_html_(self) -> str:
        return f"{self.svg()}{table(self.HEAD, self._cells(), right=self.NUMBERS)}"

    def svg(self) -> str:
        """The picture: both axes in powers of ten; what is free, or below a cent, has no line."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        picture = io.StringIO()
        # Text stays text, and the same picture has the same ids.
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "cost", "text.color": _INK}):
            figure = Figure(figsize=(5.6, 3.4), facecolor="none")
            axes = figure.add_axes((0, 0, 1, 1), facecolor="none")
            self._draw(axes)
            nothing = {"Date": None, "Creator": None}
            figure.savefig(picture, format="svg", bbox_inches="tight", metadata=nothing)
        svg = picture.getvalue().replace(_INK, "currentColor")
        head, rest = svg[svg.index("<svg") :].split(">", maxsplit=1)
        words = f"<title>{escape(self._words())}</title>"
        return f'{head} role="img" style="max-width:100%;height:auto">{words}{rest}'

    def _words(self) -> str:
        ends = (self.incidents[0], self.incidents[-1])
        told = "; ".join(f"{n:,} incidents cost {dollars(self.total(n))}" for n in ends)
        return f"Cost of a year by service, against the number of incidents: {told}."

    def _draw(self, axes: Any) -> None:
        from matplotlib.ticker import FuncFormatter, NullLocator

        first, last = self.incidents[0], self.incidents[-1]
        steps = round(_SAMPLES * len(str(last // first)))
        samples = [first * (last / first) ** (step / steps) for step in range(steps + 1)]
        bills = [self.bill(sample) for sample in samples]
        paid = [s for s in bills[-1].services if MONTHS * bills[-1].of(s) >= _LEAST]
        for service, (colour, dashes) in zip(paid, _LOOKS, strict=True):
            costs = [MONTHS * bill.of(service) for bill in bills]
            drawn = [(x, y) for x, y in zip(samples, costs, strict=True) if y >= _LEAST]
            axes.plot(*zip(*drawn, strict=True), color=colour, linestyle=dashes, linewidth=2)
        for service, height in _spread({s: MONTHS * bills[-1].of(s) for s in paid}).items():
            axes.text(last * 1.2, height, service, verticalalignment="center")
        axes.set(xscale="log", yscale="log", xlim=(first, last))
        axes.set_ylim(bottom=_LEAST)
        axes.set_xlabel("incidents a year", color=_INK)
        axes.set_ylabel("US dollars a year", color=_INK)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(_tick))
            axis.set_minor_locator(NullLocator())
        axes.tick_params(colors=_INK, color=_LINE)
        axes.grid(color=_LINE, alpha=0.3, linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("bottom", "left"):
            axes.spines[side].set_color(_LINE)


def _spread(costs: dict[str, float]) -> dict[str, float]:
    """Return where each line's name stands: at its end, or above the name that is there."""
    places, least = {}, 0.0
    for service in sorted(costs, key=costs.__getitem__):
        places[service] = max(costs[service], least)
        least = places[service] * _APART
    return places


def _tick(value: float, _: object) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} million"
    return f"{value:,g}" if value >= 1 else f"{value:g}"
