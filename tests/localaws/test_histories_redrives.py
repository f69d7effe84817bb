"""Redrives: the events that AWS writes after those of before, with their source."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from tests.localaws.histories import (
    FAIL,
    Row,
    check,
    distributed,
    map_of,
    parallel,
    plain,
    redrive,
    work,
)
from tests.localaws.laboratory import (
    REDRIVEN,
    Laboratory,
    machine,
    task,
)

ROWS = {
    # --- redrives
    "Redrive, a task": Row(
        machine(S={"Type": "Pass", "Next": "A"}, A=task("<activity>5")),
        """
        PassStateEntered 0 S
        PassStateExited 2 S
        TaskStateEntered 3 A
        ActivityScheduled 4
        ActivityStarted 5
        ActivityFailed 6
        ExecutionFailed 7 {"error": "E", "cause": "C"}
        ExecutionRedriven 8 {"redriveCount": 1}
        ActivityScheduled 4
        ActivityStarted 10
        ActivitySucceeded 11
        TaskStateExited 12 A {"output": 10}
        ExecutionSucceeded 13 {"output": 10}
        """,
        REDRIVEN,
        1,
        work("take", "fail 1", "redrive", "take", "succeed 1"),
    ),
    "Redrive, after StopExecution": Row(
        machine(A=task("<activity>6")),
        """
        TaskStateEntered 0 A
        ActivityScheduled 2
        ExecutionAborted 0 {"error": "E", "cause": "C"}
        ExecutionRedriven 4 {"redriveCount": 1}
        ActivityScheduled 2
        ActivityStarted 6
        ActivitySucceeded 7
        TaskStateExited 8 A
        ExecutionSucceeded 9
        """,
        REDRIVEN,
        1,
        work("stop", "redrive", "take", "succeed 1"),
    ),
    "Redrive, a Fail state": Row(
        machine(A=FAIL),
        """
        FailStateEntered 0 A
        ExecutionFailed 2
        ExecutionRedriven 3 {"redriveCount": 1}
        ExecutionFailed 4 {"error": "E", "cause": "C"}
        """,
        REDRIVEN,
        meanwhile=redrive,
    ),
    "Redrive, a Parallel: what failed and what was aborted": Row(
        parallel(
            *(
                plain(**{name: task("<activity>7", InputPath=f"$.{name}")})
                for name in ("Done", "Failed", "Aborted")
            )
        ),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        TaskStateEntered 3 Done
        ActivityScheduled 4
        TaskStateEntered 3 Failed
        ActivityScheduled 6
        TaskStateEntered 3 Aborted
        ActivityScheduled 8
        ActivityStarted 5
        ActivityStarted 7
        ActivityStarted 9
        ActivitySucceeded 10
        TaskStateExited 13 Done
        ActivityFailed 11
        TaskStateAborted 15
        TaskStateAborted 15
        ParallelStateFailed 15
        ExecutionFailed 18
        ExecutionRedriven 19 {"redriveCount": 1}
        ActivityScheduled 6
        ActivityScheduled 8
        ActivityStarted 21
        ActivityStarted 22
        ActivitySucceeded 23
        TaskStateExited 25 Failed
        ActivitySucceeded 24
        TaskStateExited 27 Aborted
        ParallelStateSucceeded 28
        ParallelStateExited 28 A {"output": [10, 20, 30]}
        ExecutionSucceeded 30
        """,
        REDRIVEN,
        {"Done": 1, "Failed": 2, "Aborted": 3},
        work(
            *("take", "take", "take", "succeed 1", "fail 2"),
            *("redrive", "take", "take", "succeed 2", "succeed 3"),
        ),
        any_order=True,
    ),
    "Redrive, a Map: what failed and what had not begun": Row(
        map_of(plain(I=task("<activity>8")), MaxConcurrency=1),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 3}
        MapIterationStarted 3 A {"index": 0}
        TaskStateEntered 4 I
        ActivityScheduled 5
        ActivityStarted 6
        ActivitySucceeded 7
        TaskStateExited 8 I
        MapIterationSucceeded 9 A {"index": 0}
        MapIterationStarted 9 A {"index": 1}
        TaskStateEntered 11 I
        ActivityScheduled 12
        ActivityStarted 13
        ActivityFailed 14
        MapIterationFailed 15 A {"index": 1}
        TaskStateAborted 15
        MapStateFailed 15
        ExecutionFailed 18
        ExecutionRedriven 19 {"redriveCount": 1}
        ActivityScheduled 12
        ActivityStarted 21
        ActivitySucceeded 22
        TaskStateExited 23 I
        MapIterationSucceeded 24 A {"index": 1}
        MapIterationStarted 24 A {"index": 2}
        TaskStateEntered 26 I
        ActivityScheduled 27
        ActivityStarted 28
        ActivitySucceeded 29
        TaskStateExited 30 I
        MapIterationSucceeded 31 A {"index": 2}
        MapStateSucceeded 32
        MapStateExited 32 A {"output": [10, 20, 30]}
        ExecutionSucceeded 34
        """,
        REDRIVEN,
        [1, 2, 3],
        work(
            *("take", "succeed 1", "take", "fail 2"),
            *("redrive", "take", "succeed 2", "take", "succeed 3"),
        ),
    ),
    "Redrive, a Map Run": Row(
        distributed(plain(I=task("<activity>9"))),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 1}
        MapRunStarted 3
        MapRunFailed 4 {"error": "States.ExceedToleratedFailureThreshold"}
        MapStateFailed 5
        ExecutionFailed 6
        ExecutionRedriven 7 {"redriveCount": 1}
        MapRunRedriven 3 {"redriveCount": 1}
        MapRunSucceeded 9
        MapStateSucceeded 10
        MapStateExited 9 A {"output": [10]}
        ExecutionSucceeded 12
        """,
        REDRIVEN.replace("execution", "map"),
        [1],
        work("take", "fail 1", "redrive", "take", "succeed 1"),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_history(name: str, lab: Laboratory, executions: dict[str, Future[str]]) -> None:
    check(ROWS[name], lab, executions[name].result())
