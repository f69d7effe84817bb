"""What lesson 09 stands on: a storm is counted and cleared, and an audit finds what grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helpers import audit, bucket, incident, laboratory, policy, stack, storm, waiting
from helpers.errors import WorkbookError
from helpers.session import Session

HARMLESS = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
START = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def calm(aws: Session, app: stack.App) -> Iterator[Session]:
    """An account with the app and no storm, before and after."""
    storm.clear(aws, app)
    yield aws
    storm.clear(aws, app)


def _history(begin: float, *moments: float) -> list[dict[str, Any]]:
    """A history that is left in TempRemove and asks at these seconds."""
    quarantined, asked = (START + timedelta(seconds=moment) for moment in moments)
    left = {"stateExitedEventDetails": {"name": "TempRemove"}}
    return [
        {"type": "ExecutionStarted", "timestamp": START + timedelta(seconds=begin)},
        {"type": "TaskStateExited", "timestamp": quarantined, **left},
        {"type": "TaskSubmitted", "timestamp": asked},
    ]


def test_the_course_of_a_storm_is_counted_from_its_first_execution() -> None:
    course = storm.Course.of([_history(1.5, 2.5, 3), _history(1, 1.25, 2), _history(2, 6, 9)])
    assert course.rows == [
        ("execution started", "0 ms", "500 ms", "1.0 s"),
        ("policy quarantined", "250 ms", "1.5 s", "5.0 s"),
        ("administrator asked", "1.0 s", "2.0 s", "8.0 s"),
    ]
    assert "policy quarantined" in repr(course)
    assert "<td" in course._repr_html_()


def test_a_storm_is_quarantined_found_and_cleared(calm: Session, app: stack.App) -> None:
    aws, names = calm, storm.names(3)
    iam = aws.client("iam")
    for name in names:
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(incident.DOCUMENT))
    assert storm.wait(aws, names) == 3
    assert not any(policy.versions(aws, name).in_force.grants for name in names)
    executions = storm.executions(aws, app, names)
    assert list(executions) == names
    for name, execution in executions.items():
        incident.wait_for_question(aws, execution)
        assert incident._names(incident._event(aws, execution), name)
    with pytest.raises(WorkbookError, match="workbook-storm-04"):
        storm.executions(aws, app, storm.names(4))
    assert storm.policies(aws) == names
    assert storm.clear(aws, app) == 3
    assert storm.policies(aws) == []
    states = aws.client("stepfunctions")
    ended = [states.describe_execution(executionArn=arn)["status"] for arn in executions.values()]
    assert ended == ["ABORTED"] * 3
    assert storm.clear(aws, app) == 0


def test_who_stays_in_force_is_named(calm: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = storm.names(1)
    monkeypatch.setitem(waiting.PATIENCE_SECONDS, "local", 0)
    iam = calm.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [HARMLESS]})
    iam.create_policy(PolicyName=name, PolicyDocument=document)  # so it stays as it is
    with pytest.raises(WorkbookError, match=f"1 policies are still in force: {name}"):
        storm.wait(calm, [name])


def test_the_invented_are_as_many_as_wanted_and_twelve_grant_too_much() -> None:
    items = audit.invented(1500)
    assert len({item["policy"] for item in items}) == 1500
    restricted = ["s3:DeleteBucket", "s3:DeleteObject"]
    judge = policy._judge().restricted_grants
    offending = [item["policy"] for item in items if judge(item["document"], restricted)]
    assert offending == [f"invented-{number:04}" for number in range(audit.OFFENDERS)]


def test_what_is_in_force_of_a_policy_is_judged() -> None:
    versions = [
        {"VersionId": "v2", "IsDefaultVersion": False, "Document": {"Statement": []}},
        {"VersionId": "v1", "IsDefaultVersion": True, "Document": {"Statement": [HARMLESS]}},
    ]
    described = {"PolicyName": "p", "PolicyVersionList": versions}
    assert audit.item(described) == {"policy": "p", "document": {"Statement": [HARMLESS]}}


def test_the_function_judges_a_batch_as_the_app_judges(aws: Session, app: stack.App) -> None:
    code: dict[str, Any] = {}
    exec(audit.code(aws), code)  # noqa: S102 - it is ours
    items = audit.invented(20)
    found = code["lambda_handler"]({"Items": items}, None)
    assert [each["policy"] for each in found] == [item["policy"] for item in items[:12]]
    assert found[0]["grants"] == policy.restricted_actions(aws)
    assert audit.handler(aws).startswith("RESTRICTED = ['s3:DeleteBucket'")


def test_findings_are_read_by_the_manifest_and_cleared(aws: Session) -> None:
    where = bucket.ensure(aws)
    processor = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": where, "Prefix": f"{audit.PREFIX}results"},
        "WriterConfig": {"OutputType": "JSON", "Transformation": "FLATTEN"},
    }
    state = {
        "Type": "Map",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **processor},
        "ResultWriter": writer,
        "End": True,
    }
    role = laboratory.role(aws, "states:StartExecution", "s3:PutObject")
    definition = {"StartAt": "M", "States": {"M": state}}
    machine = laboratory.machine(aws, "workbook-findings", definition, role)
    execution = laboratory.run(aws, machine, [[{"policy": "b"}, {"policy": "a"}], []])
    assert audit.findings(aws, execution) == [{"policy": "a"}, {"policy": "b"}]
    refused = laboratory.run(aws, machine, {"no": "list"})
    with pytest.raises(WorkbookError, match="The audit failed, so it wrote no results"):
        audit.findings(aws, refused)
    assert audit.clear(aws) > 1
    assert audit.clear(aws) == 0
    laboratory.delete(aws)
