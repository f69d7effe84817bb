"""An audit: the policies of an account as a file of items, the judge for them, and the findings."""

from __future__ import annotations

import json
from typing import Any

from helpers import bucket, policy
from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.session import Session

PREFIX = "audit/"  # in the workbook's bucket
# "Customer managed policies in an AWS account": 1,500 by default
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICIES = 1500
OFFENDERS = 12

_GRANTS = CHECKOUT / "app" / "functions" / "validate_policy" / "policy_grants.py"
_HARMLESS = ("ec2:Describe*", "logs:GetLogEvents", "s3:GetObject", "sqs:SendMessage")
_OFFENDING = ("s3:Delete*", "s3:*", "*")

_HANDLER = '''
RESTRICTED = {restricted!r}


def lambda_handler(event, context):
    """Return the policies of a batch that grant a restricted action, and which."""
    judged = [
        {{"policy": item["policy"], "grants": restricted_grants(item["document"], RESTRICTED)}}
        for item in event["Items"]
    ]
    return [found for found in judged if found["grants"]]
'''


def handler(session: Session) -> str:
    """Return the Lambda handler that judges a batch, with the app's restricted actions in it."""
    return _HANDLER.format(restricted=policy.restricted_actions(session)).lstrip()


def code(session: Session) -> str:
    """Return the code of a function that judges batches: the app's own judge, and the handler."""
    return f"{_GRANTS.read_text()}\n\n{handler(session)}"


def item(described: dict[str, Any]) -> dict[str, Any]:
    """Return what is judged of a policy that GetAccountAuthorizationDetails describes.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ManagedPolicyDetail.html
    """
    in_force = next(
        version["Document"]
        for version in described["PolicyVersionList"]
        if version["IsDefaultVersion"]
    )
    return {"policy": described["PolicyName"], "document": in_force}


def invented(count: int) -> list[dict[str, Any]]:
    """Return so many items that are no policies of any account; the first twelve grant too much."""
    return [_invented(number) for number in range(count)]


def _invented(number: int) -> dict[str, Any]:
    actions = ["s3:ListBucket", _HARMLESS[number % len(_HARMLESS)]]
    if number < OFFENDERS:
        actions.append(_OFFENDING[number % len(_OFFENDING)])
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"policy": f"invented-{number:04}", "document": document}


def findings(session: Session, execution: str) -> list[dict[str, Any]]:
    """Return what the children of an execution's Map Run have written, item by item.

    The state's output names a manifest, and that the files. Raises WorkbookError where the
    execution has failed, and so has no output.
    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    states = session.client("stepfunctions")
    described = states.describe_execution(executionArn=execution)
    if "output" not in described:
        raise WorkbookError(
            "The audit failed, so it wrote no results. Run this notebook from its first cell again."
        )
    output = json.loads(described["output"])
    manifest = _read(session, output["ResultWriterDetails"]["Key"])
    files = manifest["ResultFiles"]["SUCCEEDED"]
    found = [item for file in files for item in _read(session, file["Key"])]
    return sorted(found, key=lambda finding: finding["policy"])


def _read(session: Session, key: str) -> Any:
    found = session.client("s3").get_object(Bucket=bucket.name(session), Key=key)
    return json.loads(found["Body"].read())


def clear(session: Session) -> int:
    """Delete what audits have read and written; return how many objects there were."""
    s3, name = session.client("s3"), bucket.name(session)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=PREFIX)
    keys = [{"Key": item["Key"]} for page in pages for item in page.get("Contents", [])]
    for first in range(0, len(keys), 1000):  # as many as a call takes
        s3.delete_objects(Bucket=name, Delete={"Objects": keys[first : first + 1000]})
    return len(keys)
