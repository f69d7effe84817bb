"""What every kernel of the workbook starts with: no account in reach, and errors explained.

A cell that only holds an `aws` command needs no name from the first cell. Run before it, or
after a restart, it must not reach an account of the user's.
"""

from __future__ import annotations

import os
from typing import Any

from helpers import environment, errors


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython when a kernel starts (ipython_config.py)."""
    environment.isolate()
    errors.explain_in(shell)
    if path := os.environ.get("WORKBOOK_PROGRESS"):
        from helpers.workshop import journal

        journal.keep(shell, path)
