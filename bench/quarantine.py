"""From the start of an execution to the policy's quarantine, beside MiniStack alone.

Both deploy the same app and start the same execution with the same event: MiniStack alone has no
CloudTrail events that would start it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from statistics import median
from typing import Any

from bench import servers
from bench.metric import Metric
from helpers import incident, stack
from helpers.localaws.record import CHECKOUT
from helpers.session import Session

TIMES = 15
EVENT = json.loads((CHECKOUT / "app" / "events" / "policy_guard.json").read_text())


def metrics() -> Iterator[Metric]:
    """Yield the first and the median warm duration."""
    with servers.ours() as (session, _):
        first, warm = _durations(session)
    with servers.ministack_alone() as (session, _):
        peer_first, peer_warm = _durations(session)
    yield Metric("started_to_quarantined_first", first, "ms", "MiniStack alone", peer_first)
    yield Metric("started_to_quarantined_warm", warm, "ms", "MiniStack alone", peer_warm)


def _durations(session: Session) -> tuple[float, float]:
    app = stack.deploy(session, stack.EMAIL)  # MiniStack alone has no mailbox
    durations = [_quarantine(session, app, f"bench-{number}") for number in range(TIMES + 1)]
    return durations[0], round(median(durations[1:]), 1)


def _quarantine(session: Session, app: stack.App, name: str) -> float:
    """Start an execution about a new bad policy; return the milliseconds until it is harmless."""
    iam, arn = session.client("iam"), incident.policy_arn(session, name)
    document = json.dumps(incident.DOCUMENT)
    iam.create_policy(PolicyName=name, PolicyDocument=document)
    started = time.perf_counter()
    session.client("stepfunctions").start_execution(
        stateMachineArn=app.state_machine, input=json.dumps(event(session, name))
    )
    while iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1":
        time.sleep(0.001)
    return round(1000 * (time.perf_counter() - started), 1)


def event(session: Session, name: str) -> dict[str, Any]:
    """Return the event of the creation of a bad policy: the sample, with this name in it."""
    document, event = json.dumps(incident.DOCUMENT), json.loads(json.dumps(EVENT))
    event["account"] = session.account
    event["detail"]["eventID"] = str(uuid.uuid4())
    event["detail"]["requestParameters"] = {"policyName": name, "policyDocument": document}
    policy = event["detail"]["responseElements"]["policy"]
    policy.update(policyName=name, arn=incident.policy_arn(session, name))
    return event
