"""The app's stack: package its code, propose it as a change set, follow it, delete it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from helpers import bucket, trail, waiting
from helpers.errors import WorkbookError, permission_remedy
from helpers.live import Live
from helpers.progress import Progress
from helpers.session import Session
from helpers.table import table

# The seed's name for the application; the notebooks, the tour and the tests all use it.
NAME = "aws-5-mins-automated-iam-policy-alerts-approvals"
SHORT = 20  # so many letters of it are at least in the names of its resources
TEMPLATE = Path(__file__).resolve().parents[1] / "app" / "template.yaml"
# Of nobody: what is sent there stays on this computer.
EMAIL = "security@example.com"
CAPABILITIES = ["CAPABILITY_IAM"]
RESOURCES = 21

PAUSE_SECONDS = {"local": 0.1, "aws": 2}  # between two looks at a stack that changes
STARTING_SECONDS = {"local": 5, "aws": 60}  # until a stack moves, after the call that moves it
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
PROPOSED = "REVIEW_IN_PROGRESS"  # and nothing moves: there is only a change set


@dataclass(frozen=True)
class App:
    """The deployed app, as its stack's outputs name it."""

    name: str
    state_machine: str
    api: str
    topic: str

    def _repr_html_(self) -> str:
        rows = [
            ("Stack", self.name),
            ("State machine", self.state_machine),
            ("Invoke URL", self.api),
            ("Topic", self.topic),
        ]
        return table(("Output", "Value"), rows)


@dataclass(frozen=True)
class Preview:
    """What a change set would create: a row a resource, as (action, logical id, type)."""

    rows: list[tuple[str, str, str]]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        lines = [f"{action:<8} {name:<36} {kind}" for action, name, kind in self.rows]
        return "\n".join([*lines, f"{len(self)} resources"])

    def _repr_html_(self) -> str:
        return table(("", "Action", "Logical id", "Type"), _numbered(self.rows))


def definition() -> dict[str, Any]:
    """Return the state machine's definition as it is in the app's folder."""
    return json.loads((TEMPLATE.parent / "statemachine" / "policy_guard.asl.json").read_text())


def declared(template: Path = TEMPLATE) -> Preview:
    """Return what the template itself names, before SAM expands it: ("declares", id, type).

    Without the parts that only come with the parameter Operations: no lesson uses it.
    """
    # SAM's reader knows CloudFormation's short forms (!Ref, !GetAtt), a plain YAML one does not.
    resources = yaml_parse(template.read_text())["Resources"]
    always = {name: part for name, part in resources.items() if "Condition" not in part}
    return Preview([("declares", name, part["Type"]) for name, part in always.items()])


