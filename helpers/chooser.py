"""A list to choose from that grows while somebody chooses.

A panel's thread lets it grow, and the kernel's main thread takes the clicks. Without a lock a click
that comes while the list is being replaced is lost: `ipywidgets.Select` chooses its first option
whenever it gets new ones, and what was chosen before has to be chosen again.
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets


class Chooser(ipywidgets.Select):
    """A list of which the choice stays while its options change."""

    def __init__(self, **named: Any) -> None:
        self.lock = threading.RLock()  # whoever changes what is offered or chosen
        super().__init__(**named)

    def offer(self, options: list[tuple[str, Any]]) -> None:
        """Show these pairs of a text and a value; the chosen value has to be among them."""
        with self.lock:
            if self.options == tuple(options):
                return
            chosen = self.value
            with self.hold_sync():  # the browser never sees the first option chosen in between
                self.options, self.value = options, chosen

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the browser says."""
        with self.lock:
            super().set_state(sync_data)
