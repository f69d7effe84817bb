"""A stack that AWS moves a moment after the call: the local AWS moves it at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from helpers import stack, waiting
from helpers.errors import WorkbookError
from helpers.session import Session
from tests.unit import stubbed

ID = f"arn:aws:cloudformation:us-east-1:{stubbed.ACCOUNT}:stack/s/1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Session:
    for module in (waiting, stack):
        monkeypatch.setitem(module.PAUSE_SECONDS, "aws", 0)
    return stubbed.session()


@pytest.fixture
def cloudformation(aws: Session) -> Iterator[Stubber]:
    stubber = stubbed.client(aws, "cloudformation")
    yield stubber
    stubber.assert_no_pending_responses()


def _described(cloudformation: Stubber, *statuses: str) -> None:
    for status in statuses:
        found = {
            "StackName": "s",
            "StackId": ID,
            "StackStatus": status,
            "CreationTime": "2026-01-01",
        }
        cloudformation.add_response("describe_stacks", {"Stacks": [found]})


def _followed(cloudformation: Stubber, *statuses: str) -> None:
    for status in statuses:
        _described(cloudformation, status)
        cloudformation.add_response("describe_stack_events", {"StackEvents": []})


def test_a_change_set_that_was_just_executed_is_followed(
    aws: Session, cloudformation: Stubber
) -> None:
    _described(cloudformation, "REVIEW_IN_PROGRESS", "REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS")
    _followed(cloudformation, "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    stack.follow(aws, "s", total=0)


def test_a_change_set_that_was_not_executed_is_a_sentence(
    aws: Session, cloudformation: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stack.STARTING_SECONDS, "aws", 0)
    _described(cloudformation, "REVIEW_IN_PROGRESS")
    with pytest.raises(WorkbookError, match=r"Was its change set executed"):
        stack.follow(aws, "s")


@pytest.mark.parametrize("before", ["CREATE_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_FAILED"])
def test_a_deletion_is_over_when_the_stack_is_gone(
    aws: Session, cloudformation: Stubber, before: str
) -> None:
    _deletes(cloudformation, before)
    _described(cloudformation, before, "DELETE_IN_PROGRESS")
    _followed(cloudformation, "DELETE_IN_PROGRESS", "DELETE_COMPLETE")
    assert stack.delete(aws, "s")


def test_a_deletion_that_fails_again_at_once_says_why(
    aws: Session, cloudformation: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stack.STARTING_SECONDS, "aws", 0)
    _deletes(cloudformation, "DELETE_FAILED")
    _described(cloudformation, "DELETE_FAILED")
    _followed(cloudformation, "DELETE_FAILED")
    with pytest.raises(WorkbookError, match="The stack s failed: DELETE_FAILED"):
        stack.delete(aws, "s")


def test_a_deletion_that_goes_on_already_is_followed(aws: Session, cloudformation: Stubber) -> None:
    _deletes(cloudformation, "DELETE_IN_PROGRESS")
    _described(cloudformation, "DELETE_IN_PROGRESS")
    _followed(cloudformation, "DELETE_COMPLETE")
    assert stack.delete(aws, "s")


def _deletes(cloudformation: Stubber, status: str) -> None:
    _described(cloudformation, status)
    for _ in range(2):  # its machines, then the rest
        cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": []})
    cloudformation.add_response("delete_stack", {})
