"""What the server opens because a user named its address: the web, and no file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import inbox
from helpers.session import Session


@pytest.fixture
def api(aws: Session) -> Iterator[tuple[str, str]]:
    """An API and its root resource."""
    gateway = aws.client("apigateway")
    api = gateway.create_rest_api(name="outgoing")["id"]
    yield api, gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.delete_rest_api(restApiId=api)


def _opened(aws: Session, api: tuple[str, str], uri: str) -> inbox.Answer:
    """What an API answers that passes a call on to ``uri``."""
    gateway = aws.client("apigateway")
    method = {"restApiId": api[0], "resourceId": api[1], "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(**method, type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri)
    gateway.create_deployment(restApiId=api[0], stageName="s")
    return inbox.open_link(f"{aws.endpoint}/restapis/{api[0]}/s/_user_request_/")


@pytest.mark.parametrize("scheme", ["file://", "FILE://", "file:"])
def test_an_integration_opens_no_file(
    aws: Session, api: tuple[str, str], state: Path, tmp_path: Path, scheme: str
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not for you")
    answer = _opened(aws, api, f"{scheme}{secret}")
    assert answer.status >= 500
    assert "not for you" not in answer.text


def test_an_integration_opens_a_web_page(aws: Session, api: tuple[str, str]) -> None:
    answer = _opened(aws, api, f"{aws.endpoint}/_localaws/health")
    assert answer.status == 200
    assert "instance" in answer.text
