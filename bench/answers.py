"""How soon a simple call is answered while the server is at work; the peer is the same at rest."""

from __future__ import annotations

import itertools
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import boto3

from bench import servers
from bench.metric import Metric, p99
from helpers.localaws.record import CHECKOUT
from helpers.session import Session
from tests.localaws.laboratory import furnish, machine

EXECUTIONS, STATES = 50, 200
SECONDS = 10  # of watching
PEER = "at rest"


class Answers:
    """Another process asks who it is, and for executions, again and again."""

    def __init__(self, session: Session, state_machine: str) -> None:
        self.milliseconds: list[float] = []
        self._command = [sys.executable, "-m", "bench.answers", state_machine]
        self._variables = session.variables()

    def __enter__(self) -> Answers:
        self._asking = subprocess.Popen(
            self._command,
            cwd=CHECKOUT,
            env=self._variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._asking.stdout.readline()  # it has begun
        return self

    def __exit__(self, *_: object) -> None:
        told, _ = self._asking.communicate()
        self.milliseconds = json.loads(told)

    def metrics(self, name: str, at_rest: Answers) -> Iterator[Metric]:
        """Yield the median and what 99 of 100 answers came within, beside those at rest."""
        for what, of in (("median", median), ("p99", p99)):
            mine, peers = round(of(self.milliseconds), 1), round(of(at_rest.milliseconds), 1)
            yield Metric(f"{name}_{what}", mine, "ms", PEER, peers)


def metrics() -> Iterator[Metric]:
    """Yield the times beside executions that compute all the time, and beside parsing."""
    with servers.ours() as (session, _):
        role = furnish(session).role
        states = session.client("stepfunctions")
        arn = states.create_state_machine(name="busy", definition=_busy(), roleArn=role)[
            "stateMachineArn"
        ]
        with Answers(session, arn) as at_rest:
            time.sleep(SECONDS)
        started = [states.start_execution(stateMachineArn=arn) for _ in range(EXECUTIONS)]
        with Answers(session, arn) as beside_executions:
            time.sleep(SECONDS)
        for execution in started:
            states.stop_execution(executionArn=execution["executionArn"])
        with Answers(session, arn) as beside_parsing:
            states.create_state_machine(name="long", definition=_long(), roleArn=role)
    yield from beside_executions.metrics(f"answer_beside_{EXECUTIONS}_executions", at_rest)
    yield from beside_parsing.metrics(f"answer_beside_parsing_{STATES}_states", at_rest)


def _busy() -> str:
    """Return a machine that counts and counts."""
    count: dict[str, Any] = {"Type": "Pass", "Parameters": {"n": 0}, "Next": "Enough"}
    enough = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericGreaterThan": 0, "Next": "Done"}],
        "Default": "Count",
    }
    return json.dumps(machine(Count=count, Enough=enough, Done={"Type": "Succeed"}))


def _long() -> str:
    names = [f"Step{number}" for number in range(STATES)]
    states = {
        name: {"Type": "Pass", "Parameters": {"of.$": "$.n", "n": 1}, "Next": following}
        for name, following in itertools.pairwise(names)
    }
    return json.dumps(machine(**states, **{names[-1]: {"Type": "Succeed"}}))


def main() -> None:
    """Ask until standard input is closed; print the milliseconds until each answer."""
    states, identity = boto3.client("stepfunctions"), boto3.client("sts")
    calls = (
        identity.get_caller_identity,
        lambda: states.list_executions(stateMachineArn=sys.argv[1]),
    )
    milliseconds = []
    print("asking", flush=True)
    for call in itertools.cycle(calls):
        started = time.perf_counter()
        call()
        milliseconds.append(1000 * (time.perf_counter() - started))
        if select.select([sys.stdin], [], [], 0.01)[0]:
            break
    print(json.dumps(milliseconds))


if __name__ == "__main__":
    main()
