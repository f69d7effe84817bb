"""A workshop of 20: all at once through the lessons 00 to 04, as programs that drive real kernels.

Nobody reads or thinks meanwhile: no real room is as busy. The peer is one learner alone, in the
same room, who has left when the others come.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import quantiles

import psutil

from bench.metric import Metric
from helpers import render
from tests.notebooks.shelf import solved
from tests.workshop import running
from tests.workshop.users import folder_for_everybody
from tests.workshop.visitor import Kernel, Visitor

LEARNERS, FIRST = 20, 62000
SAMPLE_SECONDS = 2
LEARNER_MEGABYTES = 800  # of each, with all five notebooks open
LESSONS = (
    "00_start_here",
    "01_deploy_the_app",
    "02_read_the_state_machine",
    "03_catch_a_bad_policy",
    "04_approve_or_deny",
)
# Where a learner clicks: the first cell after both the question and its graph are there.
CLICKS = {("00_start_here", "settle"), ("04_approve_or_deny", "settle")}

# What a learner's account knows of accounts: the own one, and nothing of anybody else's.
ACCOUNTS = """
import json, re
arn = aws.client("sts").get_caller_identity()["Arn"]
known = [
    states.list_executions(stateMachineArn=app.state_machine),
    aws.client("iam").list_policies(Scope="Local"),
    aws.client("cloudformation").describe_stacks(),
    [(mail.recipient, mail.text) for mail in inbox.mails(aws)],
]
found = re.findall(r"arn:aws:[^:]*:[^:]*:(\\d{12}):", json.dumps(known, default=str))
print(json.dumps([arn.split(":")[4], sorted(set(found))]))
"""


def metrics() -> Iterator[Metric]:
    """Yield the seconds until all are done, memory, and how long after a click the graph moves.

    Raises where a learner's cell fails, or somebody sees another's account. Measured where learners
    can be kept apart: by root, on Linux.
    """
    if missing := _missing():
        print(f"The workshop is not measured: that needs {missing}.", file=sys.stderr)
        return
    folder = folder_for_everybody()
    try:
        with running.workshop(folder / "room", LEARNERS + 1, FIRST) as workshop:
            empty = _megabytes(workshop)
            alone = _Walk.of(workshop, ["alone"])
            together = _Walk.of(workshop, [f"learner-{n}" for n in range(1, LEARNERS + 1)])
    finally:
        shutil.rmtree(folder)
    share = (together.peak - empty) / LEARNERS
    peer = "one learner alone"
    yield Metric("room_of_20_seated", max(together.seated), "s", peer, max(alone.seated))
    yield Metric("room_of_20_done", together.seconds, "s", peer, alone.seconds)
    yield Metric("room_of_20_memory", together.peak, "MB", peer, alone.peak)
    yield Metric("room_of_20_memory_each", round(share), "MB", peer, round(alone.peak - empty))
    yield Metric("room_of_20_click_to_graph_p95", together.p95, "ms", peer, alone.p95)


def _missing() -> str:
    """Return what this computer lacks for a room of so many, "" where it lacks nothing."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "root, on Linux"
    needed = LEARNERS * LEARNER_MEGABYTES
    return f"{needed:,} MB" if psutil.virtual_memory().available < needed * 1e6 else ""


@dataclass
class _Walk:
    """Learners who began at the same moment, until the last one was done."""

    clicks: list[float] = field(default_factory=list)
    seated: list[float] = field(default_factory=list)  # seconds until each had a server
    seconds: float = 0
    peak: float = 0  # MB

    @classmethod
    def of(cls, workshop: running.Workshop, names: list[str]) -> _Walk:
        walk, done = cls(), threading.Event()
        sampler = threading.Thread(target=walk._sample, args=[workshop, done])
        sampler.start()
        begun = time.perf_counter()
        try:
            with ThreadPoolExecutor(len(names)) as pool:
                going = [pool.submit(walk._go, workshop, name) for name in names]
                here = [learner.result() for learner in going]
        finally:
            done.set()
            sampler.join()
        walk.seconds = round(time.perf_counter() - begun, 1)
        for learner in here:
            learner.leave()  # who comes afterwards is measured without them
        return walk

    @property
    def p95(self) -> float:
        return round(1e3 * quantiles(self.clicks, n=20, method="inclusive")[-1])

    def _sample(self, workshop: running.Workshop, done: threading.Event) -> None:
        while not done.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, _megabytes(workshop))

    def _go(self, workshop: running.Workshop, name: str) -> Visitor:
        """Come in, and go through all lessons. Raises SystemExit with what went wrong."""
        learner, begun = workshop.visitor(name), time.perf_counter()
        refused = learner.log_in(workshop.password)
        if refused:
            raise SystemExit(refused)
        learner.sit_down()
        self.seated.append(round(time.perf_counter() - begun, 1))
        for lesson in LESSONS:
            with learner.kernel(f"notebooks/{lesson}.ipynb") as kernel:
                for cell in solved(render.NOTEBOOKS / f"{lesson}.ipynb").cells:
                    if (lesson, cell.id) in CLICKS:
                        self.clicks.append(kernel.click("Deny"))
                    if cell.cell_type == "code":
                        _run(kernel, cell.source, cell.id, f"{learner.name}, {lesson}, {cell.id}")
        # The kernel of the last lesson still runs.
        with learner.kernel(f"notebooks/{LESSONS[-1]}.ipynb") as kernel:
            _run(kernel, ACCOUNTS, "accounts", learner.name)
            own, seen = json.loads(kernel.words[-1])
        if seen != [own]:
            raise SystemExit(f"{learner.name} has account {own} and sees {seen}.")
        return learner


def _run(kernel: Kernel, code: str, cell: str, where: str) -> None:
    kernel.run(code, cell)
    if kernel.failed:
        raise SystemExit(f"{where}: {''.join(kernel.words)}")


def _megabytes(workshop: running.Workshop) -> float:
    """Return the memory of all processes of a workshop: what they share counts once.

    That is Linux's proportional set size: https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html
    """
    host = psutil.Process(workshop.process.pid)
    found = 0
    for process in (host, *host.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            found += process.memory_full_info().pss
    return round(found / 1e6)
