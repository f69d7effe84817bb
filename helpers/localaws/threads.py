"""moto's threads: each knows the account and the region that its execution belongs to.

MiniStack finds both in the context of the thread, and a new thread begins with the server's own.
"""

from __future__ import annotations

import contextvars
import threading
from typing import Any


class AccountThread(threading.Thread):
    """A thread in the account of the one that made it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take threading.Thread's arguments."""
        super().__init__(*arguments, **named)
        self._scope = contextvars.copy_context()

    def run(self) -> None:
        """Run as any thread does, within that account."""
        self._scope.run(super().run)