def package(session: Session, template: Path | None = None) -> str:
    """Upload the app's code and definition to S3; return the template that points there.

    Runs ``aws cloudformation package``. Raises WorkbookError with the command's own words.
    https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
    """
    where = bucket.ensure(session)
    with tempfile.TemporaryDirectory() as folder:
        packaged = Path(folder) / "packaged.yaml"
        command = [
            *(sys.executable, "-m", "awscli", "cloudformation", "package"),
            *(
                "--template-file",
                str(template or TEMPLATE),
                "--output-template-file",
                str(packaged),
            ),
            *("--s3-bucket", where, "--s3-prefix", "app"),
        ]
        done = subprocess.run(
            command, env=session.variables(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise WorkbookError(f"The code could not be packaged: {done.stderr.strip()}")
        return packaged.read_text()


def parameters(email: str = EMAIL, **others: str) -> list[dict[str, str]]:
    """Return template parameters in the form that CloudFormation takes."""
    values = {"EmailAddress": email, **others}
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def preview(session: Session, change_set: str, name: str = NAME) -> Preview:
    """Wait until CloudFormation has worked out a change set; return what it would do.

    Raises WorkbookError with CloudFormation's reason where it could not.
    """
    pages = session.client("cloudformation").get_paginator("describe_change_set")
    usually = "That takes some seconds."
    for _ in waiting.looks(session, "CloudFormation to work out the change set", usually):
        answers = list(pages.paginate(StackName=name, ChangeSetName=change_set))
        status = answers[0]["Status"]
        if status == "CREATE_COMPLETE":
            return _changes(answers)
        if status == "FAILED":
            raise WorkbookError(f"The change set failed: {answers[0].get('StatusReason')}")
    raise WorkbookError(
        f"CloudFormation is still working on the change set {change_set}. Run this cell again in a "
        "minute."
    )


def _changes(answers: list[dict[str, Any]]) -> Preview:
    """Return the rows of a change set, of which DescribeChangeSet gave these pages."""
    changes = [change["ResourceChange"] for answer in answers for change in answer["Changes"]]
    rows = [(c["Action"], c["LogicalResourceId"], c["ResourceType"]) for c in changes]
    return Preview(sorted(rows, key=lambda row: (row[2], row[1])))


def follow(
    session: Session, name: str = NAME, total: int = RESOURCES, leaving: str = PROPOSED
) -> None:
    """Show a stack's progress until it is done; the last view stays.

    ``total`` is how many resources there will be, or were, where it is deleted; ``leaving`` is the
    status that it had before the call that moves it. Raises WorkbookError with the first resource's
    reason where the stack fails, and where it does not move.
    """
    _wait_for_start(session, name, leaving)
    view = Progress(name, [], total)
    with Live(view) as live:
        for view in _progress(session, name, total):
            live.show(view)
    if view.failure():
        advice = _advice(view.status, view.failure())
        raise WorkbookError(f"The stack {view.name} failed: {view.failure()}{advice}")


def _wait_for_start(session: Session, name: str, leaving: str) -> None:
    """Wait until a stack moves, or has another status: AWS answers a call before it acts on it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
    """
    patience = STARTING_SECONDS[session.target]
    for _ in waiting.looks(session, f"the stack {name} to move", patience=patience):
        status = _describe(session, name)["StackStatus"]
        if status != leaving or _moves(status):
            return
    if leaving.endswith("_FAILED"):
        return  # it failed again before anybody looked: its events say why
    raise WorkbookError(
        f"The stack {name} does not move, it is {leaving}. Was its change set executed, or its "
        "deletion begun? Then AWS takes its time: run stack.follow(aws) in a new cell in a minute."
    )


def _moves(status: str) -> bool:
    return status.endswith("_IN_PROGRESS") and status != PROPOSED


def _advice(status: str, reason: str = "") -> str:
    """Say what to do about a stack that failed.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    """
    if "not authorized to perform" in reason:
        return f". {permission_remedy(reason)}{_deletion(status)}"
    return _deletion(status)


def _deletion(status: str) -> str:
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        return " Such a stack can only be deleted: run 10_clean_up, then deploy it again."
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return " It is again as it was before the update."
    return ""


def _progress(session: Session, name: str, total: int) -> Iterator[Progress]:
    cloudformation = session.client("cloudformation")
    while True:
        current = _describe(session, name)
        status = current["StackStatus"]
        pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
        yield Progress.of(current, [e for page in pages for e in page["StackEvents"]], total)
        if not _moves(status):
            return
        time.sleep(PAUSE_SECONDS[session.target])


def deploy(session: Session, email: str = "", name: str = NAME, **others: str) -> App:
    """Package the app, create its stack by change set, wait, and return it.

    ``email`` is where its questions go; left out, see `inbox.address`.
    """
    from helpers import inbox

    cloudformation = session.client("cloudformation")
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=package(session),
        Parameters=parameters(email or inbox.address(session), **others),
        Capabilities=CAPABILITIES,
    )
    changes = preview(session, "first", name)
    cloudformation.execute_change_set(StackName=name, ChangeSetName="first")
    follow(session, name, len(changes))
    return find(session, name)


def find(session: Session, name: str = NAME) -> App:
    """Return the deployed app. Raises WorkbookError where it is not there or not whole."""
    current = _describe(session, name)
    if current["StackStatus"] not in GOOD:
        raise WorkbookError(
            f"The stack {name} is {current['StackStatus']}, so the app cannot be used. "
            "Run the notebook that cleans up, then 01_deploy_the_app."
        )
    outputs = {output["OutputKey"]: output["OutputValue"] for output in current["Outputs"]}
    return App(name, outputs["StateMachineArn"], outputs["ApiUrl"], outputs["AlertTopicArn"])


def settings(session: Session, name: str = NAME) -> dict[str, str]:
    """Return the parameters that a stack was deployed with. Raises WorkbookError for none such."""
    given = _describe(session, name).get("Parameters", [])
    return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in given}


