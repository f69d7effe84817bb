"""What AWS's documentation teaches runs: functions, paths, variables, and whole definitions.

The values of the functions are the documentation's own; the definitions are written here, in the
shape that the page beside them teaches.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.localaws.laboratory import DG, Document, Laboratory, machine, task

PASS = {"Type": "Pass", "End": True}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Example:
    """A definition, its input, and its output or path."""

    source: str
    definition: Document
    input: Any = None
    output: Any = None
    path: str = ""  # the names of the states entered, where the output does not tell
    error: str = ""


def _plain(**states: Document) -> Document:
    """A machine inside another: it has no QueryLanguage of its own."""
    return {"StartAt": next(iter(states)), "States": states}


# --- intrinsic functions -----------------------------------------------------------------

# https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
INTRINSICS = {
    "States.Array($.Id)": ({"Id": 123456}, [123456]),
    "States.ArrayPartition($.inputArray, 4)": (
        {"inputArray": [1, 2, 3, 4, 5, 6, 7, 8, 9]},
        [[1, 2, 3, 4], [5, 6, 7, 8], [9]],
    ),
    "States.ArrayContains($.inputArray, $.lookingFor)": (
        {"inputArray": [1, 2, 3, 4, 5, 6, 7, 8, 9], "lookingFor": 5},
        True,
    ),
    "States.ArrayRange(1, 9, 2)": ({}, [1, 3, 5, 7, 9]),
    "States.ArrayGetItem($.inputArray, $.index)": (
        {"inputArray": [1, 2, 3, 4, 5, 6, 7, 8, 9], "index": 5},
        6,
    ),
    "States.ArrayLength($.inputArray)": ({"inputArray": [1, 2, 3, 4, 5, 6, 7, 8, 9]}, 9),
    "States.ArrayUnique($.inputArray)": (
        {"inputArray": [1, 2, 3, 3, 3, 3, 3, 3, 4]},
        [1, 2, 3, 4],
    ),
    "States.Base64Encode($.input)": ({"input": "Data to encode"}, "RGF0YSB0byBlbmNvZGU="),
    "States.Base64Decode($.base64)": (
        {"base64": "RGF0YSB0byBlbmNvZGU="},
        "Data to encode",
    ),
    "States.Hash($.Data, $.Algorithm)": (
        {"Data": "input data", "Algorithm": "SHA-1"},
        "aaff4a450a104cd177d28d18d74485e8cae074b7",
    ),
    "States.JsonMerge($.json1, $.json2, false)": (
        {"json1": {"a": {"a1": 1, "a2": 2}, "b": 2}, "json2": {"a": {"a3": 1, "a4": 2}, "c": 3}},
        {"a": {"a3": 1, "a4": 2}, "b": 2, "c": 3},
    ),
    "States.StringToJson($.escapedJsonString)": (
        {"escapedJsonString": '{"foo": "bar"}'},
        {"foo": "bar"},
    ),
    "States.JsonToString($.unescapedJson)": (
        {"unescapedJson": {"foo": "bar"}},
        '{"foo":"bar"}',
    ),
    "States.MathAdd($.value1, $.step)": ({"value1": 111, "step": -1}, 110),
    "States.StringSplit($.inputString, $.splitter)": (
        {"inputString": "1,2,3,4,5", "splitter": ","},
        ["1", "2", "3", "4", "5"],
    ),
    "States.Format('Hello, my name is {}.', $.name)": (
        {"name": "Arnav"},
        "Hello, my name is Arnav.",
    ),
    "States.Format($.template, $.name)": (
        {"name": "Arnav", "template": "Hello, my name is {}."},
        "Hello, my name is Arnav.",
    ),
    # nested, as deep as the page shows
    "States.Format('{}.{}.{}', States.ArrayGetItem(States.StringSplit(States.ArrayGetItem("
    "States.StringSplit($.Arn, '/'), 2), '.'), 0), States.ArrayGetItem(States.StringSplit("
    "States.ArrayGetItem(States.StringSplit($.Arn, '/'), 2), '.'), 1), 'x')": (
        {"Arn": "arn/image/1.2.3"},
        "1.2.x",
    ),
    # what must be escaped: the quote, the braces, the backslash
    r"States.Format('it\'s \{{}\} \\', $.n)": ({"n": 1}, "it's {1} \\"),
    "States.Format('two\nlines and \"quotes\": {}', $.n)": (
        {"n": "é"},
        'two\nlines and "quotes": é',
    ),
}

# --- JSONPath ----------------------------------------------------------------------------

ORDER = {"order": {"id": 7, "lines": [{"price": 1}, {"price": 2}]}, "who": "me"}
PATHS: dict[str, tuple[Document, Any]] = {
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-inputpath-params.html
    "InputPath": ({"InputPath": "$.order"}, ORDER["order"]),
    "InputPath null": ({"InputPath": None}, {}),
    "Parameters": (
        {"Parameters": {"fixed": 1, "id.$": "$.order.id", "deep": {"who.$": "$.who"}}},
        {"fixed": 1, "id": 7, "deep": {"who": "me"}},
    ),
    "Parameters, all of an array": (
        {"Parameters": {"prices.$": "$.order.lines[*].price"}},
        {"prices": [1, 2]},
    ),
    "Parameters, a slice": ({"Parameters": {"l.$": "$.order.lines[0:1]"}}, {"l": [{"price": 1}]}),
    "Parameters, a filter": (
        {"Parameters": {"l.$": "$.order.lines[?(@.price > 1)]"}},
        {"l": [{"price": 2}]},
    ),
    "Parameters, a field of an element": (
        {"Parameters": {"p.$": "$.order.lines[1].price"}},
        {"p": 2},
    ),
    "Parameters, nothing matches a filter": (
        {"Parameters": {"l.$": "$.order.lines[?(@.price > 9)]"}},
        {"l": []},
    ),
    "Parameters, past the end": ({"Parameters": {"l.$": "$.order.lines[5]"}}, {"l": None}),
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultpath.html
    "ResultPath": (
        {"Result": 1, "ResultPath": "$.order.total", "OutputPath": "$.order.total"},
        1,
    ),
    "ResultPath null": ({"Result": 1, "ResultPath": None}, ORDER),
    "ResultPath, made on the way": (
        {"Result": 1, "ResultPath": "$.a.b", "OutputPath": "$.a"},
        {"b": 1},
    ),
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-example.html
    "OutputPath": ({"OutputPath": "$.order.lines[1]"}, {"price": 2}),
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
    "the context object": (
        {
            "Parameters": {
                "state.$": "$$.State.Name",
                "input.$": "$$.Execution.Input.who",
                "role.$": "$$.Execution.RoleArn",
            }
        },
        {"state": "A", "input": "me", "role": "<role>"},
    ),
    "the context object, before a redrive": (
        {"Parameters": {"times.$": "$$.Execution.RedriveCount"}},
        {"times": 0},
    ),
    "the context object, in a function": (
        {"Parameters": {"text.$": "States.Format('in {}', $$.State.Name)"}},
        {"text": "in A"},
    ),
}

# --- JSONata -----------------------------------------------------------------------------

# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
EXPRESSIONS = {
    "$partition([1,2,3,4,5,6,7,8,9], 4)": [[1, 2, 3, 4], [5, 6, 7, 8], [9]],
    "$range(1, 9, 2)": [1, 3, 5, 7, 9],
    "$range(10, 0, -5)": [10, 5, 0],
    "$hash('input data', 'SHA-1')": "aaff4a450a104cd177d28d18d74485e8cae074b7",
    "$hash('', 'MD5')": "d41d8cd98f00b204e9800998ecf8427e",
    "$random(7) = $random(7)": True,
    "$random() < 1": True,
    "$length($uuid())": 36,
    """$parse('{"foo": "bar"}')""": {"foo": "bar"},
    "$states.input.order.id + 1": 8,
    "$sum($states.input.order.lines.price)": 3,
    "$states.input.order.lines[price > 1].price": 2,
    "$map($states.input.order.lines, function($l) { $l.price * 2 })": [2, 4],
    "($rate := 0.5; $states.input.order.id * $rate)": 3.5,
    "$states.context.State.Name": "A",
    "$states.context.Execution.Input.who": "me",
    "'Hello, ' & $states.input.who": "Hello, me",
    "$exists($states.input.nothing)": False,
    "null": None,
    "$states.input.order.lines ~> $count()": 2,
}


def _jsonpath(**fields: Any) -> Document:
    return machine(A={"Type": "Pass", **fields, "End": True})


def _jsonata(expression: str) -> Document:
    return machine("JSONata", A={"Type": "Pass", "Output": "{% " + expression + " %}", "End": True})


# --- definitions -------------------------------------------------------------------------

WAIT = {"Type": "Wait", "Seconds": 1}
NUMBERS = {"numbers": [3, 1, 2]}


def _choice(rule: Document) -> Document:
    return machine(
        A={"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"},
        Yes=PASS,
        No=PASS,
    )


RULES: list[tuple[Document, Any, bool]] = [
    ({"Variable": "$.v", "StringEquals": "a"}, "a", True),
    ({"Variable": "$.v", "StringMatches": "log-*.txt"}, "log-1.txt", True),
    ({"Variable": "$.v", "StringLessThanPath": "$.w"}, "a", True),
    ({"Variable": "$.v", "NumericGreaterThanEquals": 20}, 20, True),
    ({"Variable": "$.v", "NumericLessThan": 20}, 20, False),
    ({"Variable": "$.v", "BooleanEquals": True}, False, False),
    (
        {"Variable": "$.v", "TimestampLessThan": "2030-01-01T00:00:00Z"},
        "2020-01-01T00:00:00Z",
        True,
    ),
    ({"Variable": "$.v", "IsNull": True}, None, True),
    ({"Variable": "$.none", "IsPresent": False}, 1, True),
    ({"Variable": "$.v", "IsTimestamp": True}, "no", False),
    ({"Not": {"Variable": "$.v", "StringEquals": "Private"}}, "Public", True),
    (
        {
            "And": [
                {"Variable": "$.v", "NumericGreaterThan": 1},
                {
                    "Or": [
                        {"Variable": "$.v", "NumericEquals": 2},
                        {"Variable": "$.v", "IsNull": True},
                    ]
                },
            ]
        },
        2,
        True,
    ),
]

DEFINITIONS = {
    "a greeting": Example(
        f"{DG}/getting-started.html",
        machine(
            Start={"Type": "Pass", "Result": {"greeting": "hello"}, "Next": "Wait"},
            Wait={**WAIT, "Next": "End"},
            End={"Type": "Succeed"},
        ),
        output={"greeting": "hello"},
    ),
    "a result among the input": Example(
        f"{DG}/state-pass.html",
        machine(A={"Type": "Pass", "Result": {"x": 0.381}, "ResultPath": "$.coords", "End": True}),
        {"georefOf": "Home"},
        {"georefOf": "Home", "coords": {"x": 0.381}},
    ),
    "a function's answer, selected": Example(
        f"{DG}/input-output-inputpath-params.html#input-output-resultselector",
        machine(
            A=task(
                "arn:aws:states:::lambda:invoke",
                Parameters={"FunctionName": "<function>", "Payload.$": "$"},
                ResultSelector={"answer.$": "$.Payload.answer", "code.$": "$.StatusCode"},
                ResultPath="$.result",
            )
        ),
        {"answer": 42},
        {"answer": 42, "result": {"answer": 42, "code": 200}},
    ),
    "a function, its answer only": Example(
        f"{DG}/connect-lambda.html",
        machine(
            A=task(
                "arn:aws:states:::lambda:invoke",
                Parameters={"FunctionName": "<function>", "Payload.$": "$"},
                OutputPath="$.Payload",
            )
        ),
        {"answer": 42},
        {"answer": 42},
    ),
    "a message": Example(
        f"{DG}/connect-sns.html",
        machine(
            A=task(
                "arn:aws:states:::sns:publish",
                Parameters={"TopicArn": "<topic>", "Message.$": "$.text", "Subject": "s"},
                ResultPath=None,
            )
        ),
        {"text": "hello"},
        {"text": "hello"},
    ),
    "a call of the SDK": Example(
        f"{DG}/supported-services-awssdk.html",
        machine(
            A=task(
                "arn:aws:states:::aws-sdk:s3:listObjectsV2",
                Parameters={"Bucket": "laboratory", "Prefix": "in/"},
                ResultSelector={"keys.$": "$.Contents[*].Key"},
            )
        ),
        output={"keys": ["in/list.csv", "in/list.json"]},
    ),
    "an object's text": Example(
        f"{DG}/supported-services-awssdk.html",
        machine(
            A=task(
                "arn:aws:states:::aws-sdk:s3:getObject",
                Parameters={"Bucket": "laboratory", "Key": "in/list.json"},
                ResultSelector={"list.$": "States.StringToJson($.Body)"},
            )
        ),
        output={"list": [{"n": 1}, {"n": 2}]},
    ),
    "a choice by type and number": Example(
        f"{DG}/state-choice.html",
        machine(
            A={
                "Type": "Choice",
                "Choices": [
                    {"Not": {"Variable": "$.type", "StringEquals": "Private"}, "Next": "Public"},
                    {"Variable": "$.value", "NumericEquals": 0, "Next": "ValueIsZero"},
                    {
                        "And": [
                            {"Variable": "$.value", "NumericGreaterThanEquals": 20},
                            {"Variable": "$.value", "NumericLessThan": 30},
                        ],
                        "Next": "ValueInTwenties",
                    },
                ],
                "Default": "Other",
            },
            Public=PASS,
            ValueIsZero=PASS,
            ValueInTwenties=PASS,
            Other=PASS,
        ),
        {"type": "Private", "value": 22},
        path="A ValueInTwenties",
    ),
    "a loop that counts": Example(
        f"{DG}/tutorial-create-iterate-pattern-section.html",
        machine(
            Configure={"Type": "Pass", "Result": {"index": 0, "count": 3}, "Next": "More"},
            More={
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.index", "NumericLessThanPath": "$.count", "Next": "Step"}
                ],
                "Default": "Done",
            },
            Step={
                "Type": "Pass",
                "Parameters": {"index.$": "States.MathAdd($.index, 1)", "count.$": "$.count"},
                "Next": "More",
            },
            Done={"Type": "Succeed"},
        ),
        output={"index": 3, "count": 3},
    ),
    "a wait until a moment": Example(
        f"{DG}/state-wait.html",
        machine(A={"Type": "Wait", "TimestampPath": "$.at", "Next": "B"}, B={"Type": "Succeed"}),
        {"at": "2016-03-14T01:59:00Z"},
        {"at": "2016-03-14T01:59:00Z"},
    ),
    "an order that fails": Example(
        f"{DG}/state-fail.html",
        machine(A={"Type": "Fail", "Cause": "Invalid response.", "Error": "ErrorA"}),
        error="ErrorA",
    ),
    "address and phone side by side": Example(
        f"{DG}/state-parallel.html",
        machine(
            Lookup={
                "Type": "Parallel",
                "Branches": [
                    _plain(Address={"Type": "Pass", "Result": "street", "End": True}),
                    _plain(Phone={"Type": "Pass", "Result": "555", "End": True}),
                ],
                "ResultSelector": {"address.$": "$[0]", "phone.$": "$[1]"},
                "ResultPath": "$.customer",
                "End": True,
            }
        ),
        {"id": 1},
        {"id": 1, "customer": {"address": "street", "phone": "555"}},
    ),
    "an error in a branch, caught": Example(
        f"{DG}/state-parallel.html",
        machine(
            A={
                "Type": "Parallel",
                "Branches": [_plain(F={"Type": "Fail", "Error": "E"}), _plain(P=PASS)],
                "Catch": [{"ErrorEquals": ["E"], "ResultPath": "$.error", "Next": "B"}],
                "End": True,
            },
            B={"Type": "Pass", "OutputPath": "$.error.Error", "End": True},
        ),
        output="E",
    ),
    "each parcel": Example(
        f"{DG}/state-map-inline.html",
        machine(
            A={
                "Type": "Map",
                "ItemsPath": "$.shipped",
                "MaxConcurrency": 0,
                "ItemSelector": {
                    "parcel.$": "$$.Map.Item.Value",
                    "number.$": "$$.Map.Item.Index",
                    "courier.$": "$.courier",
                },
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **_plain(P=PASS)},
                "ResultPath": "$.result",
                "OutputPath": "$.result[1]",
                "End": True,
            }
        ),
        {"courier": "UQS", "shipped": ["R31", "S39"]},
        {"parcel": "S39", "number": 1, "courier": "UQS"},
    ),
    "each item, in the old words": Example(
        f"{DG}/state-map-inline.html",
        machine(
            A={
                "Type": "Map",
                "Parameters": {"v.$": "$$.Map.Item.Value"},
                "Iterator": _plain(P={"Type": "Pass", "OutputPath": "$.v", "End": True}),
                "End": True,
            }
        ),
        [1, 2],
        [1, 2],
    ),
    "a map in a map": Example(
        f"{DG}/state-map.html",
        machine(
            A={
                "Type": "Map",
                "ItemProcessor": _plain(
                    B={
                        "Type": "Map",
                        "ItemProcessor": _plain(
                            C={
                                "Type": "Pass",
                                "Parameters": {"n.$": "States.MathAdd($, 1)"},
                                "OutputPath": "$.n",
                                "End": True,
                            }
                        ),
                        "End": True,
                    }
                ),
                "End": True,
            }
        ),
        [[1, 2], [3]],
        [[2, 3], [4]],
    ),
    "a list in S3, in batches": Example(
        f"{DG}/tutorial-map-distributed.html",
        machine(
            A={
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Parameters": {"Bucket": "laboratory", "Key": "in/list.json"},
                },
                "ItemBatcher": {"MaxItemsPerBatchPath": "$.most", "BatchInput": {"a.$": "$.a"}},
                "ItemSelector": {"n.$": "$$.Map.Item.Value.n", "a.$": "$.a"},
                "ToleratedFailurePercentage": 5,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                    **_plain(P=PASS),
                },
                "End": True,
            }
        ),
        {"most": 5, "a": 9},
        [{"BatchInput": {"a": 9}, "Items": [{"n": 1, "a": 9}, {"n": 2, "a": 9}]}],
    ),
    "the objects of a bucket": Example(
        f"{DG}/input-output-itemreader.html",
        machine(
            A={
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:listObjectsV2",
                    "Parameters": {"Bucket": "laboratory", "Prefix": "in/"},
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **_plain(P={"Type": "Pass", "OutputPath": "$.Key", "End": True}),
                },
                "End": True,
            }
        ),
        output=["in/list.csv", "in/list.json"],
    ),
    "results into a bucket": Example(
        f"{DG}/input-output-resultwriter.html",
        machine(
            A={
                "Type": "Map",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **_plain(P=PASS),
                },
                "ResultWriter": {
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": "laboratory", "Prefix": "out"},
                },
                "ResultSelector": {"key.$": "$.ResultWriterDetails.Key"},
                "Next": "Read",
            },
            Read=task(
                "arn:aws:states:::aws-sdk:s3:getObject",
                Parameters={"Bucket": "laboratory", "Key.$": "$.key"},
                ResultSelector={"manifest.$": "States.StringToJson($.Body)"},
                OutputPath="$.manifest.ResultFiles",
                Next="First",
            ),
            First=task(
                "arn:aws:states:::aws-sdk:s3:getObject",
                Parameters={"Bucket": "laboratory", "Key.$": "$.SUCCEEDED[0].Key"},
                ResultSelector={"files.$": "States.StringToJson($.Body)"},
                OutputPath="$.files[*].Output",
            ),
        ),
        [1, 2],
        ["1", "2"],
    ),
    "tried again, then a way out": Example(
        f"{DG}/concepts-error-handling.html",
        machine(
            A=task(
                "<function>",
                Retry=[
                    {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0},
                    {"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 1},
                ],
                Catch=[
                    {"ErrorEquals": ["TypeError"], "Next": "Never"},
                    {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Out"},
                ],
            ),
            Never=PASS,
            Out={"Type": "Pass", "OutputPath": "$.error.Error", "End": True},
        ),
        {"fail": "no"},
        "ValueError",
    ),
    "too slow": Example(
        f"{DG}/tutorial-handling-error-conditions.html",
        machine(
            A=task(
                "<function>",
                TimeoutSeconds=1,
                Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "B"}],
            ),
            B={"Type": "Pass", "OutputPath": "$.Error", "End": True},
        ),
        {"sleep": 4},
        "States.Timeout",
    ),
    "another machine, awaited": Example(
        f"{DG}/connect-stepfunctions.html",
        machine(
            A=task(
                "arn:aws:states:::states:startExecution.sync:2",
                Parameters={
                    "StateMachineArn": "<child>",
                    "Input": {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id"},
                },
                OutputPath="$.Output",
            )
        ),
        output={"k": 1},
    ),
    "variables in JSONPath": Example(
        f"{DG}/workflow-variables.html",
        machine(
            A={"Type": "Pass", "Assign": {"product.$": "$.name", "stock": 7}, "Next": "B"},
            B={
                "Type": "Pass",
                "Parameters": {"text.$": "States.Format('{} {}', $stock, $product)"},
                "End": True,
            },
        ),
        {"name": "pens"},
        {"text": "7 pens"},
    ),
    "variables and their scope": Example(
        f"{DG}/workflow-variables.html",
        machine(
            "JSONata",
            A={"Type": "Pass", "Assign": {"a": 1, "list": [1, 2]}, "Next": "B"},
            B={
                "Type": "Parallel",
                "Branches": [
                    _plain(
                        C={"Type": "Pass", "Assign": {"b": "{% $a + 1 %}"}, "Next": "D"},
                        D={"Type": "Pass", "Output": "{% $b + $list[1] %}", "End": True},
                    )
                ],
                "Assign": {"a": "{% $states.result[0] %}"},
                "Next": "E",
            },
            E={"Type": "Pass", "Output": "{% $a %}", "End": True},
        ),
        output=4,
    ),
    "values before they are assigned": Example(
        f"{DG}/workflow-variables.html",
        machine(
            "JSONata",
            A={"Type": "Pass", "Assign": {"x": 3, "a": 6}, "Next": "B"},
            B={"Type": "Pass", "Assign": {"x": "{% $a %}", "nextX": "{% $x %}"}, "Next": "C"},
            C={"Type": "Pass", "Output": "{% [$x, $nextX] %}", "End": True},
        ),
        output=[6, 3],
    ),
    "a task in JSONata": Example(
        f"{DG}/transforming-data.html",
        machine(
            "JSONata",
            A=task(
                "arn:aws:states:::lambda:invoke",
                Arguments={
                    "FunctionName": "<function>",
                    "Payload": {"total": "{% $sum($states.input.numbers) %}"},
                },
                Assign={"seen": "{% $states.result.Payload.total %}"},
                Output="{% $states.result.Payload %}",
                Next="B",
            ),
            B={"Type": "Pass", "Output": {"was": "{% $seen %}"}, "End": True},
        ),
        NUMBERS,
        {"was": 6},
    ),
    "a choice in JSONata": Example(
        f"{DG}/state-choice.html",
        machine(
            "JSONata",
            A={
                "Type": "Choice",
                "Choices": [
                    {"Condition": "{% $states.input.age > 64 %}", "Next": "B"},
                    {
                        "Condition": "{% $states.input.age >= 18 %}",
                        "Assign": {"fee": 5},
                        "Output": "{% $states.input.name %}",
                        "Next": "C",
                    },
                ],
                "Default": "B",
            },
            B=PASS,
            C={"Type": "Pass", "Output": "{% $states.input & ' pays ' & $fee %}", "End": True},
        ),
        {"age": 40, "name": "Ana"},
        "Ana pays 5",
    ),
    "a wait in JSONata": Example(
        f"{DG}/state-wait.html",
        machine(
            "JSONata",
            A={"Type": "Wait", "Seconds": "{% $states.input.s %}", "Output": "waited", "End": True},
        ),
        {"s": 1},
        "waited",
    ),
    "a failure in JSONata": Example(
        f"{DG}/state-fail.html",
        machine(
            "JSONata",
            A={"Type": "Fail", "Error": "{% 'E' & $states.input.n %}", "Cause": "c"},
        ),
        {"n": 1},
        error="E1",
    ),
    "a success in JSONata": Example(
        f"{DG}/state-succeed.html",
        machine(
            "JSONata", A={"Type": "Succeed", "Output": "{% $reverse($states.input.numbers) %}"}
        ),
        NUMBERS,
        [2, 1, 3],
    ),
    "a map in JSONata": Example(
        f"{DG}/state-map-inline.html",
        machine(
            "JSONata",
            A={
                "Type": "Map",
                "Items": "{% $sort($states.input.numbers) %}",
                "ItemSelector": {
                    "n": "{% $states.context.Map.Item.Value %}",
                    "of": "{% $count($states.input.numbers) %}",
                },
                "ItemProcessor": _plain(
                    P={
                        "Type": "Pass",
                        "Output": "{% $states.input.n & '/' & $states.input.of %}",
                        "End": True,
                    }
                ),
                "Output": "{% $join($states.result, ' ') %}",
                "End": True,
            },
        ),
        NUMBERS,
        "1/3 2/3 3/3",
    ),
    "an error in JSONata, caught": Example(
        f"{DG}/concepts-error-handling.html",
        machine(
            "JSONata",
            A=task(
                "<function>",
                Arguments="{% $states.input %}",
                Catch=[
                    {
                        "ErrorEquals": ["States.ALL"],
                        "Assign": {"error": "{% $states.errorOutput.Error %}"},
                        "Output": "{% $parse($states.errorOutput.Cause).errorMessage %}",
                        "Next": "B",
                    }
                ],
            ),
            B={"Type": "Pass", "Output": "{% $error & ': ' & $states.input %}", "End": True},
        ),
        {"fail": 'not "now"'},
        'ValueError: not "now"',
    ),
    "both languages": Example(
        f"{DG}/transforming-data.html",
        machine(
            A={"Type": "Pass", "Parameters": {"n.$": "States.ArrayLength($.numbers)"}, "Next": "B"},
            B={
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Output": {"double": "{% $states.input.n * 2 %}"},
                "End": True,
            },
        ),
        NUMBERS,
        {"double": 6},
    ),
    # "the default query language for each state inside ... is the state machine's"
    "a language that is not the branches'": Example(
        "https://states-language.net/spec.html",
        machine(
            A={
                "Type": "Parallel",
                "QueryLanguage": "JSONata",
                "Branches": [_plain(P={"Type": "Pass", "InputPath": "$.age", "End": True})],
                "Output": "{% $states.result[0] + 1 %}",
                "End": True,
            },
        ),
        {"age": 40},
        41,
    ),
    "a distributed map in JSONata": Example(
        f"{DG}/state-map-distributed.html",
        machine(
            "JSONata",
            A={
                "Type": "Map",
                "Items": "{% $states.input.numbers %}",
                "ItemBatcher": {"MaxItemsPerBatch": "{% 1 + 1 %}"},
                "ToleratedFailureCount": "{% 1 %}",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **_plain(
                        P={"Type": "Pass", "Output": "{% $sum($states.input.Items) %}", "End": True}
                    ),
                },
                "End": True,
            },
        ),
        NUMBERS,
        [4, 2],
    ),
}

EXAMPLES = {
    **DEFINITIONS,
    **{
        name: Example(
            f"{DG}/intrinsic-functions.html",
            _jsonpath(Parameters={"v.$": name}, OutputPath="$.v"),
            value,
            output,
        )
        for name, (value, output) in INTRINSICS.items()
    },
    **{
        name: Example(f"{DG}/concepts-input-output-filtering.html", _jsonpath(**fields), ORDER, out)
        for name, (fields, out) in PATHS.items()
    },
    **{
        f"{number} {' '.join(rule)}": Example(
            f"{DG}/state-choice.html",
            _choice(rule),
            {"v": value, "w": "b"},
            path=f"A {'Yes' if outcome else 'No'}",
        )
        for number, (rule, value, outcome) in enumerate(RULES)
    },
    **{
        name: Example(f"{DG}/transforming-data.html", _jsonata(name), ORDER, output)
        for name, output in EXPRESSIONS.items()
    },
}


@pytest.fixture(scope="module")
def executions(lab: Laboratory) -> Iterator[dict[str, Future[str]]]:
    numbers = itertools.count()

    def run(example: Example) -> str:
        value = {} if example.input is None else example.input
        return lab.start(example.definition, value, f"example{next(numbers)}")

    with ThreadPoolExecutor(8) as pool:
        yield {name: pool.submit(run, each) for name, each in EXAMPLES.items()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, lab: Laboratory, executions: dict[str, Future[str]]) -> None:
    example = EXAMPLES[name]
    if example.path:
        events = lab.history(executions[name].result())
        entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in events]
        assert [name for name in entered if name] == example.path.split(), example.source
    elif example.error:
        end, error, _ = lab.output(executions[name].result())
        assert (end, error) == ("ExecutionFailed", example.error), example.source
    else:
        wanted = json.loads(lab.filled(json.dumps(example.output)))
        assert lab.output(executions[name].result()) == wanted, example.source


def test_there_are_thirty_definitions_and_every_state_type() -> None:
    assert len(DEFINITIONS) >= 30
    states = [
        state for each in DEFINITIONS.values() for state in each.definition["States"].values()
    ]
    types = {state["Type"] for state in states}
    assert types == {"Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}


def test_a_uuid_and_a_random_number(lab: Laboratory) -> None:
    # https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
    parameters = {"u.$": "States.UUID()", "r.$": "States.MathRandom(1, 999)"}
    made = lab.output(lab.start(_jsonpath(Parameters=parameters), {}, "random"))
    assert UUID.fullmatch(made["u"])
    assert 1 <= made["r"] <= 999
    assert UUID.fullmatch(lab.output(lab.start(_jsonata("$uuid()"), {}, "uuid")))
