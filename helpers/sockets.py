"""Kernels that are talked to over files, where many start while other programs take ports.

A port may be gone between being chosen and being used, and the kernel dies as it starts.
https://jupyter-client.readthedocs.io/en/stable/api/jupyter_client.html
"""

from __future__ import annotations

import uuid
from pathlib import Path

from jupyter_client.connect import ConnectionFileMixin
from jupyter_client.manager import AsyncKernelManager, KernelManager
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import default


class _OverFiles(ConnectionFileMixin):
    @default("transport")
    def _over_files(self) -> str:
        return "ipc"

    @default("connection_file")
    def _own_file(self) -> str:
        """Name it at once: beside it are the files to talk over, in no other kernel's way."""
        folder = Path(jupyter_runtime_dir())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder / f"kernel-{uuid.uuid4()}.json")


class Kernel(_OverFiles, KernelManager):
    """Starts and ends one kernel."""


class AsyncKernel(_OverFiles, AsyncKernelManager):
    """Starts and ends one kernel, for who awaits it."""
