"""200 incidents at once: none is lost, even where Lambda fails again and again."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench import storm
from helpers import incident, policy, stack
from helpers.localaws.record import CHECKOUT
from helpers.session import Session
from tests.unit.test_app_template import FUNCTIONS, load

NAMES = [f"storm-{number}" for number in range(storm.COUNT)]
BAD = json.dumps(incident.DOCUMENT)
PLACEHOLDER = load("managed_policy").PLACEHOLDER

# Appended to each function: every tenth invocation of all raises, ends its process or hangs.
FAULTS = """

import fcntl, os, time

_as_it_was = lambda_handler


def lambda_handler(event, context):
    with open({counter!r}, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        number = int(file.read() or 0) + 1
        file.seek(0)
        file.write(str(number))
    if number % 30 == 10:
        raise RuntimeError("made to fail")
    if number % 30 == 20:
        os._exit(1)
    if number % 30 == 0:
        time.sleep(3600)
    return _as_it_was(event, context)
"""


def _documents(session: Session) -> dict[str, object]:
    """Return the document in force of each policy."""
    return {name: policy.versions(session, name).in_force.document for name in NAMES}


def _ended(session: Session, app: stack.App) -> Counter[str]:
    """Wait until no execution runs; count how they ended."""
    storm.wait_for(lambda: stack.running(session, app.state_machine), "executions still run")
    pages = session.client("stepfunctions").get_paginator("list_executions")
    return Counter(
        found["status"]
        for page in pages.paginate(stateMachineArn=app.state_machine)
        for found in page["executions"]
    )


def test_200_at_once_are_all_quarantined_asked_about_and_answered(alone: Session) -> None:
    app = stack.require(alone)
    storm.create(alone, NAMES)
    mails = storm.wait_until_asked(alone, NAMES)
    quarantined = _documents(alone)
    assert set(map(json.dumps, quarantined.values())) == {PLACEHOLDER}
    storm.answer(mails)
    assert _ended(alone, app) == {"SUCCEEDED": storm.COUNT}
    allowed = [name for name, document in _documents(alone).items() if json.dumps(document) == BAD]
    assert allowed == NAMES[::2]


def test_200_at_once_are_all_quarantined_while_every_tenth_invocation_fails(
    alone: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "invocations"
    counter.touch()
    faulty = tmp_path / "app"
    shutil.copytree(CHECKOUT / "app", faulty)
    for name in FUNCTIONS:
        with (faulty / "functions" / name / "app.py").open("a") as code:
            code.write(FAULTS.format(counter=str(counter)))
    template = faulty / "template.yaml"
    template.write_text(template.read_text().replace("Timeout: 30", "Timeout: 5"))
    monkeypatch.setattr(stack, "TEMPLATE", template)
    stack.require(alone)
    storm.create(alone, NAMES)
    storm.wait_until_quarantined(alone, NAMES)
    assert set(map(json.dumps, _documents(alone).values())) == {PLACEHOLDER}
    assert int(counter.read_text()) > 2 * storm.COUNT
