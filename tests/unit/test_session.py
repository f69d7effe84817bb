"""Links of AWS, turned into addresses that open on this computer."""

from __future__ import annotations

import boto3
import pytest

from helpers.session import Session

HERE = "http://127.0.0.1:4566"


def _session(endpoint: str | None) -> Session:
    boto = boto3.session.Session("none", "none", region_name="us-east-1")
    return Session("local", "123456789012", "us-east-1", "arn", endpoint, None, boto)


@pytest.mark.parametrize(
    ("link", "address"),
    [
        (
            "https://abc123.execute-api.us-east-1.amazonaws.com/Prod/allow?token=a%2Bb#x",
            f"{HERE}/restapis/abc123/Prod/_user_request_/allow?token=a%2Bb#x",
        ),
        (
            "https://abc123.execute-api.us-east-1.amazonaws.com/Prod",
            f"{HERE}/restapis/abc123/Prod/_user_request_/",
        ),
        (
            "https://sns.us-east-1.amazonaws.com/confirmation.html?Token=t",
            f"{HERE}/confirmation.html?Token=t",
        ),
        ("https://docs.aws.amazon.com/sns/", "https://docs.aws.amazon.com/sns/"),
        (
            "https://evil.example/abc.execute-api.us-east-1.amazonaws.com",
            "https://evil.example/abc.execute-api.us-east-1.amazonaws.com",
        ),
    ],
)
def test_url(link: str, address: str) -> None:
    assert _session(HERE).url(link) == address
    assert _session(None).url(link) == link


def test_clients_go_to_the_endpoint() -> None:
    assert _session(HERE).client("iam").meta.endpoint_url == HERE
    assert _session(HERE).client_of("s3", "a", "b").meta.endpoint_url == HERE
