"""From the start of an execution to the policy's quarantine, beside MiniStack alone.

Both deploy the same app and start the same execution with the same event: MiniStack alone has no
CloudTrail events that would start it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import boto3

from bench.metric import Metric
from helpers import incident, localaws, stack
from helpers.localaws.record import ACCOUNT, CHECKOUT
from helpers.session import REGION, Session, connect

TIMES = 15
EVENT = json.loads((CHECKOUT / "app" / "events" / "policy_guard.json").read_text())


def metrics() -> Iterator[Metric]:
    """Yield the first and the median warm duration."""
    with _ours() as session:
        first, warm = _durations(session)
    with _ministack_alone() as session:
        peer_first, peer_warm = _durations(session)
    yield Metric("started_to_quarantined_first", first, "ms", "MiniStack alone", peer_first)
    yield Metric("started_to_quarantined_warm", warm, "ms", "MiniStack alone", peer_warm)


def _durations(session: Session) -> tuple[float, float]:
    app = stack.deploy(session)
    durations = [_quarantine(session, app, f"bench-{number}") for number in range(TIMES + 1)]
    return durations[0], round(median(durations[1:]), 1)


def _quarantine(session: Session, app: stack.App, name: str) -> float:
    """Start an execution about a new bad policy; return the milliseconds until it is harmless."""
    iam, arn = session.client("iam"), incident.policy_arn(session, name)
    document = json.dumps(incident.DOCUMENT)
    iam.create_policy(PolicyName=name, PolicyDocument=document)
    started = time.perf_counter()
    session.client("stepfunctions").start_execution(
        stateMachineArn=app.state_machine, input=json.dumps(_event(session, name, document))
    )
    while iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1":
        time.sleep(0.001)
    return round(1000 * (time.perf_counter() - started), 1)


def _event(session: Session, name: str, document: str) -> dict[str, Any]:
    event = json.loads(json.dumps(EVENT))
    event["account"] = session.account
    event["detail"]["eventID"] = str(uuid.uuid4())
    event["detail"]["requestParameters"] = {"policyName": name, "policyDocument": document}
    policy = event["detail"]["responseElements"]["policy"]
    policy.update(policyName=name, arn=incident.policy_arn(session, name))
    return event


@contextlib.contextmanager
def _ours() -> Iterator[Session]:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.json"
        try:
            yield connect("local", state=state)
        finally:
            localaws.stop(state)


@contextlib.contextmanager
def _ministack_alone() -> Iterator[Session]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key, secret = "bench", secrets.token_urlsafe(16)
    settings = {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    server = subprocess.Popen(
        [sys.executable, "-m", "ministack.app"], env={**environment, **settings}
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{endpoint}/_ministack/health")
        os.environ.update(
            AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_ENDPOINT_URL=endpoint
        )
        boto = boto3.session.Session(key, secret, region_name=REGION)
        yield Session("local", ACCOUNT, REGION, "root", endpoint, None, boto)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _wait_for(address: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)
    raise TimeoutError(address)
