"""One measurement beside its peer's, and how a duration is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A measured value and the peer's, in the same unit."""

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float


def milliseconds(function: Callable[[], Any], times: int = 5) -> float:
    """Return the median duration of a call in milliseconds."""
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        durations.append(time.perf_counter() - started)
    return round(1000 * median(durations), 3)


def p99(durations: list[float]) -> float:
    """Return what 99 of 100 durations do not exceed."""
    return quantiles(durations, n=100, method="inclusive")[98]
