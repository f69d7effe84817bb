"""Lists of executions, in the order that AWS documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ministack.services import stepfunctions

from helpers.localaws import listings, runs

STATES = "arn:aws:states:us-east-1:123456789012"
MACHINE = {
    "stateMachineArn": f"{STATES}:stateMachine:m",
    "type": "STANDARD",
    "definition": "{}",
    "roleArn": "arn:aws:iam::123456789012:role/r",
    "creationDate": "2026-01-01T00:00:00.000Z",
}


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of executions that began one after another and ended within one millisecond."""
    monkeypatch.setattr(stepfunctions, "_state_machines", {MACHINE["stateMachineArn"]: MACHINE})
    monkeypatch.setattr(stepfunctions, "_executions", {})
    names = list("bdaec")  # in no order of their ARNs
    for name in names:
        record = runs.add(f"{STATES}:execution:m:{name}", MACHINE, name, "{}")
        record.update(status="SUCCEEDED", stopDate="2026-01-01T00:00:01.000Z")
    return names


def _listed(**more: Any) -> dict[str, Any]:
    status, _, body = listings.listed({"stateMachineArn": MACHINE["stateMachineArn"], **more})
    assert status == 200
    return json.loads(body)


def test_what_ended_within_a_millisecond_is_listed_the_latest_first(executions: list[str]) -> None:
    names = [execution["name"] for execution in _listed()["executions"]]
    assert names == executions[::-1]


def test_pages_lose_and_repeat_nothing_within_a_millisecond(executions: list[str]) -> None:
    names, more = [], {}
    while True:
        page = _listed(maxResults=2, **more)
        names += [execution["name"] for execution in page["executions"]]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert names == executions[::-1]
