"""A learner's own state machines: a role for them, a function to call, one run, and no trace left.

Everything has a name that begins with ``workbook-``, and roles have a path of their own, so that
`delete` finds all of it in a fresh kernel, and nothing that is somebody else's.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from helpers import stack, waiting
from helpers.errors import WorkbookError
from helpers.session import Session

PREFIX = "workbook-"  # of state machines, functions, activities and roles
PATH = "/step-functions-workbook/"  # of roles
STACK = "workbook-people"  # of the lesson about activities
LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
RUNTIME = "python3.13"

# IAM and UpdateStateMachine are eventually consistent on AWS: what was just changed is not known
# everywhere yet. AWS names no number; these are generous.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachine.html
SETTLING_SECONDS = {"local": 0, "aws": 10}
PATIENCE_SECONDS = {"local": 60, "aws": 300}


def role(session: Session, *actions: str) -> str:
    """Return the ARN of a role that allows these actions, creating it where it is not there.

    Step Functions and Lambda may assume it. Its name is made from the actions: the same actions
    are the same role, and no lesson takes away what another one's role allows.
    """
    iam = session.client("iam")
    name = _role_name(actions)
    try:
        return iam.get_role(RoleName=name)["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        pass
    services = {"Service": ["states.amazonaws.com", "lambda.amazonaws.com"]}
    trust = {"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName=name,
        Path=PATH,
        AssumeRolePolicyDocument=_policy(trust),
        Description=f"Allows {', '.join(actions) or 'nothing'}",
    )["Role"]["Arn"]
    if actions:
        allowed = {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=_policy(allowed))
    time.sleep(SETTLING_SECONDS[session.target])
    return arn


def _role_name(actions: tuple[str, ...]) -> str:
    return PREFIX + hashlib.sha256(" ".join(sorted(actions)).encode()).hexdigest()[:12]


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def machine(
    session: Session,
    name: str,
    definition: Mapping[str, Any] | str,
    role: str | None = None,
    type: str = "STANDARD",  # noqa: A002 - as CreateStateMachine calls it
) -> str:
    """Create a state machine, or update the one of that name; return its ARN.

    ``name`` begins with ``workbook-``. ``role`` is an ARN; left out, it is a role that allows
    nothing. Raises WorkbookError for another name or another ``type`` than it has, and
    InvalidDefinition, as boto3 does, for a definition that is not valid.
    """
    states = session.client("stepfunctions")
    arn = f"arn:aws:states:{session.region}:{session.account}:stateMachine:{_mine(name)}"
    text = definition if isinstance(definition, str) else json.dumps(definition)
    wanted = {"definition": text, "roleArn": role or _role_for_nothing(session)}
    try:
        found = states.describe_state_machine(stateMachineArn=arn)
    except states.exceptions.StateMachineDoesNotExist:
        _once_assumable(session, states.create_state_machine, name=name, type=type, **wanted)
        return arn
    if found["type"] != type:
        raise WorkbookError(
            f"{name} is a machine of type {found['type']}, and a type cannot be changed: "
            "run laboratory.delete(aws), then this cell again."
        )
    if any(found[key] != value for key, value in wanted.items()):
        _once_assumable(session, states.update_state_machine, stateMachineArn=arn, **wanted)
        time.sleep(SETTLING_SECONDS[session.target])
    return arn


def _role_for_nothing(session: Session) -> str:
    return role(session)  # a machine without tasks needs a role as well


def run(session: Session, machine: str, input: Any = None) -> str:  # noqa: A002 - as in StartExecution
    """Start a standard machine by its ARN and wait until the execution has ended; return its ARN.

    ``input`` is anything that JSON can hold; left out, it is ``{}``. However it ended: nothing is
    raised for a failure. Raises WorkbookError where it runs on and on.
    """
    states = session.client("stepfunctions")
    given = json.dumps({} if input is None else input)
    execution = states.start_execution(stateMachineArn=machine, input=given)["executionArn"]

    def ended() -> bool:
        return states.describe_execution(executionArn=execution)["status"] != "RUNNING"

    what = "the execution to end"
    _wait(
        session, what, ended, f"{execution} still runs. Stop it with StopExecution, or wait longer."
    )
    return execution


def function(session: Session, name: str, code: str) -> str:
    """Create a Lambda function, or give the one of that name new code; return its ARN.

    ``name`` begins with ``workbook-``. ``code`` is Python with a ``lambda_handler(event,
    context)``. It may write its log, and nothing else. Raises WorkbookError for another name.
    """
    functions, archive = session.client("lambda"), _archive(code)
    try:
        found = functions.get_function_configuration(FunctionName=_mine(name))
        functions.update_function_code(FunctionName=name, ZipFile=archive)
        _wait_until_ready(session, "function_updated_v2", name)
        return found["FunctionArn"]
    except functions.exceptions.ResourceNotFoundException:
        pass
    created = _once_assumable(
        session,
        functions.create_function,
        FunctionName=name,
        Runtime=RUNTIME,
        Role=role(session, *LOGS),
        Handler="app.lambda_handler",
        Code={"ZipFile": archive},
        Timeout=10,
    )
    _wait_until_ready(session, "function_active_v2", name)
    return created["FunctionArn"]


def _wait_until_ready(session: Session, waiter: str, name: str) -> None:
    """Wait for a function with a waiter of boto3's, as often as this target is looked at."""
    pause = waiting.PAUSE_SECONDS[session.target]
    looks = {"Delay": pause, "MaxAttempts": int(PATIENCE_SECONDS[session.target] / pause)}
    session.client("lambda").get_waiter(waiter).wait(FunctionName=name, WaiterConfig=looks)


