"""1,000 incidents one after another: whether the last take longer than the first, or more memory.

Each goes as in a lesson: a bad policy is created, put under quarantine, asked about, and cleared
away with its execution. The peer is MiniStack alone, with the same app; it has no CloudTrail events
that would start an execution, so there it is started by hand.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import servers
from bench.metric import Metric, p99
from bench.quarantine import event
from helpers import incident, stack, trail
from helpers.session import Session

COUNT, SAMPLE = 1_000, 100
PATIENCE_SECONDS = 60  # for one incident; ends the run of a server that has lost it
PEER = "MiniStack alone"


@dataclass(frozen=True)
class Run:
    """How long each incident took, in ms, and the memory in MB after the first 100 and the last."""

    durations: list[float]
    memory_at_first: float
    memory_at_last: float


def metrics() -> Iterator[Metric]:
    """Yield durations and memory at the beginning and at the end."""
    with servers.ours() as (session, server):
        trail.ensure(session)
        ours = _run(session, server, by_event=True)
    with servers.ministack_alone() as (session, server):
        peers = _run(session, server, by_event=False)
    yield Metric("long_run_incidents", len(ours.durations), "", PEER, len(peers.durations))
    for name, part in (("first", slice(SAMPLE)), ("last", slice(-SAMPLE, None))):
        mine, theirs = ours.durations[part], peers.durations[part]
        yield Metric(f"long_run_{name}_100_median", median(mine), "ms", PEER, median(theirs))
        yield Metric(f"long_run_{name}_100_p99", p99(mine), "ms", PEER, p99(theirs))
    yield _memory("first_100", ours.memory_at_first, peers.memory_at_first)
    yield _memory("all", ours.memory_at_last, peers.memory_at_last)


def _memory(after: str, ours: float, peers: float) -> Metric:
    return Metric(f"long_run_memory_after_{after}", ours, "MB", PEER, peers)


def _run(session: Session, server: int, *, by_event: bool) -> Run:
    """Go on until all incidents are done, or one is lost."""
    app = stack.deploy(session, stack.EMAIL)  # MiniStack alone has no mailbox
    durations: list[float] = []
    at_first = 0.0
    for number in range(COUNT):
        duration = _incident(session, app, f"long-run-{number}", by_event=by_event)
        if duration is None:
            break
        durations.append(duration)
        if len(durations) == SAMPLE:
            at_first = servers.megabytes(server)
    return Run(durations, at_first, servers.megabytes(server))


def _incident(session: Session, app: stack.App, name: str, *, by_event: bool) -> float | None:
    """Return the milliseconds from a policy's creation to its quarantine, or None: it was lost."""
    iam, arn = session.client("iam"), incident.policy_arn(session, name)
    started = time.perf_counter()
    iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(incident.DOCUMENT))
    if not by_event:
        session.client("stepfunctions").start_execution(
            stateMachineArn=app.state_machine, input=json.dumps(event(session, name))
        )
    while iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1":
        if time.perf_counter() - started > PATIENCE_SECONDS:
            return None
        time.sleep(0.001)
    duration = round(1000 * (time.perf_counter() - started), 1)
    _wait_until_it_waits(session, app)
    incident.clear(session, app, name)
    return duration


def _wait_until_it_waits(session: Session, app: stack.App) -> None:
    """Wait until the execution has entered AskUser: what is cleared away is then the same."""
    states: Any = session.client("stepfunctions")
    (execution,) = stack.running(session, app.state_machine)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        events = states.get_execution_history(executionArn=execution, reverseOrder=True)["events"]
        entered = [item.get("stateEnteredEventDetails", {}).get("name") for item in events]
        if "AskUser" in entered:
            return
        time.sleep(0.005)
    raise TimeoutError(f"{execution} does not ask")
