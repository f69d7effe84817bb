"""Plays a definition by chance: a history as AWS writes one, and whose each event is.

The branches of a Parallel state and the items of a Map state take turns by chance; tasks fail,
are retried and caught by chance. What another branch's failure stops is aborted, unless states of
one type are open in several places: then the events would not tell which is which. The shapes are
those of `tests.unit.test_history`.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from random import Random

START = datetime(2026, 1, 1, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:work"
ASK = {"resourceType": "lambda", "resource": "invoke.waitForTaskToken"}

Turns = Generator[None, None, tuple[bool, int]]  # in the end: whether all went well, the last id
Way = list[tuple[str, str]]  # the states that are open, outermost first, each with its type


class Player:
    """`events` is the history, `owners` the state's name for each event, None for no state's."""

    def __init__(self, definition: dict, chance: Random, most: int = 120) -> None:
        self.chance = chance
        self.events: list[dict] = []
        self.owners: list[str | None] = []
        self._add(None, "ExecutionStarted", 0, input="{}")
        turns = self._machine(definition, 0, [])
        try:
            while len(self.events) < most:
                next(turns)
        except StopIteration as end:
            well, last = end.value
            self._add(None, f"Execution{'Succeeded' if well else 'Failed'}", last, output="{}")

    def _add(self, owner: str | None, kind: str, previous: int, **details: object) -> int:
        number = len(self.events) + 1
        event = {
            "id": number,
            "previousEventId": previous,
            "timestamp": START + timedelta(milliseconds=10 * number),
            "type": kind,
        }
        name = f"{kind[0].lower()}{kind[1:]}EventDetails"
        for phase in ("Entered", "Exited"):
            name = f"state{phase}EventDetails" if kind.endswith(f"State{phase}") else name
        self.events.append(event | ({name: details} if details else {}))
        self.owners.append(owner)
        return number

    def _machine(self, machine: dict, before: int, way: Way) -> Turns:
        states, name = machine.get("States", {}), machine.get("StartAt")
        while name is not None:
            if name not in states:
                return False, before  # the local and the real AWS refuse such a definition
            state = states[name]
            well, before, after = yield from self._state(name, state, before, way)
            if not well and after is None:
                return False, before
            name = after
        return True, before

    def _state(self, name: str, state: dict, before: int, way: Way) -> Generator:
        kind = state["Type"]
        last = self._add(name, f"{kind}StateEntered", before, name=name, input="{}")
        if kind == "Fail":
            yield
            return False, last, None
        way.append((name, kind))
        yield
        well, attempts = False, 0
        while not well and attempts <= bool(state.get("Retry")):
            attempts += 1
            well, last = yield from self._work(name, state, last, way)
        if not well and not state.get("Catch"):
            return False, last, None
        way.pop()
        last = self._add(name, f"{kind}StateExited", last, name=name, output="{}")
        yield
        return well, last, self._next(state, well)

    def _next(self, state: dict, well: bool) -> str | None:
        if not well:
            return state["Catch"][0]["Next"]
        if state["Type"] == "Choice":
            return self.chance.choice([rule["Next"] for rule in state["Choices"]] or [None])
        return state.get("Next")

    def _work(self, name: str, state: dict, last: int, way: Way) -> Turns:
        if state["Type"] == "Task":
            return (yield from self._task(name, state, last))
        if state["Type"] == "Parallel":
            last = self._add(name, "ParallelStateStarted", last)
            ways: list[Way] = [[] for _ in state["Branches"]]
            turns = [
                self._machine(branch, last, inner)
                for branch, inner in zip(state["Branches"], ways, strict=True)
            ]
            well, last = yield from self._together(turns, ways, last, way)
            ending = "Succeeded" if well else "Failed"
            return well, self._add(name, f"ParallelState{ending}", last)
        if state["Type"] == "Map":
            return (yield from self._map(name, state, last, way))
        return True, last

    def _task(self, name: str, state: dict, last: int) -> Turns:
        end = self.chance.choice(["Succeeded", "Succeeded", "Failed", "TimedOut"])
        if state.get("Resource") == FUNCTION:
            last = self._add(name, "LambdaFunctionScheduled", last, resource=FUNCTION, input="{}")
            yield
            last = self._add(name, "LambdaFunctionStarted", last)
            yield
            last = self._add(name, f"LambdaFunction{end}", last, error="E")
        else:
            last = self._add(name, "TaskScheduled", last, **ASK, parameters="{}")
            yield
            last = self._add(name, "TaskStarted", last, **ASK)
            yield
            last = self._add(name, "TaskSubmitted", last, **ASK, output="{}")
            yield
            last = self._add(name, f"Task{end}", last, **ASK, error="E")
        yield
        return end == "Succeeded", last

    def _map(self, name: str, state: dict, last: int, way: Way) -> Turns:
        length = self.chance.randrange(4)
        last = self._add(name, "MapStateStarted", last, length=length)
        ways: list[Way] = [[] for _ in range(length)]
        turns = [self._item(name, state, index, last, ways[index]) for index in range(length)]
        well, last = yield from self._together(turns, ways, last, way)
        return well, self._add(name, f"MapState{'Succeeded' if well else 'Failed'}", last)

    def _item(self, name: str, state: dict, index: int, last: int, way: Way) -> Turns:
        yield
        last = self._add(name, "MapIterationStarted", last, name=name, index=index)
        well, last = yield from self._machine(state["ItemProcessor"], last, way)
        if well:
            last = self._add(name, "MapIterationSucceeded", last, name=name, index=index)
        else:  # as recorded on AWS: what follows points to the failure too
            self._add(name, "MapIterationFailed", last, name=name, index=index)
        return well, last

    def _together(self, turns: list[Turns], ways: list[Way], last: int, around: Way) -> Turns:
        """By turns until all are through, or one has failed."""
        begun, left = len(around), list(zip(turns, ways, strict=True))
        while left:
            chosen = self.chance.choice(left)
            try:
                next(chosen[0])
            except StopIteration as end:
                well, last = end.value
                left.remove(chosen)
                if not well:
                    del around[begun:]
                    self._abort([found for _, way in left for found in way], last)
                    return False, last
            around[begun:] = [found for _, way in left for found in way]
            yield
        return True, last

    def _abort(self, opened: Way, failed: int) -> None:
        kinds = [kind for _, kind in opened]
        if len(set(kinds)) == len(kinds):
            for name, kind in reversed(opened):
                self._add(name, f"{kind}StateAborted", failed)
