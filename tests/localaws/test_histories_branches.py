"""Parallel, Map and Distributed Map: the events that AWS writes, with their source."""

# ruff: noqa: E501 - an event is a line

from __future__ import annotations

import json
from concurrent.futures import Future

import pytest

from tests.localaws.histories import (
    ALL,
    FAIL,
    LONG,
    MISSING,
    PASS,
    SECOND_FAILS,
    THRESHOLD,
    TOO_BIG,
    WAIT,
    WHOLE,
    Row,
    check,
    distributed,
    error,
    map_of,
    parallel,
    plain,
    reader,
)
from tests.localaws.laboratory import (
    DG,
    MEASURED,
    RECORDED,
    Laboratory,
    task,
)

# A child that fails leaves what is known of it, among the others' outputs.
ONE_FAILED = {"output.0": 1, "output.1.Status": "FAILED", "output.1.Error": "E", "output.2": 3}

ROWS = {
    # --- Parallel
    "Parallel": Row(
        parallel(plain(B1=PASS), plain(B2=WAIT)),  # it ends last
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        PassStateEntered 3 B1
        PassStateExited 4 B1
        WaitStateEntered 3 B2
        WaitStateExited 6 B2
        ParallelStateSucceeded 7
        ParallelStateExited 7 A {"output": [{"x": "a"}, {"x": "a"}]}
        ExecutionSucceeded 9
        """,
        MEASURED,
        {"x": "a"},
        any_order=True,
    ),
    "Parallel, one fails, the other waits": Row(
        parallel(LONG, plain(W={"Type": "Wait", "Seconds": 2, "Next": "Bad"}, Bad=FAIL)),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        WaitStateEntered 3 Long
        WaitStateEntered 3 W
        WaitStateExited 5 W
        FailStateEntered 6 Bad
        WaitStateAborted 7
        ParallelStateFailed 7
        ExecutionFailed 9 {"error": "E", "cause": "C"}
        """,
        MEASURED,
        any_order=True,
    ),
    "Parallel, a task fails and is caught": Row(
        parallel(plain(B=task("<function>")), Catch=[{**ALL[0], "ResultPath": "$.e"}]),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        TaskStateEntered 3 B
        LambdaFunctionScheduled 4
        LambdaFunctionStarted 5
        LambdaFunctionFailed 6 {"error": "ValueError"}
        TaskStateAborted 7
        ParallelStateFailed 7
        ParallelStateExited 9 A {"output.e.Error": "ValueError", "output.fail": "no"}
        PassStateEntered 10 X
        PassStateExited 11 X
        ExecutionSucceeded 12
        """,
        MEASURED,
        {"fail": "no"},
    ),
    "Parallel, a timeout in a branch is caught by its name": Row(
        parallel(
            plain(B=task("<function>", TimeoutSeconds=1)),
            Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "X"}],
        ),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        TaskStateEntered 3 B
        LambdaFunctionScheduled 4 {"timeoutInSeconds": 1}
        LambdaFunctionStarted 5
        LambdaFunctionTimedOut 6 {"error": "States.Timeout"}
        TaskStateAborted 7
        ParallelStateFailed 7
        ParallelStateExited 9 A
        PassStateEntered 10 X
        PassStateExited 11 X
        ExecutionSucceeded 12
        """,
        f"{DG}/concepts-error-handling.html",
        {"sleep": 4},
    ),
    "Parallel, tried again": Row(
        parallel(
            plain(Bad=FAIL),
            Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}],
        ),
        """
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        FailStateEntered 3 Bad
        ParallelStateStarted 4
        FailStateEntered 5 Bad
        ParallelStateFailed 6
        ExecutionFailed 7 {"error": "E", "cause": "C"}
        """,
        MEASURED,
    ),
    "Parallel, an output that is too big": Row(
        parallel(plain(B={"Type": "Pass", "Output": WHOLE, "End": True}), Catch=ALL)
        | {"QueryLanguage": "JSONata"},
        f"""
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        PassStateEntered 3 B
        PassStateExited 4 B
        ParallelStateSucceeded 5
        ExecutionFailed 5 {error("States.DataLimitExceeded", TOO_BIG.format("A"))}
        """,
        f"{DG}/concepts-error-handling.html",
    ),
    "Parallel, a runtime error passes its Catch": Row(
        parallel(
            plain(B={"Type": "Pass", "Parameters": {"a.$": "$.nope"}, "End": True}), Catch=ALL
        ),
        f"""
        ParallelStateEntered 0 A
        ParallelStateStarted 2
        PassStateEntered 3 B
        ExecutionFailed 4 {error("States.Runtime", MISSING.replace("'A'", "'B'").replace("#2", "#4"))}
        """,
        MEASURED,
    ),
    # --- Map
    "Map": Row(
        map_of(plain(I=PASS), MaxConcurrency=1, ItemsPath="$.items"),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 2}
        MapIterationStarted 3 A {"index": 0}
        PassStateEntered 4 I {"input": 1}
        PassStateExited 5 I
        MapIterationSucceeded 6 A {"index": 0}
        MapIterationStarted 6 A {"index": 1}
        PassStateEntered 8 I {"input": 2}
        PassStateExited 9 I
        MapIterationSucceeded 10 A {"index": 1}
        MapStateSucceeded 11
        MapStateExited 11 A {"output": [1, 2]}
        ExecutionSucceeded 13
        """,
        f"{RECORDED}/scenarios/test_base_scenarios.snapshot.json",
        {"items": [1, 2]},
    ),
    "Map, no items": Row(
        map_of(plain(I=PASS)),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 0}
        MapStateSucceeded 3
        MapStateExited 3 A {"output": []}
        ExecutionSucceeded 5
        """,
        MEASURED,
        [],
    ),
    "Map, an iteration fails": Row(
        map_of(SECOND_FAILS, MaxConcurrency=1),
        """
        MapStateEntered 0 A
        MapStateStarted 2 {"length": 3}
        MapIterationStarted 3 A {"index": 0}
        ChoiceStateEntered 4 C
        ChoiceStateExited 5 C
        PassStateEntered 6 Ok
        PassStateExited 7 Ok
        MapIterationSucceeded 8 A {"index": 0}
        MapIterationStarted 8 A {"index": 1}
        ChoiceStateEntered 10 C
        ChoiceStateExited 11 C
        FailStateEntered 12 Bad
        MapIterationFailed 13 A {"index": 1}
        MapStateFailed 13
        ExecutionFailed 15 {"error": "E", "cause": "C"}
        """,
        MEASURED,
        [1, 2, 3],
    ),
    "Map, a task fails, the others are aborted": Row(
        map_of(
            plain(W={"Type": "Wait", "SecondsPath": "$.wait", "Next": "F"}, F=task("<function>"))
        ),
        """
        MapStateEntered 0 A
        MapStateStarted 2
        MapIterationStarted 3 A {"index": 0}
        WaitStateEntered 4 W
        MapIterationStarted 3 A {"index": 1}
        WaitStateEntered 6 W
        WaitStateExited 5 W
        TaskStateEntered 8 F
        LambdaFunctionScheduled 9
        LambdaFunctionStarted 10
        LambdaFunctionFailed 11
        MapIterationFailed 12 A {"index": 0}
        TaskStateAborted 12
        MapIterationAborted 12 A {"index": 1}
        WaitStateAborted 12
        MapStateFailed 12
        ExecutionFailed 17 {"error": "ValueError"}
        """,
        f"{RECORDED}/timeouts/test_timeouts.snapshot.json",
        [{"wait": 1, "fail": "no"}, {"wait": 30}],
        any_order=True,
    ),
    "Map, caught": Row(
        map_of(plain(Bad=FAIL), Catch=[{"ErrorEquals": ["E"], "Next": "X"}]),
        """
        MapStateEntered 0 A
        MapStateStarted 2
        MapIterationStarted 3 A
        FailStateEntered 4 Bad
        MapIterationFailed 5 A
        MapStateFailed 5
        MapStateExited 7 A {"output": {"Error": "E", "Cause": "C"}}
        PassStateEntered 8 X
        PassStateExited 9 X
        ExecutionSucceeded 10
        """,
        f"{RECORDED}/scenarios/test_base_scenarios.snapshot.json",
        [1],
    ),
    # --- Distributed Map
    **{
        f"Distributed Map, {name}": Row(
            distributed(processor, **fields),
            f"""
            MapStateEntered 0 A
            MapStateStarted 2 {json.dumps({"length": length})}
            MapRunStarted 3
            MapRunSucceeded 4
            MapStateSucceeded 5
            MapStateExited 5 A {json.dumps(details)}
            ExecutionSucceeded 7
            """,
            source,
            [1, 2, 3],
        )
        for name, processor, fields, length, details, source in (
            (
                "all succeed",
                plain(I=PASS),
                {},
                3,
                {"output": [1, 2, 3]},
                f"{DG}/state-map-distributed.html",
            ),
            (
                "a batch at a time",
                plain(I=PASS),
                {"ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"k.$": "$[0]"}}},
                3,
                {
                    "output": [
                        {"BatchInput": {"k": 1}, "Items": [1, 2]},
                        {"BatchInput": {"k": 1}, "Items": [3]},
                    ]
                },
                f"{DG}/input-output-itembatcher.html",
            ),
            (
                "a failure tolerated by percentage",
                SECOND_FAILS,
                {"ToleratedFailurePercentage": 50},
                3,
                ONE_FAILED,
                f"{DG}/input-output-resultwriter.html",
            ),
            (
                "a failure tolerated by count",
                SECOND_FAILS,
                {"ToleratedFailureCount": 1},
                3,
                ONE_FAILED,
                f"{DG}/input-output-resultwriter.html",
            ),
            (
                "items from JSON in S3",
                plain(I=PASS),
                {"ItemReader": reader("in/list.json", InputType="JSON")},
                0,
                {"output": [{"n": 1}, {"n": 2}]},
                f"{DG}/input-output-itemreader.html",
            ),
            (
                "items from CSV in S3",
                plain(I=PASS),
                {
                    "ItemReader": reader(
                        "in/list.csv", InputType="CSV", CSVHeaderLocation="FIRST_ROW"
                    )
                },
                0,
                {"output": [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]},
                f"{DG}/input-output-itemreader.html",
            ),
        )
    },
    **{
        f"Distributed Map, {name}": Row(
            distributed(SECOND_FAILS, **fields),
            f"""
            MapStateEntered 0 A
            MapStateStarted 2
            MapRunStarted 3
            MapRunFailed 4 {THRESHOLD}
            MapStateFailed 5
            ExecutionFailed 6 {THRESHOLD}
            """,
            f"{DG}/state-map-distributed.html#maprun-fail-threshold",
            [1, 2, 3],
        )
        for name, fields in (
            ("a failure", {}),
            ("more failures than tolerated", {"ToleratedFailurePercentage": 10}),
        )
    },
    "Distributed Map, nothing to read": Row(
        distributed(plain(I=PASS), ItemReader=reader("in/none", InputType="JSON")),
        """
        MapStateEntered 0 A
        MapStateStarted 2
        MapRunStarted 3
        MapRunFailed 4 {"error": "States.ItemReaderFailed"}
        MapStateFailed 5
        ExecutionFailed 6 {"error": "States.ItemReaderFailed"}
        """,
        f"{DG}/concepts-error-handling.html",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_history(name: str, lab: Laboratory, executions: dict[str, Future[str]]) -> None:
    check(ROWS[name], lab, executions[name].result())
