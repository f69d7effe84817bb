"""What Lambda charges for an execution, read in its functions' logs; and what a retry counts."""

from __future__ import annotations

from helpers import approval, cost, execution, incident, stack
from helpers.session import Session
from tests.app.guard import until

STEPS = ["ValidatePolicy", "TempRemove", "AskUser", "Approved"]


def test_each_invocation_has_one_line_although_others_ran_just_before(
    aws: Session, app: stack.App
) -> None:
    for allow in (False, True):
        arn = incident.create(aws, app)
        approval.settle(aws, arn, allow=allow)
        incident.wait_for_end(aws, arn)
    look = execution.look(aws, arn)
    until(lambda: len(cost.reports(aws, look).rows) == len(STEPS), "a line for each invocation")
    found = cost.reports(aws, look)
    assert [row.step for row in found.rows] == STEPS
    assert {row.megabytes for row in found.rows} == {256}
    for row in found.rows:
        assert row.gb_seconds == row.milliseconds / 1000 / 4
    assert "256 MB" in repr(found)
    assert "<td" in found._repr_html_()


def test_what_has_no_function_has_no_report(aws: Session, app: stack.App) -> None:
    look = execution.look(aws, incident.create(aws, app))
    assert look.visits == 5
    assert look.step(0).reports(aws) == []