def _archive(code: str) -> bytes:
    """Return a deployment package; Lambda reads the file as another user, who must be let."""
    file, archive = zipfile.ZipInfo("app.py"), io.BytesIO()
    file.external_attr = 0o644 << 16
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(file, code)
    return archive.getvalue()


def made(session: Session) -> list[str]:
    """Return the names of all that was made here and is still there."""
    arns = [*_machines(session), *_activities(session), *_functions(session)]
    logs = stack.log_groups(session, PREFIX)
    return sorted([*map(_name, arns), *_roles(session), *_stacks(session), *logs])


def delete(session: Session) -> list[str]:
    """Delete all that was made here, and stop what still runs of it; return the names.

    Raises WorkbookError where AWS takes longer for it than anybody would wait.
    """
    names = made(session)
    states, functions = session.client("stepfunctions"), session.client("lambda")
    for name in _stacks(session):
        stack.delete(session, name)
    for arn in _machines(session):
        _delete_machine(session, arn)
    for arn in _activities(session):
        states.delete_activity(activityArn=arn)
    for arn in _functions(session):
        functions.delete_function(FunctionName=arn)
    _delete_roles(session)
    # Last: a function that writes once more would have Lambda make its group anew.
    stack.delete_logs(session, PREFIX)
    return names


def _machines(session: Session) -> list[str]:
    """Return the machines by ARN: somebody else's of such a name has a role of another path."""
    states = session.client("stepfunctions")
    arns = _listed(states, "list_state_machines", "stateMachines", "stateMachineArn")
    return [
        arn for arn in arns if _ours(states.describe_state_machine(stateMachineArn=arn)["roleArn"])
    ]


def _activities(session: Session) -> list[str]:
    states = session.client("stepfunctions")
    return list(_listed(states, "list_activities", "activities", "activityArn"))


def _functions(session: Session) -> list[str]:
    functions = session.client("lambda")
    arns = _listed(functions, "list_functions", "Functions", "FunctionArn")
    return [
        arn for arn in arns if _ours(functions.get_function_configuration(FunctionName=arn)["Role"])
    ]


def _stacks(session: Session) -> list[str]:
    """Return the lessons' one stack by name, where it is there: not any whose name begins so."""
    pages = session.client("cloudformation").get_paginator("list_stacks").paginate()
    found = [item for page in pages for item in page["StackSummaries"]]
    return [
        item["StackName"]
        for item in found
        if item["StackName"] == STACK and item["StackStatus"] != "DELETE_COMPLETE"
    ]


def _roles(session: Session) -> list[str]:
    pages = session.client("iam").get_paginator("list_roles").paginate(PathPrefix=PATH)
    return [found["RoleName"] for page in pages for found in page["Roles"]]


def _ours(role: str) -> bool:
    return f":role{PATH}" in role


def _listed(client: BaseClient, operation: str, members: str, key: str) -> Iterator[str]:
    """Yield the ARNs of this service's things whose names begin as the workbook's do."""
    for page in client.get_paginator(operation).paginate():
        yield from (item[key] for item in page[members] if _name(item[key]).startswith(PREFIX))


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _delete_machine(session: Session, arn: str) -> None:
    """Delete a machine and wait until its name is free again.

    AWS deletes it when its last execution has ended, and ends one at its next state only: one that
    waits would keep it for long, and is stopped.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    states = session.client("stepfunctions")
    if states.describe_state_machine(stateMachineArn=arn)["type"] == "STANDARD":
        for execution in stack.running(session, arn):
            states.stop_execution(executionArn=execution, cause="Its state machine is deleted")
    states.delete_state_machine(stateMachineArn=arn)

    def gone() -> bool:
        try:
            states.describe_state_machine(stateMachineArn=arn)
        except states.exceptions.StateMachineDoesNotExist:
            return True
        return False

    what = f"AWS to delete {_name(arn)}"
    _wait(
        session, what, gone, f"AWS is still deleting {_name(arn)}. Run this cell again in a minute."
    )


def _delete_roles(session: Session) -> None:
    iam = session.client("iam")
    for name in _roles(session):
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=name)


def _mine(name: str) -> str:
    if not name.startswith(PREFIX):
        raise WorkbookError(
            f"Call it {PREFIX}{name}: by its first letters, what you make is told from what is "
            "somebody else's, and deleted in the end."
        )
    return name


def _once_assumable(session: Session, call: Callable[..., Any], **arguments: Any) -> Any:
    """Make a call that names a role, again and again while AWS does not know the role yet.

    A new role needs some seconds. Step Functions says AccessDeniedException then, and Lambda
    InvalidParameterValueException; both say that the role cannot be assumed.
    https://github.com/epam/aws-syndicate/issues/63
    """

    def too_early(error: ClientError) -> bool:
        unknown = "assume" in error.response["Error"].get("Message", "")
        return unknown and session.target != "local"

    usually = "A new role takes some seconds to be known everywhere."
    patience = PATIENCE_SECONDS[session.target]
    made = partial(call, **arguments)
    return waiting.insist(session, "AWS to know the role", made, too_early, usually, patience)


def _wait(session: Session, what: str, done: Callable[[], bool], too_long: str) -> None:
    for _ in waiting.looks(session, what, patience=PATIENCE_SECONDS[session.target]):
        if done():
            return
    raise WorkbookError(too_long)
