"""What becomes of an answer in 08: bills and choices are worked out anew, from the same prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isclose

from helpers import cost, exercise
from helpers.cost import MONTHS, PRICES
from helpers.exercise import Wrong
from helpers.table import table

PRICE = PRICES["stepFunctions"]["standard"]["perTransition"]
FREE = PRICES["stepFunctions"]["standard"]["freeTransitionsPerMonth"]
LONGEST_EXPRESS = 300  # seconds

# Executions in a month, transitions of each without retries, retries in all of them.
MONTHS_GIVEN = ((3_000, 7, 600), (100, 4, 2), (570, 7, 10), (50_000, 5, 12_345))


@exercise.check
def month(answer: Callable[[int, int, int], float]) -> str:
    """Judge a function that works out a month's bill of Standard Workflows, by several months."""
    for given in MONTHS_GIVEN:
        said, right = answer(*given), cost.standard(_counted(*given))
        if isinstance(said, bool) or not isinstance(said, int | float):
            raise TypeError(f"it returned {said!r} and not a number of dollars")
        if not isclose(said, right, abs_tol=1e-9):
            executions, transitions, retries = given
            month = (
                f"{executions:,} executions of {transitions} transitions and {retries:,} retries"
            )
            raise Wrong(f"For {month} it says ${said:,.4f}. {_mistake(said, *given)}")
    executions, transitions, retries = MONTHS_GIVEN[0]
    return (
        f"{executions:,} executions of {transitions} transitions, with {retries} retries, cost "
        f"{cost.dollars(cost.standard(_counted(*MONTHS_GIVEN[0])))}; and a month below {FREE:,} "
        "transitions costs nothing."
    )


def _counted(executions: int, transitions: int, retries: int) -> int:
    return executions * transitions + retries


def _mistake(said: float, executions: int, transitions: int, retries: int) -> str:
    """Say what was forgotten: the first mistake that leads to this number."""
    counted = _counted(executions, transitions, retries)
    planned = executions * transitions
    mistakes = (
        (round(cost.standard(counted), 2), "That is the right bill, rounded: return it as it is."),
        (MONTHS * cost.standard(counted), "That is a whole year: bills are monthly."),
        (max(MONTHS * counted - FREE, 0) * PRICE, "That is a whole year: bills are monthly."),
        (counted * PRICE, "Some transitions of each month are free, and you pay for them."),
        (cost.standard(planned), "A retry is a transition as well, and these are not in it."),
        (planned * PRICE, "The retries are not in it, and neither is what is free."),
        (
            cost.standard(executions * (transitions + retries)),
            "The retries are those of all executions, and you count them for each.",
        ),
        (cost.standard(executions), "You count executions. What is counted is transitions."),
        (executions * PRICE, "You count executions, and what is free is missing."),
        (
            cost.standard(executions + retries),
            "You count executions and retries. What is counted is transitions.",
        ),
        ((counted - FREE) * PRICE, "Nobody gets money back for what is free and was not used."),
        ((planned - FREE) * PRICE, "Nobody gets money back for what is free and was not used."),
        (1000 * cost.standard(counted), "That price is for a thousand transitions, not for one."),
    )
    for number, words in mistakes:
        if isclose(said, number, abs_tol=1e-9):
            return words
    return "Multiply first, add what is tried again, take off what is free, and then the price."


@dataclass(frozen=True)
class Workload:
    """Work that a state machine does: so often a month, with so many transitions, for so long.

    ``waits`` is whether it waits for a callback or a job; ``once``, whether it must not be done
    twice for one start.
    """

    executions: int
    transitions: int
    seconds: float
    waits: bool = False
    once: bool = False

    @property
    def standard(self) -> float:
        """US dollars a month with Standard Workflows."""
        return cost.standard(self.executions * self.transitions)

    @property
    def express(self) -> float:
        """US dollars a month with Express Workflows, whether they can do it or not."""
        return cost.express(self.executions, self.seconds)

    @property
    def obstacle(self) -> str:
        """Why Express cannot do it, empty where it can.

        https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
        """
        if self.seconds > LONGEST_EXPRESS:
            return "it takes longer than the five minutes that Express allows"
        if self.waits:
            return "it waits for a callback, which Express does not support"
        if self.once:
            return "it must be done once, and an asynchronous Express execution may run again"
        return ""

    @property
    def right(self) -> str:
        """The type to choose: the cheaper of those that can do it."""
        return "STANDARD" if self.obstacle or self.standard <= self.express else "EXPRESS"


class Workloads(dict[str, Workload]):
    """Workloads by name, shown as a table."""

    HEAD = ("Work", "A month", "Transitions", "Takes", "Waits for a callback", "Only once")

    def _repr_html_(self) -> str:
        rows = [
            (
                name,
                f"{work.executions:,}",
                work.transitions,
                f"{work.seconds:,g} s",
                "yes" if work.waits else "no",
                "yes" if work.once else "no",
            )
            for name, work in self.items()
        ]
        return table(self.HEAD, rows, right=range(1, 4))


WORKLOADS = Workloads(
    {
        "approve a policy": Workload(2_000, 7, 86_400, waits=True),
        "shrink a picture": Workload(5_000_000, 6, 2),
        "charge a card": Workload(20_000, 5, 3, once=True),
        "write the report of the night": Workload(30, 12, 1_200),
        "note what a sensor says": Workload(40_000_000, 3, 0.3),
        "welcome a new customer": Workload(500, 4, 1),
    }
)


@exercise.check
def choose(answer: Mapping[str, str]) -> str:
    """Judge which type of state machine is chosen for each workload."""
    missing = [name for name in WORKLOADS if name not in answer]
    if missing:
        raise Wrong(f"There is no choice yet for {missing[0]!r}.")
    unknown = [name for name in answer if name not in WORKLOADS]
    if unknown:
        raise Wrong(f"There is no work called {unknown[0]!r} in the table.")
    for name, work in WORKLOADS.items():
        if answer[name] not in ("STANDARD", "EXPRESS"):
            raise Wrong(f"{answer[name]!r} is no type: write 'STANDARD' or 'EXPRESS'.")
        if answer[name] != work.right:
            raise Wrong(f"{name!r}: {_why_not(work)}")
    total = sum(
        work.express if work.right == "EXPRESS" else work.standard for work in WORKLOADS.values()
    )
    all_standard = sum(work.standard for work in WORKLOADS.values())
    return (
        f"Together they cost {cost.dollars(total)} a month; with Standard for all of them it would "
        f"be {cost.dollars(all_standard)}."
    )


def _why_not(work: Workload) -> str:
    """Say why the type that was chosen is not the one."""
    if work.obstacle:
        return f"{work.obstacle}."
    if work.right == "STANDARD":
        return "few as they are, its transitions are all free, and Express charges for every one."
    return (
        f"Standard could do it, for {cost.dollars(work.standard)} a month. It is short and may be "
        "repeated: work out what the other type costs."
    )
