"""Many executions and functions at once: bounded, in line, and none waits for ever."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config

from helpers.localaws import turns as turns_module
from helpers.localaws.admission import CALLER, Line, Thread
from helpers.localaws.turns import TimedThread, Turns
from helpers.session import Session
from tests.localaws.laboratory import Laboratory, eventually, furnish, machine, task
from tests.localaws.test_kill import _create

# Calls itself as often as it is told; or a state machine, which calls it.
NESTED = """
import json, os
import boto3
from botocore.config import Config

def handler(event, context):
    patient = Config(read_timeout=900, retries={"total_max_attempts": 1}, inject_host_prefix=False)
    if event.get("machine"):
        states = boto3.client("stepfunctions", config=patient)
        ended = states.start_sync_execution(stateMachineArn=event["machine"], input="{}")
        return json.loads(ended["output"])
    if event.get("depth"):
        deeper = json.dumps({"depth": event["depth"] - 1})
        functions = boto3.client("lambda", config=patient)
        answer = functions.invoke(FunctionName=context.function_name, Payload=deeper)
        return json.load(answer["Payload"]) + 1
    return 0
"""


@pytest.fixture(scope="module")
def environments() -> int:
    """How many functions run at once. Asked in a process of its own: MiniStack is imported."""
    code = "from helpers.localaws import functions; print(functions.ENVIRONMENTS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.fixture
def laboratory(aws: Session) -> Laboratory:
    return furnish(aws)


def _patient(aws: Session, service: str) -> Any:
    config = Config(
        read_timeout=900,
        retries={"total_max_attempts": 1},
        max_pool_connections=64,
        inject_host_prefix=False,
    )
    return aws.boto.client(service, endpoint_url=aws.endpoint, config=config)


# --- functions -----------------------------------------------------------------------------


def test_functions_that_call_each_other_do_not_wait_for_each_other_s_places(
    laboratory: Laboratory, environments: int
) -> None:
    name = _create(laboratory, "nested", NESTED)
    client = _patient(laboratory.aws, "lambda")

    def call(_: int) -> Any:
        return json.load(client.invoke(FunctionName=name, Payload=b'{"depth": 2}')["Payload"])

    # Each of the first ones holds a place until the two below it have ended.
    with ThreadPoolExecutor(environments) as pool:
        assert list(pool.map(call, range(environments))) == [2] * environments


def test_functions_that_wait_for_functions_by_way_of_a_state_machine_get_on(
    laboratory: Laboratory, environments: int
) -> None:
    name = _create(laboratory, "roundabout", NESTED)
    express = laboratory.aws.client("stepfunctions").create_state_machine(
        name="roundabout",
        type="EXPRESS",
        roleArn=laboratory.role,
        definition=json.dumps(machine(A=task(name))),
    )["stateMachineArn"]
    client = _patient(laboratory.aws, "lambda")
    payload = json.dumps({"machine": express})

    def call(_: int) -> Any:
        return json.load(client.invoke(FunctionName=name, Payload=payload)["Payload"])

    with ThreadPoolExecutor(environments) as pool:
        assert list(pool.map(call, range(environments))) == [0] * environments


# --- executions ----------------------------------------------------------------------------


def _started(laboratory: Laboratory, name: str, count: int, **states: Any) -> list[str]:
    states_api = _patient(laboratory.aws, "stepfunctions")
    arn = states_api.create_state_machine(
        name=name,
        definition=laboratory.filled(json.dumps(machine(**states))),
        roleArn=laboratory.role,
    )["stateMachineArn"]
    with ThreadPoolExecutor(16) as pool:
        started = pool.map(lambda _: states_api.start_execution(stateMachineArn=arn), range(count))
        return [execution["executionArn"] for execution in started]


def _stop(laboratory: Laboratory, executions: list[str]) -> None:
    for execution in executions:
        laboratory.aws.client("stepfunctions").stop_execution(executionArn=execution)


def test_three_hundred_that_wait_hold_up_nobody(laboratory: Laboratory) -> None:
    question = task(
        "arn:aws:states:::sns:publish.waitForTaskToken",
        Parameters={"TopicArn": "<topic>", "Message.$": "$$.Task.Token"},
        TimeoutSeconds=3600,
    )
    asking = _started(laboratory, "asking", 100, A=question)
    sleeping = _started(
        laboratory, "sleeping", 100, A={"Type": "Wait", "Seconds": 3600, "End": True}
    )
    nested = task("arn:aws:states:::states:startExecution.sync:2", TimeoutSeconds=3600)
    sleeper = sleeping[0].replace(":execution:", ":stateMachine:").rpartition(":")[0]
    nested["Parameters"] = {"StateMachineArn": sleeper, "Input": {}}
    parents = _started(laboratory, "parents", 100, A=nested)
    for execution in (*asking, *parents):
        laboratory.history(execution, "TaskSubmitted")
    execution = laboratory.start(machine(A=task("<function>")), {"n": 301}, "another")
    assert laboratory.output(execution) == {"n": 301}
    states = laboratory.aws.client("stepfunctions")
    children = states.get_paginator("list_executions").paginate(
        stateMachineArn=sleeper, statusFilter="RUNNING"
    )
    running = [found["executionArn"] for page in children for found in page["executions"]]
    assert len(running) == 200
    _stop(laboratory, [*asking, *running])
    for parent in parents:
        assert laboratory.history(parent)[-1]["type"] == "ExecutionFailed"


def test_executions_that_compute_without_end_let_others_run(laboratory: Laboratory) -> None:
    enough = {"Type": "Choice", "Choices": [{"Variable": "$.n", "IsNull": True, "Next": "Z"}]}
    loops = _started(
        laboratory,
        "loops",
        20,
        A={"Type": "Pass", "Result": {"n": 1}, "Next": "B"},
        B={**enough, "Default": "A"},
        Z={"Type": "Succeed"},
    )
    execution = laboratory.start(machine(A=task("<function>")), {"n": 21}, "beside-loops")
    assert laboratory.output(execution) == {"n": 21}
    _stop(laboratory, loops)


def test_a_parallel_wider_than_there_are_turns_ends(laboratory: Laboratory) -> None:
    branches = [
        {"StartAt": f"A{number}", "States": {f"A{number}": task("<function>")}}
        for number in range(20)
    ]
    definition = machine(P={"Type": "Parallel", "Branches": branches, "End": True})
    execution = laboratory.start(definition, {"n": 1}, "wide")
    assert laboratory.output(execution) == [{"n": 1}] * 20


# --- the line before executions ------------------------------------------------------------


class Gates:
    """Threads of executions that run until they are let go, with a line of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, places: int, limit: int) -> None:
        self.line = Line(places, limit)
        monkeypatch.setattr("helpers.localaws.admission.LINE", self.line)
        self.begun: list[int] = []
        self._ends = [threading.Event() for _ in range(10)]
        self._threads = [Thread(target=self._run, args=(number,)) for number in range(10)]

    def _run(self, number: int) -> None:
        self.begun.append(number)
        self._ends[number].wait(60)

    def start(self, *numbers: int) -> None:
        for number in numbers:
            self._threads[number].start()

    def end(self, number: int) -> None:
        self._ends[number].set()
        self._threads[number].join(60)


