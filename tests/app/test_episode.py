"""The whole episode on a local AWS with IAM enforced: what `make tour` does, and more."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers import approval, bucket, history, inbox, incident, policy, stack, tour, waiting
from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.session import Session
from tests.app.guard import until

MEASURED = {
    "local_aws_started",
    "deploy",
    "subscription_confirmed",
    "mallory",
    "created_to_quarantined_first",
    "asked_first",
    "denied_to_succeeded",
    "created_to_quarantined_warm",
    "asked_warm",
    "approved_to_succeeded",
    "clean_up",
    "total",
}


def test_the_tour_holds_and_ends_with_its_seconds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "helpers.tour"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seconds = json.loads(done.stdout.splitlines()[-1])
    assert set(seconds) == MEASURED
    assert all(value > 0 for value in seconds.values())


def test_the_tour_fails_when_the_app_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An app whose checker finds nothing lets the bad policy pass: the tour must say so."""
    broken = tmp_path / "app"
    shutil.copytree(CHECKOUT / "app", broken)
    checker = broken / "functions" / "validate_policy" / "policy_grants.py"
    code = checker.read_text()
    checker.write_text(code + "\n\ndef restricted_grants(document, restricted):\n    return []\n")
    monkeypatch.setattr(stack, "TEMPLATE", broken / "template.yaml")
    monkeypatch.setitem(waiting.PATIENCE_SECONDS, "local", 3)
    assert tour.main() == 1
    assert "not quarantined" in capsys.readouterr().err


def test_the_stack_has_the_21_resources(aws: Session, app: stack.App) -> None:
    kinds = sorted(kind for _, _, kind in stack.resources(aws).rows)
    assert kinds == sorted(
        ["AWS::Lambda::Function"] * 5
        + ["AWS::IAM::Role"] * 7
        + ["AWS::Lambda::Permission"] * 2
        + [
            "AWS::ApiGateway::RestApi",
            "AWS::ApiGateway::Deployment",
            "AWS::ApiGateway::Stage",
            "AWS::StepFunctions::StateMachine",
            "AWS::Events::Rule",
            "AWS::SNS::Topic",
            "AWS::SNS::TopicPolicy",
        ]
    )


def test_nobody_else_can_read_the_mails(aws: Session, app: stack.App) -> None:
    """Who subscribes gets the links, and with them the right to decide."""
    sns = incident.Mallory.hire(aws).client("sns")
    with pytest.raises(ClientError, match="not authorized"):
        sns.subscribe(TopicArn=app.topic, Protocol="email", Endpoint="mallory@example.com")


def test_no_substitution_is_left_in_the_deployed_definition(aws: Session, app: stack.App) -> None:
    states = aws.client("stepfunctions")
    machine = states.describe_state_machine(stateMachineArn=app.state_machine)
    assert "${" not in machine["definition"]


def _steps(aws: Session, execution: str) -> list[str]:
    steps = history.frame(history.events(aws.client("stepfunctions"), execution))["step"]
    return list(dict.fromkeys(step for step in steps if step))


def test_a_denied_policy_stays_harmless(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    approval.settle(aws, execution, allow=False)
    events = incident.wait_for_end(aws, execution)
    assert events[-1]["type"] == "ExecutionSucceeded"
    assert _steps(aws, execution)[-1] == "Denied"
    assert len(policy.versions(aws)) == 1
    assert policy.versions(aws).in_force.document != incident.DOCUMENT


def test_a_harmless_policy_is_only_reported(aws: Session, app: stack.App) -> None:
    name = incident.NEEDED
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
    incident.clear(aws, app, name)
    aws.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
    execution = incident.execution(aws, app, name)
    incident.wait_for_end(aws, execution)
    assert _steps(aws, execution)[-1] == "AllowWithNotification"
    assert policy.versions(aws, name).in_force.document == document


def test_an_execution_that_fails_says_why_it_did_not_ask(aws: Session, app: stack.App) -> None:
    states = aws.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=app.state_machine, input="{}")
    told = r"is FAILED and did not ask for a decision. Its last step: ModifyState. States\.\w+: "
    with pytest.raises(WorkbookError, match=told):
        incident.wait_for_question(aws, execution["executionArn"])


def test_the_mail_says_what_is_decided(aws: Session, app: stack.App) -> None:
    incident.create(aws, app)
    mail = inbox.newest(aws, incident.POLICY)
    for words in (
        incident.policy_arn(aws),
        f"arn:aws:iam::{aws.account}:root",
        "s3:DeleteBucket",
        "SHA-256",
        "UTC",
    ):
        assert words in mail.text


