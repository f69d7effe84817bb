"""A guard whose functions meet faults, on a local AWS of its own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import localaws, stack
from helpers.localaws.record import CHECKOUT
from helpers.session import Session, connect
from tests.app.faults import Faults
from tests.app.guard import Guard

FUNCTIONS = ("ValidatePolicy", "RevertPolicy", "AskUser", "PolicyChangerApprove")


def _impatient(app: Path) -> Path:
    """Copy the app with short waits: same states, same retriers, same numbers of attempts.

    With the app's own waits the tests of failures alone would wait for minutes. Returns the copy's
    template.
    """
    copy = Path(shutil.copytree(CHECKOUT / "app", app))
    machine = copy / "statemachine" / "policy_guard.asl.json"
    waits = re.sub(r'"(BackoffRate|MaxDelaySeconds)": \d+', r'"\1": 1', machine.read_text())
    machine.write_text(waits)
    judge = copy / "functions" / "validate_policy" / "app.py"
    pauses = judge.read_text().replace("PAUSES = (1, 3, 6)", "PAUSES = (0.1, 0.1, 0.1)")
    assert pauses != judge.read_text()
    judge.write_text(pauses)
    return copy / "template.yaml"


@pytest.fixture(scope="session")
def _shaky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guard, Faults]]:
    folder, before = tmp_path_factory.mktemp("shaky"), dict(os.environ)
    state = folder / "state.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "TEMPLATE", _impatient(folder / "app"))
        aws = connect("local", state=state)
        guard = Guard(aws, stack.require(aws))
    os.environ.clear()
    os.environ.update(before)
    faults = Faults(aws.endpoint)
    functions = aws.client("lambda")
    for function in FUNCTIONS:
        name = guard.resource(function)
        settings = functions.get_function_configuration(FunctionName=name).get("Environment", {})
        variables = {
            **settings.get("Variables", {}),
            "AWS_ENDPOINT_URL_IAM": faults.address,
            "AWS_ENDPOINT_URL_SNS": faults.address,
            "AWS_SDK_UA_APP_ID": function,
            # One refused call is one failed try: boto3 would make three calls of it, with pauses.
            "AWS_MAX_ATTEMPTS": "1",
        }
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )
    yield guard, faults
    faults.close()
    localaws.stop(state)


@pytest.fixture
def deployed(aws: Session, app: stack.App) -> Iterator[Guard]:
    """The guard just as everybody deploys it."""
    guard = Guard(aws, app)
    yield guard
    guard.clear()


@pytest.fixture
def guard(_shaky: tuple[Guard, Faults]) -> Guard:
    """The guard whose functions meet faults."""
    return _shaky[0]


@pytest.fixture
def faults(_shaky: tuple[Guard, Faults]) -> Iterator[Faults]:
    """The faults that the guard's functions meet: none, until a test asks for one."""
    yield _shaky[1]
    _shaky[1].clear()