def test_executions_wait_in_line_and_begin_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = Gates(monkeypatch, places=2, limit=4)
    gates.start(0, 1, 2, 3, 4)
    eventually(lambda: len(gates.begun) == 2)
    for ended, following in ((1, 2), (0, 3), (2, 4)):
        gates.end(ended)
        eventually(lambda following=following: following in gates.begun)
        assert gates.begun[2:] == list(range(2, following + 1))
    gates.end(3)
    gates.end(4)


def test_what_a_role_starts_is_not_kept_in_line_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gates = Gates(monkeypatch, places=2, limit=4)
    gates.start(0, 1, 2)
    assert not gates.line.is_full()
    token = CALLER.set("ASIAOFASTATEMACHINE")
    try:
        gates.start(3, 4)
        eventually(lambda: sorted(gates.begun) == [0, 1, 3, 4])
        assert gates.line.is_full()
    finally:
        CALLER.reset(token)
    assert not gates.line.is_full()  # who can wait is not refused
    # A place is free again when there are no more than there are places.
    for number in (3, 4):
        gates.end(number)
    assert 2 not in gates.begun
    gates.end(0)
    eventually(lambda: 2 in gates.begun)
    gates.end(1)
    gates.end(2)


IN_LINE = """
import json, os, time
os.environ.update(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_SECRET_ACCESS_KEY="none")
import helpers.localaws.imports
from ministack.core.responses import get_account_id
from ministack.services import iam, stepfunctions
from helpers.localaws import admission, interpreter, states
interpreter.install(); states.install(); admission.install()
admission.LINE = admission.Line(1, 2)

def ask(operation, /, **data):
    return json.loads(getattr(stepfunctions, operation)(data)[2])

def until(look):
    while not look():
        time.sleep(0.01)

def types(execution):
    events = ask("_get_execution_history", executionArn=execution)["events"]
    return [event["type"] for event in events]

trusting = {"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "states.amazonaws.com"}}
iam._create_role({"RoleName": ["r"], "AssumeRolePolicyDocument": [json.dumps(
    {"Version": "2012-10-17", "Statement": [trusting]})]})
wait = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3600, "End": True}}}
arn = ask("_create_state_machine", name="m", definition=json.dumps(wait),
          roleArn=f"arn:aws:iam::{get_account_id()}:role/r")["stateMachineArn"]

def start():
    return ask("_start_execution", stateMachineArn=arn)

def stop(execution):
    ask("_stop_execution", executionArn=execution)

first, second, third = (start()["executionArn"] for _ in range(3))
until(lambda: "WaitStateEntered" in types(first))
admission.CALLER.set("ASIANESTED")
child = start()["executionArn"]
until(lambda: "WaitStateEntered" in types(child))
refused = start()["__type"]
admission.CALLER.set("")
told = {"second": types(second), "refused": refused,
        "status": ask("_describe_execution", executionArn=second)["status"]}
stop(child)
stop(second)
told["stopped in line"] = types(second)
stop(first)
until(lambda: "WaitStateEntered" in types(third))
told["still"] = types(second)
print(json.dumps(told))
"""


