"""What incidents cost: AWS's own examples, what is free, and the picture of a year."""

from __future__ import annotations

import doctest
import re

import pytest

from helpers import cost
from helpers.cost import Usage

ONE = Usage(transitions=7, invocations=6, gb_seconds=0.75, mails=1, calls=2)
NOTHING = Usage(0, 0, 0, 0, 0)


def test_the_examples_in_its_docstrings() -> None:
    assert doctest.testmod(cost).failed == 0


def test_every_price_has_a_page_of_aws_and_a_day() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", cost.PRICES["read"])
    assert cost.PRICES["region"] == "us-east-1"
    services = [part for part in cost.PRICES.values() if isinstance(part, dict)]
    assert len(services) == 6
    for service in services:
        assert service["source"].startswith("https://aws.amazon.com/")


@pytest.mark.parametrize(
    ("transitions", "dollars"),
    [(0, 0), (3_999, 0), (4_000, 0), (4_001, 0.000025), (44_000, 1.0), (1_004_000, 25.0)],
)
def test_transitions_cost_beyond_those_that_are_free(transitions: int, dollars: float) -> None:
    assert cost.standard(transitions) == pytest.approx(dollars)


# https://aws.amazon.com/step-functions/pricing/ has the second as an example.
@pytest.mark.parametrize(
    ("executions", "seconds", "megabytes", "dollars"),
    [
        (1_000_000, 30, 64, 1 + 520.8333 * 0.06),
        (100_000_000, 10, 62.85, 100 + 60 + 120 + 202.97),
        (0, 1, 64, 0),
        (1_000_000, 0.3, 64, 1 + 5.208333 * 0.06),
        (1_000_000, 0.21, 64, 1 + 5.208333 * 0.06),  # rounded up to 0.3 s
        (1_000_000, 0.3, 65, 1 + 10.416667 * 0.06),  # rounded up to 128 MB
    ],
)
def test_express_costs_by_requests_time_and_memory(
    executions: int, seconds: float, megabytes: float, dollars: float
) -> None:
    assert cost.express(executions, seconds, megabytes) == pytest.approx(dollars, abs=0.01)


def test_a_bill_has_a_line_for_each_unit_and_takes_off_what_is_free() -> None:
    bill = cost.bill(ONE, 10_000)
    assert bill.services == [
        "Step Functions", "Lambda", "SNS", "API Gateway", "EventBridge", "CloudTrail",
    ]  # fmt: skip
    assert bill.of("Step Functions") == pytest.approx(66_000 * 0.000025)
    assert bill.of("SNS") == pytest.approx(9_000 * 0.00002)
    assert bill.of("API Gateway") == pytest.approx(20_000 * 0.0000035)
    assert bill.of("Lambda") == bill.of("EventBridge") == bill.of("CloudTrail") == 0
    assert bill.total == pytest.approx(sum(map(bill.of, bill.services)))
    with pytest.raises(KeyError):
        bill.of("EC2")


def test_lambda_costs_when_there_is_enough_of_it() -> None:
    bill = cost.bill(ONE, 1_000_000)
    expected = 5_000_000 * 0.0000002 + 350_000 * 0.0000166667
    assert bill.of("Lambda") == pytest.approx(expected)


def test_nothing_costs_nothing() -> None:
    assert cost.bill(NOTHING, 1_000_000).total == 0
    assert cost.bill(ONE, 0).total == 0


def test_a_bill_is_shown_with_its_units_and_sum() -> None:
    shown = repr(cost.bill(ONE, 10_000))
    assert "$0.0000166667" in shown
    assert shown.splitlines()[-1].split() == ["Total", "$1.90"]
    assert "<td" in cost.bill(ONE, 10_000)._repr_html_()


def test_where_no_report_is_in_the_logs_yet_it_says_so() -> None:
    none = cost.Reports(())
    assert "Run this cell again" in repr(none)
    assert "Run this cell again" in none._repr_html_()


def test_a_year_is_twelve_months_each_with_what_is_free() -> None:
    year = cost.Year(ONE)
    assert year.total(12_000) == pytest.approx(12 * cost.bill(ONE, 1_000).total)
    assert [n for n in year.incidents if n in (10, 10_000_000)] == [10, 10_000_000]
    assert len(repr(year).splitlines()) == 8


def test_the_picture_has_words_and_both_colours_of_paper() -> None:
    svg = cost.Year(ONE).svg()
    assert svg == cost.Year(ONE).svg()
    assert "<title>Cost of a year by service" in svg
    assert "10,000,000 incidents cost $2,073.16" in svg
    for service in ("Step Functions", "Lambda", "SNS", "API Gateway"):
        assert f">{service}</text>" in svg
    assert "CloudTrail" not in svg
    assert "currentColor" in svg
    assert "fill: #ffffff" not in svg
    assert "<style" not in svg.replace('<style type="text/css">*{', "")


def test_names_of_lines_that_end_together_stand_apart() -> None:
    places = cost._spread({"a": 50.0, "b": 51.0, "c": 10_000.0})
    assert places["a"] == 50.0
    assert places["b"] / places["a"] > 2
    assert places["c"] == 10_000.0
