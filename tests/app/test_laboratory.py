"""A learner's own machines: made again and again without harm, and deleted without a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers import history, laboratory, waiting
from helpers.errors import WorkbookError
from helpers.session import Session

CODE = "def lambda_handler(event, context):\n    return {'twice': 2 * event['n']}\n"


@pytest.fixture
def aws(aws: Session) -> Iterator[Session]:
    laboratory.delete(aws)
    yield aws
    laboratory.delete(aws)


SERVICES = {"Service": "states.amazonaws.com"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": SERVICES, "Action": "sts:AssumeRole"}],
}


def passing(result: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": result, "End": True}}}


def output(aws: Session, execution: str) -> Any:
    return json.loads(
        aws.client("stepfunctions").describe_execution(executionArn=execution)["output"]
    )


def test_a_machine_is_created_and_run(aws: Session) -> None:
    machine = laboratory.machine(aws, "workbook-one", passing(1))
    assert machine.endswith(":stateMachine:workbook-one")
    assert output(aws, laboratory.run(aws, machine)) == 1


def test_a_second_definition_takes_the_place_of_the_first(aws: Session) -> None:
    machine = laboratory.machine(aws, "workbook-one", passing(1))
    assert laboratory.machine(aws, "workbook-one", json.dumps(passing(2))) == machine
    assert laboratory.machine(aws, "workbook-one", json.dumps(passing(2))) == machine
    assert output(aws, laboratory.run(aws, machine)) == 2


def test_a_machine_keeps_its_type(aws: Session) -> None:
    laboratory.machine(aws, "workbook-quick", passing(1), type="EXPRESS")
    with pytest.raises(WorkbookError, match="EXPRESS"):
        laboratory.machine(aws, "workbook-quick", passing(1))


def test_a_name_must_be_the_workbooks(aws: Session) -> None:
    with pytest.raises(WorkbookError, match="workbook-mine"):
        laboratory.machine(aws, "mine", passing(1))
    with pytest.raises(WorkbookError, match="workbook-mine"):
        laboratory.function(aws, "mine", CODE)


def test_a_failed_execution_is_told_not_raised(aws: Session) -> None:
    failing = {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E"}}}
    execution = laboratory.run(aws, laboratory.machine(aws, "workbook-fails", failing))
    events = history.events(aws.client("stepfunctions"), execution)
    assert events[-1]["type"] == "ExecutionFailed"


def test_an_endless_execution_is_not_waited_for_endlessly(
    aws: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 900, "End": True}}}
    machine = laboratory.machine(aws, "workbook-waits", waiting)
    monkeypatch.setitem(laboratory.PATIENCE_SECONDS, "local", 0)
    with pytest.raises(WorkbookError, match="still runs"):
        laboratory.run(aws, machine)


def test_a_function_runs_in_a_machine_whose_role_allows_it(aws: Session) -> None:
    function = laboratory.function(aws, "workbook-double", CODE)
    state = {"Type": "Task", "Resource": function, "End": True}
    machine = {"StartAt": "A", "States": {"A": state}}
    role = laboratory.role(aws, "lambda:InvokeFunction")
    assert role.split("/")[-2] == "step-functions-workbook"
    arn = laboratory.machine(aws, "workbook-double", machine, role)
    assert output(aws, laboratory.run(aws, arn, {"n": 21})) == {"twice": 42}
    assert laboratory.function(aws, "workbook-double", CODE.replace("2 *", "3 *")) == function
    assert output(aws, laboratory.run(aws, arn, {"n": 21})) == {"twice": 63}
    # and one whose role does not is refused
    arn = laboratory.machine(aws, "workbook-double", machine)
    told = aws.client("stepfunctions").describe_execution(
        executionArn=laboratory.run(aws, arn, {"n": 21})
    )
    assert told["status"] == "FAILED"
    assert "lambda:InvokeFunction" in told["cause"]


def test_a_role_is_its_actions(aws: Session) -> None:
    both = laboratory.role(aws, "sns:Publish", "lambda:InvokeFunction")
    assert laboratory.role(aws, "lambda:InvokeFunction", "sns:Publish") == both
    assert laboratory.role(aws, "sns:Publish") != both
    assert laboratory.role(aws) != both


def test_nothing_is_left_and_nothing_else_is_touched(aws: Session) -> None:
    states, iam, logs = (aws.client(name) for name in ("stepfunctions", "iam", "logs"))
    own = iam.create_role(
        RoleName="somebody-elses",
        AssumeRolePolicyDocument=json.dumps(TRUST),
    )["Role"]
    kept = states.create_state_machine(
        name="my-workbook", definition=json.dumps(passing(1)), roleArn=own["Arn"]
    )["stateMachineArn"]
    function = laboratory.function(aws, "workbook-double", CODE)
    aws.client("lambda").invoke(FunctionName=function, Payload=b'{"n": 1}')
    states.create_activity(name="workbook-desk")
    waiting = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 900, "End": True}}}
    machine = laboratory.machine(aws, "workbook-waits", waiting)
    laboratory.machine(aws, "workbook-quick", passing(1), type="EXPRESS")
    states.start_execution(stateMachineArn=machine)
    deleted = laboratory.delete(aws)
    ours = ("workbook-", "/aws/lambda/workbook-")
    assert [name for name in deleted if not name.startswith(ours)] == []
    assert "/aws/lambda/workbook-double" in deleted
    assert {"workbook-double", "workbook-desk", "workbook-waits", "workbook-quick"} < set(deleted)
    assert laboratory.delete(aws) == []
    assert logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/workbook-")["logGroups"] == []
    assert iam.list_roles(PathPrefix=laboratory.PATH)["Roles"] == []
    assert states.describe_state_machine(stateMachineArn=kept)["status"] == "ACTIVE"
    states.delete_state_machine(stateMachineArn=kept)
    iam.delete_role(RoleName="somebody-elses")


def test_on_a_real_account_a_new_role_is_waited_for(
    aws: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS needs some seconds until a service can assume a role; nothing else is tried again."""
    real = replace(aws, target="aws", endpoint=None)
    monkeypatch.setitem(waiting.PAUSE_SECONDS, "aws", 0)
    words = "Neither the global service principal states.amazonaws.com, nor the regional one is "
    answers = [f"{words}authorized to assume the provided role.", "Your limit is reached."]

    def create(name: str) -> None:
        message = {"Code": "AccessDeniedException", "Message": answers.pop(0)}
        raise ClientError({"Error": message}, "CreateStateMachine")

    with pytest.raises(ClientError, match="limit"):
        laboratory._once_assumable(real, create, name="workbook-one")
    assert answers == []
