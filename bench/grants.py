"""`restricted_grants` on 1,000 real policies, beside two libraries that know every action of AWS.

The policies are AWS's managed ones, of which moto has a copy. The peers run in an environment of
their own (see bench/peers.py), so that nobody else has to install them.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable, Iterator
from itertools import islice

from moto.iam.aws_managed_policies import aws_managed_policies_data

from bench.metric import Metric, milliseconds
from helpers.localaws.record import CHECKOUT

COUNT = 1_000
RESTRICTED = ["s3:DeleteBucket", "s3:DeleteObject"]
PEERS = ["parliament", "policy_sentry"]
CHECKER = CHECKOUT / "app" / "functions" / "validate_policy" / "policy_grants.py"
PYTHON = CHECKOUT / ".venv" / "bench" / "bin" / "python"


def metrics() -> Iterator[Metric]:
    """Yield the duration beside each peer's, and of how many policies the peer says the same.

    Two policies are parliament's: it sees that their resources are no buckets, while here an Allow
    counts whatever its resources are. One is policy-sentry's: it passes over NotAction.
    """
    grants = _checker()
    policies = json.loads(aws_managed_policies_data).values()
    texts = [json.dumps(policy["Document"]) for policy in islice(policies, COUNT)]
    ours = [grants(text, RESTRICTED) for text in texts]
    duration = milliseconds(lambda: [grants(text, RESTRICTED) for text in texts], times=3)
    for peer in PEERS:
        answer = _ask(peer, texts)
        alike = sum(one == other for one, other in zip(ours, answer["grants"], strict=True))
        name = f"grants_1000_policies_{peer}"
        yield Metric(name, duration, "ms", peer, answer["milliseconds"])
        yield Metric(f"{name}_agree", COUNT, "policies", peer, alike)


def _checker() -> Callable[[str, list[str]], list[str]]:
    spec = importlib.util.spec_from_file_location("policy_grants", CHECKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.restricted_grants


def _ask(peer: str, texts: list[str]) -> dict:
    question = json.dumps({"restricted": RESTRICTED, "documents": texts})
    command = [PYTHON, "-m", "bench.peers", peer]
    done = subprocess.run(
        command, cwd=CHECKOUT, input=question, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)
