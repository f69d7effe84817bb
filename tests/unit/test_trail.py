"""Trails that the local AWS cannot show: those of an organization, seen from a member account."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from helpers import trail
from helpers.session import Session
from tests.unit import stubbed

ARN = "arn:aws:cloudtrail:us-east-1:999988887777:trail/all-accounts"
SEEN = {"Name": "all-accounts", "TrailARN": ARN, "HomeRegion": "us-east-1"}
CODES = ("TrailNotFoundException", "CloudTrailARNInvalidException", "AccessDeniedException")


@pytest.fixture
def aws() -> Session:
    return stubbed.session()


def _with_a_trail(aws: Session, **facts: bool) -> Stubber:
    cloudtrail = stubbed.client(aws, "cloudtrail")
    cloudtrail.add_response("describe_trails", {"trailList": [SEEN | facts]})
    cloudtrail.add_response("get_trail_status", {"IsLogging": True}, {"Name": ARN})
    return cloudtrail


@pytest.mark.parametrize("code", CODES)
def test_an_organization_s_trail_is_trusted_where_a_member_may_not_look_into_it(
    aws: Session, code: str
) -> None:
    cloudtrail = _with_a_trail(aws, IsOrganizationTrail=True, HasCustomEventSelectors=True)
    cloudtrail.add_client_error("get_event_selectors", code)
    assert trail.ensure(aws) == "all-accounts"


@pytest.mark.parametrize("code", CODES)
def test_a_trail_of_the_account_s_own_is_not(aws: Session, code: str) -> None:
    cloudtrail = _with_a_trail(aws, IsOrganizationTrail=False, HasCustomEventSelectors=True)
    cloudtrail.add_client_error("get_event_selectors", code)
    with pytest.raises(ClientError, match=code):
        trail.logging(aws)


def test_an_organization_s_trail_that_may_be_looked_into_is_judged(aws: Session) -> None:
    cloudtrail = _with_a_trail(aws, IsOrganizationTrail=True, HasCustomEventSelectors=True)
    selector = {"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}
    cloudtrail.add_response("get_event_selectors", {"EventSelectors": [selector]})
    assert trail.logging(aws) is None


def test_a_trail_without_selectors_of_its_own_is_not_asked_for_them(aws: Session) -> None:
    _with_a_trail(aws, HasCustomEventSelectors=False)
    assert trail.logging(aws) == "all-accounts"
