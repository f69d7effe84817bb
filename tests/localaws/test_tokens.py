"""Task tokens, between those who hand them out and those who take them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from helpers.localaws.tokens import TokenPool, TokenRegistry


def test_the_token_of_a_task_is_open_before_a_worker_can_take_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker drops a task whose token is closed: its execution would wait for ever."""
    registry, found = TokenRegistry(), []

    def queue(task: Any) -> None:
        found.append((task.task_token, task.task_input, registry.is_open(task.task_token)))

    monkeypatch.setattr(TokenPool, "registry", registry, raising=False)
    pool = TokenPool({"arn": SimpleNamespace(add_task=queue)})
    endpoint = pool.add_activity_task("token", "arn", '{"box": 1}')
    assert found == [("token", '{"box": 1}', True)]
    assert pool.get("token") is endpoint