def running(session: Session, state_machine: str) -> list[str]:
    """Return the ARNs of a state machine's executions that have not ended, newest first.

    A machine that is not there any more has none.
    """
    states = session.client("stepfunctions")
    pages = states.get_paginator("list_executions")
    try:
        return [
            found["executionArn"]
            for page in pages.paginate(stateMachineArn=state_machine, statusFilter="RUNNING")
            for found in page["executions"]
        ]
    except states.exceptions.StateMachineDoesNotExist:
        return []


def require(session: Session, name: str = NAME) -> App:
    """Return the app; on the local AWS deploy it, trail and all, when it is not there.

    A real account is never changed without the learner's doing: there, a missing app is a
    WorkbookError that names the notebook to run.
    """
    try:
        return find(session, name)
    except WorkbookError:
        if session.endpoint is None:
            raise
    from helpers import inbox

    print("The app was not deployed yet. Deploying it now ...")
    delete(session, name)  # what is there but not whole: a preview that was never executed
    trail.ensure(session)
    started = time.monotonic()
    app = deploy(session, name=name)
    inbox.confirm_subscription(session)
    print(f"Deployed in {time.monotonic() - started:.1f} s, and its e-mail subscription confirmed.")
    return app


def delete(session: Session, name: str = NAME) -> bool:
    """Delete the stack and wait until it is gone; return False where there was none."""
    try:
        found = _describe(session, name)
    except WorkbookError:
        return False
    _stop_executions(session, name)
    # A stack that was rolled back still lists what was deleted then.
    total = sum(status != "DELETE_COMPLETE" for status, _, _ in resources(session, name).rows)
    session.client("cloudformation").delete_stack(StackName=name)
    # By id: a deleted stack has no name any more.
    follow(session, found["StackId"], total, leaving=found["StackStatus"])
    return True


def _stop_executions(session: Session, name: str) -> None:
    """Stop what still waits for an answer: on AWS a state machine is not gone before that.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    states = session.client("stepfunctions")
    for machine in _physical_ids(session, name, "AWS::StepFunctions::StateMachine"):
        for execution in running(session, machine):
            states.stop_execution(executionArn=execution, cause="the stack is being deleted")


def _physical_ids(session: Session, name: str, kind: str) -> list[str]:
    pages = session.client("cloudformation").get_paginator("list_stack_resources")
    return [
        item["PhysicalResourceId"]
        for page in pages.paginate(StackName=name)
        for item in page["StackResourceSummaries"]
        if item["ResourceType"] == kind and item.get("PhysicalResourceId")
    ]


def log_groups(session: Session, name: str = NAME) -> list[str]:
    """Return the log groups of the functions whose names begin so, as a stack's own do.

    Lambda made them, so no stack deletes them.
    CloudFormation shortens a long stack's name in the names that it generates, to fit their limits.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    """
    prefix = f"/aws/lambda/{name[:SHORT]}"
    pages = session.client("logs").get_paginator("describe_log_groups")
    found = pages.paginate(logGroupNamePrefix=prefix)
    return [group["logGroupName"] for page in found for group in page["logGroups"]]


def delete_logs(session: Session, name: str = NAME) -> list[str]:
    """Delete those log groups; return their names."""
    groups = log_groups(session, name)
    for group in groups:
        session.client("logs").delete_log_group(logGroupName=group)
    return groups


def resources(session: Session, name: str = NAME) -> Preview:
    """Return the stack's resources as they are: (status, logical id, type)."""
    pages = (
        session.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=name)
    )
    rows = [
        (item["ResourceStatus"], item["LogicalResourceId"], item["ResourceType"])
        for page in pages
        for item in page["StackResourceSummaries"]
    ]
    return Preview(sorted(rows, key=lambda row: (row[2], row[1])))


def _describe(session: Session, name: str) -> dict[str, Any]:
    try:
        return session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise WorkbookError(
            f"There is no stack {name} in account {session.account}. {_deployment(session)}"
        ) from error


def _deployment(session: Session) -> str:
    """Say how the app comes to be there: in a real account only by the notebook that deploys it."""
    if session.target == "aws":
        return "Run the notebook 01_deploy_the_app first."
    return (
        "Run this notebook from its first cell; where that does not deploy the app, run "
        "01_deploy_the_app first."
    )


def _numbered(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [(str(number), *row) for number, row in enumerate(rows, 1)]
