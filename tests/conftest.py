"""What the tests share: a local AWS of their own, never the learner's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import bucket, inbox, incident, localaws, stack, trail
from helpers.session import Session, connect


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state file of the local AWS that most tests share."""
    path = tmp_path_factory.mktemp("localaws") / "state.json"
    yield path
    localaws.stop(path)


@pytest.fixture(autouse=True, scope="module")
def _environment_of_the_module() -> Iterator[None]:
    """connect() changes the environment, as it should; no module may see another's."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _environment(_environment_of_the_module: None) -> Iterator[None]:
    """No test may see another's either."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def lasting_aws(state: Path) -> Session:
    """For fixtures that outlive a test: connect() leaves nothing in the environment."""
    before = dict(os.environ)
    session = connect("local", state=state)
    os.environ.clear()
    os.environ.update(before)
    return session


@pytest.fixture
def aws(state: Path) -> Session:
    return connect("local", state=state)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Session]:
    """A local AWS that no other test uses: it is hurt, or has no room for others."""
    state = tmp_path / "state.json"
    yield connect("local", state=state)
    localaws.stop(state)


@pytest.fixture
def app(aws: Session) -> Iterator[stack.App]:
    """The deployed app, and no incident from another test."""
    app = stack.require(aws)
    yield app
    for name in incident.policies(aws):
        incident.clear(aws, app, name)


@pytest.fixture
def empty(aws: Session) -> Session:
    """An account in which the workbook has left nothing."""
    for name in incident.policies(aws):
        incident.clear(aws, None, name)
    incident.Mallory.dismiss(aws)
    stack.delete(aws)
    trail.delete(aws)
    bucket.delete(aws)
    inbox.delete(aws)
    return aws
