"""The program that one would have to write without Step Functions does what it claims."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from helpers.errors import NOTEBOOKS


class BusyError(Exception):
    """It may pass."""


@pytest.fixture
def program() -> ModuleType:
    spec = spec_from_file_location("program", NOTEBOOKS / "without_step_functions.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def slept(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the program wanted to sleep; it does not."""
    seconds: list[float] = []
    monkeypatch.setattr(program.time, "sleep", seconds.append)
    return seconds


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def work() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return work


def test_it_tries_again_and_waits_longer(program: ModuleType, slept: list[float]) -> None:
    retriers = [{"ErrorEquals": ["BusyError"], "IntervalSeconds": 3, "MaxDelaySeconds": 5}]
    assert program.retried(failing(BusyError(), BusyError()), retriers) == "done"
    assert slept == [3, 5]


def test_it_gives_up_at_the_limit_and_at_errors_without_a_rule(
    program: ModuleType, slept: list[float]
) -> None:
    retriers = [{"ErrorEquals": ["BusyError"], "MaxAttempts": 1}]
    with pytest.raises(BusyError):
        program.retried(failing(BusyError(), BusyError()), retriers)
    with pytest.raises(KeyError):
        program.retried(failing(KeyError("bill")), retriers)
    assert slept == [1]


def test_jitter_waits_no_longer_than_the_rule(program: ModuleType, slept: list[float]) -> None:
    retriers = [{"ErrorEquals": ["States.ALL"], "JitterStrategy": "FULL", "IntervalSeconds": 7}]
    program.retried(failing(BusyError()), retriers)
    assert 0 <= slept[0] <= 7


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ({}, {"Error": "BusyError", "Cause": "b"}),
        ({"ResultPath": "$.p"}, {"bill": 42, "p": {"Error": "BusyError", "Cause": "b"}}),
    ],
)
def test_it_catches(program: ModuleType, path: dict[str, str], value: dict[str, Any]) -> None:
    catchers = [{"ErrorEquals": ["BusyError"], "Next": "Later", **path}]
    work = failing(BusyError("b"))
    assert program.caught(work, {"bill": 42}, catchers) == ("Later", value)
    assert program.caught(work, {"bill": 42}, catchers) == ("Next", {"bill": 42, "result": "done"})
    with pytest.raises(KeyError):
        program.caught(failing(KeyError()), {}, catchers)


def test_what_is_given_up_goes_on_all_the_same(program: ModuleType) -> None:
    go_on, went_on = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait()
        went_on.set()

    with pytest.raises(TimeoutError):
        program.within(0.01, work)
    assert not went_on.is_set()
    go_on.set()
    assert went_on.wait(60)
    assert program.within(60, lambda: "done") == "done"


def test_it_goes_on_where_it_failed(program: ModuleType, tmp_path: Path) -> None:
    orders: list[int] = []

    def order(value: int) -> int:
        orders.append(value)
        return value + 1

    share = failing(BusyError())
    steps = {"Order": order, "Share": lambda value: f"{share()} {value}"}
    with pytest.raises(BusyError):
        program.resumed(tmp_path / "journal.json", steps, 1)
    assert program.resumed(tmp_path / "journal.json", steps, 1) == "done 2"
    assert orders == [1]
