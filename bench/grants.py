"""`restricted_grants` on 1,000 real policies, beside two libraries that know every action of AWS.

The policies are AWS's managed ones, of which moto has a copy. The peers are installed in an
environment of their own, so that nobody else has to install them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from moto.iam.aws_managed_policies import aws_managed_policies_data

from bench.metric import Metric
from helpers.localaws.record import CHECKOUT

COUNT = 1_000
RESTRICTED = ["s3:DeleteBucket", "s3:DeleteObject"]
PEERS = ["parliament", "policy_sentry"]
PEERS_PYTHON = CHECKOUT / ".venv" / "bench" / "bin" / "python"


def metrics() -> Iterator[Metric]:
    """Yield the duration beside each peer's, and of how many policies the peer says the same.

    Two policies are parliament's: it sees that their resources are no buckets, while here an Allow
    counts whatever its resources are. One is policy-sentry's: it passes over NotAction.
    """
    policies = json.loads(aws_managed_policies_data).values()
    texts = [json.dumps(policy["Document"]) for policy in islice(policies, COUNT)]
    ours = _ask("workbook", Path(sys.executable), texts)
    for peer in PEERS:
        theirs = _ask(peer, PEERS_PYTHON, texts)
        alike = sum(a == b for a, b in zip(ours["grants"], theirs["grants"], strict=True))
        name = f"grants_1000_policies_{peer}"
        yield Metric(name, ours["milliseconds"], "ms", peer, theirs["milliseconds"])
        yield Metric(f"{name}_agree", COUNT, "policies", peer, alike)


def _ask(judge: str, python: Path, texts: list[str]) -> dict:
    """Let a judge judge; returns its `milliseconds` and its `grants`."""
    question = json.dumps({"restricted": RESTRICTED, "documents": texts})
    command = [python, "-m", "bench.judges", judge]
    done = subprocess.run(
        command, cwd=CHECKOUT, input=question, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)
