"""moto's threads: each knows the account and the region that its execution belongs to.

MiniStack finds both in the context of the thread, and a new thread begins with the server's own.
"""

from __future__ import annotations

import contextvars
import threading
import types
from typing import Any

from moto.stepfunctions.parser.asl.component.program import program
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    inline_iteration_component,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branch_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
)

_MODULES = (program, inline_iteration_component, branch_worker, state_task_service_callback)


class AccountThread(threading.Thread):
    """A thread in the account of the one that made it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take threading.Thread's arguments."""
        super().__init__(*arguments, **named)
        self._scope = contextvars.copy_context()

    def run(self) -> None:
        """Run as any thread does, within that account."""
        self._scope.run(super().run)


def install() -> None:
    """Let moto start such threads."""
    knowing = types.SimpleNamespace(**{**vars(threading), "Thread": AccountThread})
    for module in _MODULES:
        module.threading = knowing
    execute_state.Thread = AccountThread
