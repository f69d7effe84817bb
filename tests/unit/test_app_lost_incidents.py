"""What Step Functions does not let a state catch must not lose an incident."""

import json
from collections.abc import Callable

import pytest

from tests.unit.test_app_state_machine import (
    ALERT,
    ASKED,
    Aws,
    answer,
    aws,
    start,
)

__all__ = ["aws", "start"]  # the fixtures

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MOST_BYTES = 256 * 1024


def test_a_verdict_that_is_too_long_is_no_permission(aws: Aws, start: Callable):
    """States.ALL does not catch States.DataLimitExceeded: the execution would end there."""
    aws.answers["ValidatePolicy"] = {**ALERT, "summary": "x" * MOST_BYTES}
    execution = start()
    answer(execution, aws, {"action": "delete"})
    output = execution.output()
    assert execution.path() == [
        *("ModifyState", "ValidatePolicy", "TempRemove"),
        *("AskUser", "UsersChoice", "Denied"),
    ]
    assert output["validation"]["Error"] == "States.DataLimitExceeded"


@pytest.mark.parametrize("missing", ["policyArn", "summary"])
def test_an_alert_that_cannot_be_told_is_no_permission(aws: Aws, start: Callable, missing: str):
    aws.answers["ValidatePolicy"] = {**ALERT, missing: None}
    _quarantined(aws, start)
    aws.answers["ValidatePolicy"] = {key: ALERT[key] for key in ALERT if key != missing}
    _quarantined(aws, start)


def _quarantined(aws: Aws, start: Callable) -> None:
    execution = start()
    answer(execution, aws, {"action": "delete"})
    execution.output()
    assert execution.path() == [*ASKED, "UsersChoice", "Denied"]


def test_what_was_sent_instead_of_an_answer_goes_into_no_mail(aws: Aws, start: Callable):
    """An alarm longer than SNS takes would not be heard."""
    execution = start()
    answer(execution, aws, {"action": "x" * 100_000})
    assert execution.failure()[0] == "AnswerNotUnderstood"
    assert len(json.dumps(aws.mails)) < 1000
