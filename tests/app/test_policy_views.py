"""The views of a policy and of the stack, on the deployed app: what they say is what AWS says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from helpers import approval, bucket, history, incident, policy, stack
from helpers.errors import WorkbookError
from helpers.incident import Mallory
from helpers.permission import Matrix, Probe
from helpers.session import Session
from helpers.timeline import Timeline
from tests.app.guard import until


@pytest.fixture
def mallory(aws: Session) -> Iterator[Mallory]:
    yield Mallory.hire(aws)
    Mallory.dismiss(aws)


def attach(aws: Session, name: str) -> None:
    arn = incident.policy_arn(aws, name)
    aws.client("iam").attach_user_policy(UserName=Mallory.USER, PolicyArn=arn)


def contents(aws: Session) -> list[tuple[str, str]]:
    """Everything in the workbook's bucket, which is there."""
    pages = aws.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=bucket.name(aws))
    return [(item["Key"], item["ETag"]) for page in found for item in page.get("Contents", [])]


# What mallory can do ------------------------------------------------------------------------------


def test_what_mallory_can_do_at_each_stage(aws: Session, app: stack.App, mallory: Mallory) -> None:
    can = Matrix(aws, mallory)
    can.try_now("no policy")
    execution = incident.create(aws, app)
    attach(aws, incident.POLICY)
    can.try_now("quarantined")
    approval.settle(aws, execution, allow=True)
    incident.wait_for_end(aws, execution)
    can.try_now("approved")
    assert [line.split()[-1] for line in repr(can).splitlines()] == [
        "approved", "allowed", "AccessDenied", "allowed", "allowed",
    ]  # fmt: skip
    for probe in can.probes:
        for stage in ("no policy", "quarantined"):
            answer = can[stage, probe.action]
            assert answer.may is False
            assert f"user{Mallory.PATH}{Mallory.USER} " in answer.told, (
                "it was not mallory who called"
            )
    assert "BucketNotEmpty" in can["approved", "s3:DeleteBucket"].told
    assert can._repr_html_().count("BucketNotEmpty") == 1


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_trying_changes_nothing(
    aws: Session, app: stack.App, mallory: Mallory, effect: str
) -> None:
    """Whether she may do everything or nothing: the bucket is there, and all that was in it."""
    iam, before = aws.client("iam"), contents(aws)
    everything = {"Effect": effect, "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_user_policy(UserName=Mallory.USER, PolicyName="all", PolicyDocument=document)
    try:
        can = Matrix(aws, mallory).try_now("now")
    finally:
        iam.delete_user_policy(UserName=Mallory.USER, PolicyName="all")
    assert {can["now", probe.action].may for probe in can.probes} == {effect == "Allow"}
    assert before, "a bucket with nothing in it would be in danger"
    assert contents(aws) == before


def test_nothing_is_left_in_the_bucket_when_a_call_fails(
    aws: Session, app: stack.App, mallory: Mallory
) -> None:
    def broken(*_: object) -> incident.Attempt:
        assert any(key.startswith("probe/") for key, _ in contents(aws))
        raise OSError("the network is gone")

    before = contents(aws)
    can = Matrix(aws, mallory, (Probe("s3:DeleteBucket", broken),))
    with pytest.raises(OSError, match="gone"):
        can.try_now("now")
    assert contents(aws) == before
    assert can.stages == {}


def test_a_stage_that_is_tried_again_is_replaced(
    aws: Session, app: stack.App, mallory: Mallory
) -> None:
    can = Matrix(aws, mallory).try_now("now")
    assert not can["now", "s3:DeleteObject"]
    iam = aws.client("iam")
    statement = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=Mallory.USER, PolicyName="some", PolicyDocument=document)
    try:
        can.try_now("now")
    finally:
        iam.delete_user_policy(UserName=Mallory.USER, PolicyName="some")
    assert can["now", "s3:DeleteObject"]
    assert list(can.stages) == ["now"]


def test_a_mallory_who_was_dismissed_is_hired_again(aws: Session, app: stack.App) -> None:
    can = Matrix(aws, Mallory.hire(aws))
    Mallory.dismiss(aws)
    with pytest.raises(WorkbookError, match="Hire her again"):
        can.try_now("now")


# Versions and differences -------------------------------------------------------------------------