def test_looking_at_the_page_decides_nothing(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    mail = inbox.newest(aws, incident.POLICY)
    for word in ("allow", "deny") * 3:
        assert inbox.open_link(mail.link(word)).status == 200
    states = aws.client("stepfunctions")
    assert states.describe_execution(executionArn=execution)["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("?token=", 400), ("?token=AQCEAAAAKgAAAAMAAAAA" + "A" * 100, 404)],
)
def test_a_link_that_is_none_changes_nothing(
    aws: Session, app: stack.App, query: str, status: int
) -> None:
    link = aws.url(f"{app.api}/allow") + query
    assert inbox.press_button(link).status == status


def test_who_decided_is_in_the_history(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    inbox.press_button(inbox.newest(aws, incident.POLICY).link("deny"))
    events = incident.wait_for_end(aws, execution)
    answered = next(event for event in events if event["type"] == "TaskSucceeded")
    output = json.loads(answered["taskSucceededEventDetails"]["output"])
    assert output["action"] == "delete"
    assert output["decidedBy"]["sourceIp"] == "127.0.0.1"


def test_the_token_is_in_no_log(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    token = approval.token(history.events(aws.client("stepfunctions"), execution))
    inbox.press_button(inbox.newest(aws, incident.POLICY).link("deny"))
    incident.wait_for_end(aws, execution)
    logs = aws.client("logs")
    groups = logs.describe_log_groups()["logGroups"]
    messages = [
        event["message"]
        for group in groups
        for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
    ]
    assert messages, "the functions' logs are empty: this test would see nothing"
    server_log = (Path(aws.mailbox).parent / "state.log").read_text()
    assert not [line for line in [*messages, server_log] if token[20:60] in line]


def test_what_is_asked_of_a_missing_stack_is_a_sentence(aws: Session) -> None:
    with pytest.raises(WorkbookError, match="01_deploy_the_app"):
        stack.find(aws, "nothing-of-that-name")


def _question(aws: Session, app: stack.App) -> Any:
    return approval.pending(aws, app)[0]


def test_pending_decisions_are_found_in_the_histories(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    question = _question(aws, app)
    assert question.execution == execution
    assert question.policy == incident.POLICY
    assert question.granted == ["s3:DeleteBucket"]
    assert question.token not in repr(question)
    approval.decide(aws, question.token, allow=False)
    incident.wait_for_end(aws, execution)
    assert approval.pending(aws, app) == []


@pytest.mark.parametrize("token", ["nonsense", "AQCEAAAAKgAAAAMAAAAA"])
def test_a_wrong_token_is_a_sentence(aws: Session, app: stack.App, token: str) -> None:
    with pytest.raises(WorkbookError, match="not a task token"):
        approval.decide(aws, token, allow=True)


def test_a_used_token_is_a_sentence(aws: Session, app: stack.App) -> None:
    incident.create(aws, app)
    token = _question(aws, app).token
    approval.decide(aws, token, allow=False)
    with pytest.raises(WorkbookError, match="decided before"):
        approval.decide(aws, token, allow=True)


def test_a_question_has_the_document_that_approving_brings_back(
    aws: Session, app: stack.App
) -> None:
    """Of two withdrawn versions, the one in force counts: the other is only there to mislead."""
    execution = incident.create(aws, app)
    approval.settle(aws, execution, allow=True)
    incident.wait_for_end(aws, execution)
    worse = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    aws.client("iam").create_policy_version(
        PolicyArn=incident.policy_arn(aws), PolicyDocument=json.dumps(worse), SetAsDefault=True
    )
    # Its execution is not there yet: the newest would be the one that has just ended.
    question = until(lambda: approval.pending(aws, app), "a second question")[0]
    assert json.loads(question.document) == worse


def test_a_padded_document_is_shown_without_its_padding(aws: Session, app: stack.App) -> None:
    padded = json.dumps(incident.DOCUMENT).replace(" ", " " * 5_000)
    aws.client("iam").create_policy(PolicyName=incident.POLICY, PolicyDocument=padded)
    incident.wait_for_question(aws, incident.execution(aws, app))
    shown = _question(aws, app).html()
    assert "s3:DeleteBucket" in shown
    assert " " * 20 not in shown


def test_settling_what_was_stopped_claims_no_decision(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    aws.client("stepfunctions").stop_execution(executionArn=execution)
    assert "was stopped" in approval.settle(aws, execution, allow=True)


def test_a_previewed_stack_does_not_stand_in_the_way(empty: Session) -> None:
    empty.client("cloudformation").create_change_set(
        StackName=stack.NAME,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=stack.package(empty),
        Parameters=stack.parameters(),
        Capabilities=stack.CAPABILITIES,
    )
    stack.preview(empty, "first")
    with pytest.raises(WorkbookError, match="Was its change set executed"):
        stack.follow(empty)
    assert stack.require(empty).name == stack.NAME


def test_a_deleted_stack_leaves_nothing_waiting(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    stack.delete(aws)
    states = aws.client("stepfunctions")
    with pytest.raises(states.exceptions.ExecutionDoesNotExist):
        states.describe_execution(executionArn=execution)


def test_what_is_not_the_workbook_s_is_left_alone(empty: Session) -> None:
    s3, iam = empty.client("s3"), empty.client("iam")
    theirs = f"{bucket.PREFIX}of-the-finance-team"
    s3.create_bucket(Bucket=theirs)
    iam.create_user(UserName="mallory")
    try:
        bucket.bait(empty)
        assert bucket.delete(empty) == [bucket.bait_name(empty)]
        assert theirs in [found["Name"] for found in s3.list_buckets()["Buckets"]]
        for meddle in (incident.Mallory.hire, incident.Mallory.dismiss):
            with pytest.raises(WorkbookError, match="not the workbook's"):
                meddle(empty)
    finally:
        s3.delete_bucket(Bucket=theirs)
        iam.delete_user(UserName="mallory")


def test_a_dozen_at_once_are_all_quarantined(aws: Session, app: stack.App) -> None:
    """More than there are environments for: they wait their turn, and none is lost."""
    iam, document = aws.client("iam"), json.dumps(incident.DOCUMENT)
    names = [f"storm-{number}" for number in range(12)]
    try:
        with ThreadPoolExecutor(6) as pool:
            list(
                pool.map(
                    lambda name: iam.create_policy(PolicyName=name, PolicyDocument=document), names
                )
            )
        for name in names:
            incident.wait_for_question(aws, incident.execution(aws, app, name))
            assert policy.versions(aws, name).in_force.document != incident.DOCUMENT
    finally:
        for name in names:
            incident.clear(aws, app, name)
