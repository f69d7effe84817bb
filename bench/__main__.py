"""Print one JSON line a metric: name, value, unit, peer, the peer's value, and their ratio.

The ratio is the peer's value divided by ours: above 1 we are faster; of what is counted it is the
peer's share. Machines differ and are noisy, ratios less so.
"""

from __future__ import annotations

import json

from bench import answers, curriculum, grants, long_run, quarantine, room, storm, views


def main() -> None:
    """Measure everything."""
    measured = (views, grants, quarantine, answers, storm, curriculum, room, long_run)
    for metric in (metric for module in measured for metric in module.metrics()):
        ratio = round(metric.peer_value / metric.value, 2)
        print(json.dumps({**metric.__dict__, "ratio": ratio}), flush=True)


if __name__ == "__main__":
    main()