def test_versions_before_and_after(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    quarantined = policy.versions(aws)
    assert [(v.in_force, v.grants) for v in quarantined] == [(True, ())]
    original = json.dumps(incident.DOCUMENT)
    changed = policy.difference(original, quarantined.in_force)
    assert any("s3:DeleteBucket" in line for line in changed.lines if line.startswith("-"))
    assert any("Quarantined" in line for line in changed.lines if line.startswith("+"))

    approval.settle(aws, execution, allow=True)
    incident.wait_for_end(aws, execution)
    approved = policy.versions(aws)
    assert approved.in_force.grants == ("s3:DeleteBucket",)
    assert policy.difference(original, approved.in_force).equal is True
    assert approved.in_force.created.tzinfo is not None


def test_what_is_restricted_is_what_the_app_was_deployed_with(aws: Session, app: stack.App) -> None:
    assert policy.restricted_actions(aws) == ["s3:DeleteBucket", "s3:DeleteObject"]
    with pytest.raises(WorkbookError, match="no stack"):
        policy.restricted_actions(aws, "another")


def test_a_document_is_read_to_the_byte(aws: Session, app: stack.App) -> None:
    statement = '{"Effect":"Allow",  "Action":"s3:Get*","Resource":"*"}'
    text = f'{{ "Version":"2012-10-17",\n\t"Statement" : [{statement}]}}'
    iam, arn = aws.client("iam"), incident.policy_arn(aws, incident.NEEDED)
    iam.create_policy(PolicyName=incident.NEEDED, PolicyDocument=text)
    assert policy.versions(aws, incident.NEEDED).in_force.text == text
    plain = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert "Text" not in plain, "a learner's own call must show what AWS shows"


def test_a_version_that_is_deleted_meanwhile_is_left_out(
    aws: Session, app: stack.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident.create(aws, app)
    iam, arn, read = aws.client("iam"), incident.policy_arn(aws), policy._text
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(incident.DOCUMENT))
    extra = made["PolicyVersion"]["VersionId"]

    def reading(*arguments: str) -> str:
        monkeypatch.setattr(policy, "_text", read)
        iam.delete_policy_version(PolicyArn=arn, VersionId=extra)
        raise iam.exceptions.NoSuchEntityException({"Error": {}}, "GetPolicyVersion")

    monkeypatch.setattr(policy, "_text", reading)
    assert extra not in [version.name for version in policy.versions(aws)]


def test_a_policy_that_is_not_there_is_told(aws: Session, app: stack.App) -> None:
    with pytest.raises(ClientError, match="NoSuchEntity"):
        policy.versions(aws, "nobody-s-policy")


# The stack ----------------------------------------------------------------------------------------


class Recorder:
    """Takes the place of what shows a stack: keeps every view."""

    views: list[stack.Progress]

    def __init__(self, view: stack.Progress) -> None:
        Recorder.views = [view]

    def __enter__(self) -> Recorder:
        return self

    def show(self, view: stack.Progress) -> None:
        Recorder.views.append(view)

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    monkeypatch.setattr(stack, "Live", Recorder)
    return Recorder


def test_a_deployment_and_a_deletion_can_be_followed(empty: Session, shown: type[Recorder]) -> None:
    stack.deploy(empty)
    done = [view.done for view in shown.views]
    assert done == sorted(done)
    last = shown.views[-1]
    assert repr(last) == f"{stack.NAME}: 21 of 21 resources CREATE_COMPLETE"
    assert {kind for _, kind, _, _ in last.rows} >= {"AWS::StepFunctions::StateMachine"}
    assert {status for _, _, status, _ in last.rows} == {"CREATE_COMPLETE"}

    stack.delete(empty)
    assert repr(shown.views[-1]) == (f"{stack.NAME}: 21 of 21 resources deleted DELETE_COMPLETE")


BROKEN = {
    "Resources": {
        "Work": {"Type": "AWS::StepFunctions::Activity", "Properties": {"Name": "broken-work"}},
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "DependsOn": "Work",
            "Properties": {
                "RoleArn": "me",
                "DefinitionString": '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
            },
        },
    }
}


def test_a_rollback_shows_its_reason_first(aws: Session, shown: type[Recorder]) -> None:
    formation = aws.client("cloudformation")
    created = formation.create_stack(StackName="broken", TemplateBody=json.dumps(BROKEN))["StackId"]
    try:
        with pytest.raises(WorkbookError, match=r"stack broken failed: Machine: .*'me'.*10_clean"):
            stack.follow(aws, created, 2)
        last = shown.views[-1]
        assert last.status == "ROLLBACK_COMPLETE"
        assert last.reasons[0].startswith("Machine: ")
        assert (last.rows[0][0], last.rows[0][2]) == ("Work", "DELETE_COMPLETE")
        html = last._repr_html_()
        assert html.index("Invalid Role Arn") < html.index("resources")
    finally:
        stack.delete(aws, "broken")
    assert shown.views[-1].status == "DELETE_COMPLETE"
    assert "failed" not in shown.views[-1]._repr_html_(), "that was another operation"


# The timeline -------------------------------------------------------------------------------------


def test_a_timeline_tells_waiting_from_work(aws: Session, app: stack.App) -> None:
    execution = incident.create(aws, app)
    states = aws.client("stepfunctions")
    running = Timeline(history.events(states, execution))
    assert repr(running) == "Timeline of 5 states; waits for a person in AskUser"
    until(lambda: approval.pending(aws, app), "the question")
    approval.settle(aws, execution, allow=False)
    ended = Timeline(incident.wait_for_end(aws, execution))
    assert repr(ended) == "Timeline of 7 states; waited for a person in AskUser"
    assert 0 < ended.waited < ended.length
    assert ended._repr_html_().count("<svg") == 1
