"""What the states API refuses, with AWS's errors; each operation's page lists them.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_<operation>.html
"""

from __future__ import annotations

import json

import pytest

from tests.localaws.lessons import (
    NEW,
    STATES,
    TEXT,
    Lesson,
    Object,
)

NOWHERE = f"{STATES}:stateMachine:nowhere"
RUN = f"{STATES}:execution:nowhere:run"
WORK = f"{STATES}:activity:nowhere"

REFUSED: list[tuple[str, Object, str, str]] = [
    # operation, arguments, code, words of the message
    ("create_state_machine", {**NEW, "name": "a b"}, "InvalidName", "Invalid Name: 'a b'"),
    ("create_state_machine", {**NEW, "name": "a*"}, "InvalidName", "Invalid Name: 'a*'"),
    (
        "create_state_machine",
        {**NEW, "name": "a" * 81},
        "ValidationException",
        f"1 validation error detected: Value '{'a' * 81}' at 'name' failed to satisfy constraint: "
        "Member must have length less than or equal to 80",
    ),
    (
        "create_state_machine",
        {"name": "a"},
        "ValidationException",
        "2 validation errors detected: Value null at 'definition' failed to satisfy constraint: "
        "Member must not be null; Value null at 'roleArn' failed",
    ),
    (
        "create_state_machine",
        {**NEW, "name": "a", "type": "FAST"},
        "ValidationException",
        "Member must satisfy enum value set: [STANDARD, EXPRESS]",
    ),
    ("create_state_machine", {**NEW, "name": "a", "roleArn": "me"}, "InvalidArn", "'me'"),
    ("create_state_machine", {**NEW, "name": "a", "definition": "{"}, "InvalidDefinition", "JSON"),
    (
        "create_state_machine",
        {**NEW, "name": "a", "tags": [{"key": f"k{n}", "value": ""} for n in range(51)]},
        "TooManyTags",
        "50",
    ),
    (
        "create_state_machine",
        {**NEW, "name": 7},
        "SerializationException",
        "NUMBER_VALUE can not be converted to a String",
    ),
    ("update_state_machine", {"stateMachineArn": NOWHERE}, "MissingRequiredParameter", ""),
    (
        "update_state_machine",
        {"stateMachineArn": NOWHERE, "definition": TEXT},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{NOWHERE}'",
    ),
    (
        "update_state_machine",
        {"stateMachineArn": "nothing", "definition": TEXT},
        "InvalidArn",
        "Invalid Arn: 'Invalid ARN prefix: nothing'",
    ),
    (
        "describe_state_machine",
        {"stateMachineArn": NOWHERE},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{NOWHERE}'",
    ),
    (
        "describe_state_machine",
        {"stateMachineArn": WORK},
        "InvalidArn",
        "Invalid Arn: 'Resource type not valid in this context: activity'",
    ),
    ("delete_state_machine", {"stateMachineArn": "x"}, "InvalidArn", "Invalid ARN prefix: x"),
    ("list_state_machines", {"nextToken": "x"}, "InvalidToken", "Invalid Token: 'Invalid token'"),
    (
        "list_state_machines",
        {"maxResults": 1001},
        "ValidationException",
        "Member must have value less than or equal to 1000",
    ),
    ("list_activities", {"nextToken": "x"}, "InvalidToken", "Invalid token"),
    ("list_executions", {}, "ValidationException", "stateMachineArn"),
    ("list_executions", {"stateMachineArn": NOWHERE}, "StateMachineDoesNotExist", NOWHERE),
    ("list_executions", {"mapRunArn": f"{STATES}:mapRun:m/l:x"}, "ResourceNotFound", "Map Run"),
    (
        "list_executions",
        {"stateMachineArn": NOWHERE, "statusFilter": "DONE"},
        "ValidationException",
        "enum value set",
    ),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{NOWHERE}'",
    ),
    ("start_execution", {"stateMachineArn": RUN}, "InvalidArn", "not valid in this context"),
    ("start_execution", {"stateMachineArn": NOWHERE, "name": "a:b"}, "InvalidName", "'a:b'"),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE, "name": "a" * 81},
        "ValidationException",
        "length less than or equal to 80",
    ),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE, "input": "{no"},
        "InvalidExecutionInput",
        "Invalid State Machine Execution Input: '",
    ),
    (
        "start_execution",
        {"stateMachineArn": NOWHERE, "input": json.dumps("a" * 262_144)},
        "ValidationException",
        "Value at 'input' failed to satisfy constraint: "
        "Member must have length less than or equal to 262144",
    ),
    (
        "start_execution",
        # 262,144 is a number of bytes in UTF-8, and these are two each
        {"stateMachineArn": NOWHERE, "input": json.dumps("é" * 140_000, ensure_ascii=False)},
        "InvalidExecutionInput",
        "262144",
    ),
    ("start_sync_execution", {"stateMachineArn": NOWHERE}, "StateMachineDoesNotExist", NOWHERE),
    (
        "stop_execution",
        {"executionArn": RUN},
        "ExecutionDoesNotExist",
        f"Execution Does Not Exist: '{RUN}'",
    ),
    ("describe_execution", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("describe_execution", {"executionArn": NOWHERE}, "InvalidArn", "statemachine"),
    ("get_execution_history", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("describe_state_machine_for_execution", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("redrive_execution", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("list_map_runs", {"executionArn": RUN}, "ExecutionDoesNotExist", RUN),
    ("create_activity", {"name": "a?"}, "InvalidName", "Invalid Name: 'a?'"),
    ("describe_activity", {"activityArn": WORK}, "ActivityDoesNotExist", WORK),
    ("describe_activity", {"activityArn": NOWHERE}, "InvalidArn", "statemachine"),
    ("delete_activity", {"activityArn": "x"}, "InvalidArn", "x"),
    ("get_activity_task", {"activityArn": WORK}, "ActivityDoesNotExist", WORK),
    ("send_task_success", {"taskToken": "x", "output": "{}"}, "InvalidToken", "Invalid Token"),
    ("send_task_success", {"taskToken": "x", "output": "{"}, "InvalidOutput", "Invalid output"),
    (
        "send_task_success",
        {"taskToken": "x", "output": json.dumps("a" * 262_144)},
        "ValidationException",
        "Value at 'output' failed",
    ),
    ("send_task_failure", {"taskToken": "x"}, "InvalidToken", "Invalid Token"),
    (
        "send_task_failure",
        {"taskToken": "x", "error": "e" * 257},
        "ValidationException",
        "less than or equal to 256",
    ),
    ("send_task_heartbeat", {"taskToken": "x"}, "InvalidToken", "Invalid Token"),
    ("send_task_heartbeat", {}, "ValidationException", "Value null at 'taskToken'"),
    (
        "tag_resource",
        {"resourceArn": NOWHERE, "tags": [{"key": "a", "value": "b"}]},
        "ResourceNotFound",
        NOWHERE,
    ),
    ("untag_resource", {"resourceArn": NOWHERE, "tagKeys": ["a"]}, "ResourceNotFound", NOWHERE),
    ("list_tags_for_resource", {"resourceArn": RUN}, "InvalidArn", "execution"),
    ("list_state_machine_versions", {"stateMachineArn": "x"}, "InvalidArn", "x"),
    ("test_state", {"definition": "{"}, "InvalidDefinition", "INVALID_JSON_DESCRIPTION"),
    ("test_state", {"definition": '{"Type": "Wait"}'}, "InvalidDefinition", "Seconds"),
    (
        "test_state",
        {"definition": '{"Type": "Succeed"}', "input": "{"},
        "InvalidExecutionInput",
        "",
    ),
]


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "words"),
    REFUSED,
    ids=[f"{operation}-{code}-{n}" for n, (operation, _, code, _) in enumerate(REFUSED)],
)
def test_it_is_refused_as_on_aws(
    lesson: Lesson, operation: str, arguments: Object, code: str, words: str
) -> None:
    told, message = lesson.refused(operation, **arguments)
    assert told == code
    assert words in message
