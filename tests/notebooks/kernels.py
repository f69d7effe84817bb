"""A plugin for nbval: its kernels are started as those of `make render` are."""

from __future__ import annotations

import nbval.kernel

from helpers.sockets import Kernel

nbval.kernel.KernelManager = Kernel
