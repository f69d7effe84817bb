"""Map Runs: the child executions of a Distributed Map, run, counted, looked at and redriven.

Each child is an execution of its own. What is told of them is as in Map Runs recorded on AWS:
https://github.com/radkawar/stackd testdata/aws/stepfunctions/distributed_map.json
"""

from __future__ import annotations

import contextvars
import json
import threading
import uuid
from collections import Counter, deque
from typing import Any

from ministack.core.responses import json_response, now_iso
from ministack.services import stepfunctions
from moto.stepfunctions.parser.asl.eval.environment import Environment

from helpers.localaws import pages, redrive, requests, runs, turns
from helpers.localaws.requests import Answer, Refused, refusing
from helpers.localaws.runs import Record

CHILDREN_AT_ONCE = 40  # AWS runs up to 10,000; each is a thread here

_COUNTED = {
    "pending": None,
    "running": "RUNNING",
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "timedOut": "TIMED_OUT",
    "aborted": "ABORTED",
}


class MapRun:
    """One Map Run: its children in the order of their items, None where one has not begun."""

    def __init__(self, parent: str, machine: Record, label: str | None, **limits: Any) -> None:
        """Begin a run; ``machine`` is what the children are executions of, without its label."""
        label = label or str(uuid.uuid4())
        arn = machine["stateMachineArn"]
        self.arn = f"{arn.replace(':stateMachine:', ':mapRun:')}/{label}:{uuid.uuid4()}"
        self.label = label
        self.machine = {**machine, "stateMachineArn": f"{arn}/{label}"}
        self.told: Record = {
            "mapRunArn": self.arn,
            "executionArn": parent,
            "status": "RUNNING",
            "startDate": now_iso(),
            **limits,
            "redriveCount": 0,
        }
        self.inputs: list[Any] | None = None  # not read yet
        self.sizes: list[int] = []
        self.children: list[Record | None] = []
        self.awaited: set[int] = set()  # children that are to be redriven
        self.transformation = "COMPACT"  # of the results
        self.files: dict[str, list[Record]] = {}  # written by a ResultWriter
        stepfunctions._map_runs[self.arn] = self

    def give(self, inputs: list[Any], sizes: list[int]) -> None:
        """Say what the children's inputs are, and of how many items each."""
        self.inputs, self.sizes, self.children = inputs, sizes, [None] * len(inputs)

    def end(self, status: str) -> None:
        """Note the end of the run."""
        self.told.update(status=status, stopDate=now_iso())

    def redrive(self) -> None:
        """Begin again, with what has not succeeded."""
        self.told.pop("stopDate")
        again = {"redriveCount": self.told["redriveCount"] + 1, "redriveDate": now_iso()}
        self.told.update(status="RUNNING", **again)
        self.awaited = {number for number in self.left if self.children[number]}

    @property
    def left(self) -> list[int]:
        """The numbers of the children that have not succeeded, or not begun."""
        children = enumerate(self.children)
        return [number for number, child in children if not succeeded(child)]

    def counts(self, *, of_items: bool) -> dict[str, int]:
        """Return how many items, or executions, are at which point."""
        sizes = self.sizes if of_items else [1] * len(self.children)
        at: Counter[str | None] = Counter()
        for number, child in enumerate(self.children):
            status = child["status"] if child else None
            at["PENDING_REDRIVE" if number in self.awaited else status] += sizes[number]
        total, running = sum(sizes), self.told["status"] == "RUNNING"
        written = total if self.files else at["SUCCEEDED"]
        return {
            **{name: at[status] for name, status in _COUNTED.items()},
            "total": total,
            "resultsWritten": 0 if running else written,
            "failuresNotRedrivable": 0,
            "pendingRedrive": at["PENDING_REDRIVE"],
        }

    @property
    def intolerable(self) -> bool:
        """Whether more items have failed than the Map state tolerates.

        Without either field none is tolerated; with both, the first that is exceeded counts.
        https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html#maprun-fail-threshold
        """
        counts = self.counts(of_items=True)
        failed = counts["failed"] + counts["timedOut"]
        count = self.told["toleratedFailureCount"]
        percentage = self.told["toleratedFailurePercentage"]
        over_count = failed > count
        over_percentage = failed * 100 > percentage * counts["total"]
        if count and percentage:
            return over_count or over_percentage
        return over_percentage if percentage else over_count

    def child(self, index: int) -> Record:
        """Return the child of an input, ready to run: a new one, or one that is run again."""
        known = self.children[index]
        self.awaited.discard(index)
        if known is None:
            self.children[index] = self._new_child(index)
        elif known["type"] == "STANDARD":
            redrive.prepare(known)
        else:  # an Express one starts anew, under its old ARN
            self.children[index] = self._new_child(index, known["executionArn"])
        return self.children[index]

    def _new_child(self, index: int, arn: str | None = None) -> Record:
        standard = self.machine["type"] == "STANDARD"
        kind = "execution" if standard else "express"
        name = str(uuid.uuid4()) if standard else f"{uuid.uuid4()}:{uuid.uuid4()}"
        if arn is None:
            machine = self.machine["stateMachineArn"].replace(":stateMachine:", f":{kind}:")
            arn = f"{machine}:{name}"
        given = json.dumps(self.inputs[index], separators=(",", ":"), ensure_ascii=False)
        more = {"mapRunArn": self.arn, "label": self.label, "itemCount": self.sizes[index]}
        name = arn.split(":", 7)[7] if not standard else name
        return runs.add(arn, self.machine, name, given, **more)


