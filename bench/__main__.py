"""Print one JSON line a metric: name, value, unit, peer, the peer's value, and their ratio.

The ratio is the peer's value divided by ours: above 1 we are faster. Machines differ and are
noisy, ratios less so.
"""

from __future__ import annotations

import json

from bench import quarantine, storm, views


def main() -> None:
    """Measure everything."""
    for metric in (*views.metrics(), *quarantine.metrics(), *storm.metrics()):
        ratio = round(metric.peer_value / metric.value, 2)
        print(json.dumps({**metric.__dict__, "ratio": ratio}), flush=True)


if __name__ == "__main__":
    main()
