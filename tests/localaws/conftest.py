"""What the tests of the local AWS share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from helpers.session import Session
from tests.localaws.histories import Row
from tests.localaws.laboratory import Laboratory, furnish
from tests.localaws.lessons import Lesson


@pytest.fixture(scope="module")
def lesson(lasting_aws: Session) -> Lesson:
    return Lesson(lasting_aws)


@pytest.fixture(scope="module")
def lab(lasting_aws: Session) -> Laboratory:
    return furnish(lasting_aws)


_numbers = itertools.count()


@pytest.fixture(scope="module")
def executions(lab: Laboratory, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[str]]]:
    """All of a module's ROWS, started side by side: many of them wait."""

    def run(row: Row) -> str:
        value = {} if row.input is None else row.input
        execution = lab.start(row.definition, value, f"history{next(_numbers)}")
        if row.meanwhile:
            row.meanwhile(lab, execution)
        return execution

    with ThreadPoolExecutor(16) as pool:
        yield {name: pool.submit(run, row) for name, row in request.module.ROWS.items()}