def test_an_execution_in_line_runs_as_far_as_anybody_sees_and_can_be_stopped() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_LINE], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == {
        "second": ["ExecutionStarted"],
        "status": "RUNNING",
        # https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
        "refused": "ExecutionLimitExceeded",
        "stopped in line": ["ExecutionStarted", "ExecutionAborted"],
        "still": ["ExecutionStarted", "ExecutionAborted"],
    }


# --- turns ---------------------------------------------------------------------------------


def _threads(*targets: Callable[[], Any]) -> list[threading.Thread]:
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def test_turns_are_given_in_the_order_in_which_they_are_asked_for() -> None:
    turns, order = Turns(), []

    def wait(number: int) -> None:
        with turns.taken():
            order.append(number)

    with turns.taken():
        for number in range(5):
            _threads(lambda number=number: wait(number))
            eventually(lambda number=number: len(turns._line) == number + 1)
        assert order == []
    eventually(lambda: order == [0, 1, 2, 3, 4])


def test_a_lent_turn_is_another_s_until_it_is_needed_again() -> None:
    turns, done = Turns(), threading.Event()

    def use() -> None:
        with turns.taken():
            done.set()

    with turns.taken():
        _threads(use)
        eventually(lambda: turns._line)
        assert not done.is_set()
        with turns.lent():
            assert done.wait(60)
    with turns.lent():  # without a turn there is nothing to lend
        pass


def test_whoever_passes_a_turn_on_gets_it_back() -> None:
    turns, done = Turns(), threading.Event()

    def use() -> None:
        with turns.taken():
            done.set()

    with turns.taken():
        turns.pass_on()  # to nobody
        _threads(use)
        eventually(lambda: turns._line)
        turns.pass_on()
        assert done.is_set()


def test_where_nothing_moves_one_more_gets_a_turn_and_no_turn_comes_of_it() -> None:
    turns, stuck = Turns(2, patience=0.05), threading.Event()
    inside, most, gate = [0], [0], threading.Lock()

    def wait_for_another() -> None:
        with turns.taken():
            stuck.wait(60)

    def work() -> None:
        with turns.taken():
            with gate:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.001)
            with gate:
                inside[0] -= 1

    stuck_ones = _threads(*[wait_for_another] * 2)
    eventually(lambda: turns._free == 0)
    for thread in _threads(work):
        thread.join(60)
        assert not thread.is_alive()
    stuck.set()
    for thread in stuck_ones:
        thread.join(60)
    assert turns._free == 2
    turns._patience, most[0] = 60, 0  # a busy computer stands still for longer than that, too
    for thread in _threads(*[work] * 20):
        thread.join(60)
    assert (turns._free, most[0] <= 2) == (2, True)


def test_a_task_s_seconds_are_counted_from_its_first_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """In line for its turn, a task with TimeoutSeconds 1 ended before it had been scheduled."""
    turns, worked, counting = Turns(), threading.Event(), threading.Event()
    monkeypatch.setattr(turns_module, "TURNS", turns)
    task = TimedThread(target=worked.set, daemon=True)

    def count() -> None:
        with turns.taken():
            task.start()
            counting.set()

    with turns.taken():
        _threads(count)
        eventually(lambda: turns._line)
    assert counting.wait(60)
    assert worked.wait(60)

    others = TimedThread(target=lambda: None, daemon=True)
    with turns.taken():
        (maker,) = _threads(others.start)
        eventually(lambda: turns._line)
        assert maker.is_alive()
    maker.join(60)
    assert not maker.is_alive()