def succeeded(child: Record | None) -> bool:
    """Whether a child has done what it should."""
    return child is not None and child["status"] == "SUCCEEDED"


class Crew:
    """The threads that run a Map Run's children."""

    def __init__(self, run: MapRun, env: Environment) -> None:
        """Take on what has not succeeded; ``env`` is what the Map state runs in."""
        self._run, self._env = run, env
        self._left = deque(run.left)
        self._at_work = 0
        self._changed = threading.Condition()

    def work(self) -> bool:
        """Run the children; return whether as many succeeded as must."""
        while True:
            with turns.TURNS.lent(), self._changed:  # the children need the turn
                self._hire()
                if not self._at_work:
                    return not self._run.intolerable
                self._changed.wait(0.05)  # and look whether somebody has stopped the parent
            if self._run.intolerable or not self._env.is_running():
                self._stop()

    def _hire(self) -> None:
        most = min(self._run.told["maxConcurrency"] or CHILDREN_AT_ONCE, CHILDREN_AT_ONCE)
        while self._left and self._at_work < most:
            self._at_work += 1
            child = self._run.child(self._left.popleft())
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(self._do, child), daemon=True).start()

    def _do(self, child: Record) -> None:
        try:
            stepfunctions._run_execution(child["executionArn"])
        finally:
            with self._changed:
                self._at_work -= 1
                if self._run.intolerable:
                    self._left.clear()  # before another one begins
                self._changed.notify()

    def _stop(self) -> None:
        """Begin no more, and abort what runs; what is Express runs to its end."""
        self._left.clear()
        for child in self._run.children:
            if child and child["type"] == "STANDARD" and child["status"] == "RUNNING":
                runs.stop(child, cause="The Map Run has ended")  # AWS's words are not known


# --- the API -----------------------------------------------------------------------------


def known(arn: str) -> MapRun:
    """Return the Map Run of that ARN. Raises Refused."""
    run = stepfunctions._map_runs.get(requests.arn(arn, "mapRun"))
    if run is None:
        raise Refused("ResourceNotFound", f"Map Run Does Not Exist: '{arn}'")
    return run


@refusing
def describe(data: Record) -> Answer:
    """DescribeMapRun.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeMapRun.html
    """
    run = known(data["mapRunArn"])
    counts = {f"{of}Counts": run.counts(of_items=of == "item") for of in ("item", "execution")}
    return json_response({**run.told, **counts})


@refusing
def listed(data: Record) -> Answer:
    """ListMapRuns, of one execution.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListMapRuns.html
    """
    parent = runs.known(data["executionArn"])["executionArn"]
    keys = ("executionArn", "mapRunArn", "startDate", "stopDate")
    items = [
        {key: run.told[key] for key in keys if key in run.told}
        | {"stateMachineArn": run.machine["stateMachineArn"]}
        for run in stepfunctions._map_runs.values()
        if run.told["executionArn"] == parent
    ]
    place = pages.since("startDate", "mapRunArn")
    shown, more = pages.page(items, place, f"mapRuns {parent}", data)
    return json_response({"mapRuns": shown, **more})


@refusing
def update(data: Record) -> Answer:
    """UpdateMapRun: the limits of a run, while it runs too.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateMapRun.html
    """
    run = known(data["mapRunArn"])
    limits = ("maxConcurrency", "toleratedFailureCount", "toleratedFailurePercentage")
    run.told.update({limit: data[limit] for limit in limits if limit in data})
    return json_response({})
