"""Names of functions: what is none makes no folder, whichever way it comes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers import laboratory
from helpers.localaws.names import refusal
from helpers.session import Session
from tests.localaws.stackbook import Stacks

CODE = "def lambda_handler(event, context): return event\n"
PATTERN = "Member must satisfy regular expression pattern: (arn:"
LONG = "Member must have length less than or equal to"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../../x", f"Value '../../x' at 'functionName' failed to satisfy constraint: {PATTERN}"),
        ("a/b", PATTERN),
        ("a.b", PATTERN),
        ("a\n", PATTERN),
        ("é", PATTERN),
        ("arn:aws:lambda:us-east-1:000000000001:function:../x", PATTERN),
        ("a" * 65, f"{LONG} 64"),
        (f"000000000001:function:{'a' * 140}", f"{LONG} 140"),
        ("/" * 65, f"2 validation errors detected: Value '{'/' * 65}' at 'functionName'"),
    ],
)
def test_what_is_no_name_is_refused_in_aws_s_words(name: str, words: str) -> None:
    """The words: https://github.com/aws-samples/aws-cdk-examples/pull/88"""
    assert words in refusal(name)


@pytest.mark.parametrize(
    "name",
    [
        "a-B_1",
        "a" * 64,
        "function:a",
        "000000000001:function:a",
        "arn:aws:lambda:us-east-1:000000000001:function:a",
    ],
)
def test_a_name_may_be_an_arn_or_a_part_of_one(name: str) -> None:
    assert refusal(name) is None


def test_no_call_makes_a_function_of_another_name(aws: Session) -> None:
    create = aws.client("lambda").create_function
    with pytest.raises(ClientError, match="1 validation error detected: Value") as no:
        create(
            FunctionName="../../x",
            Runtime=laboratory.RUNTIME,
            Role=laboratory.role(aws),
            Handler="app.lambda_handler",
            Code={"ZipFile": laboratory._archive(CODE)},
        )
    assert no.value.response["Error"]["Code"] == "ValidationException"


def test_no_stack_makes_a_function_of_another_name(aws: Session) -> None:
    def function(name: str) -> dict[str, Any]:
        properties = {
            "FunctionName": name,
            "Runtime": laboratory.RUNTIME,
            "Role": laboratory.role(aws),
            "Handler": "index.lambda_handler",
            "Code": {"ZipFile": CODE},
        }
        return {"F": {"Type": "AWS::Lambda::Function", "Properties": properties}}

    stacks = Stacks(aws, "")
    refused = stacks.begin(function("../../x"))
    made = stacks.create(function("named"))
    assert stacks.settled(refused) == "ROLLBACK_COMPLETE"
    assert stacks.update(made, function("../named")) == "UPDATE_ROLLBACK_COMPLETE"
    for each in (refused, made):
        assert "' at 'functionName' failed to satisfy" in stacks.failure(each, "F")
        assert stacks.delete(each) == "DELETE_COMPLETE"
