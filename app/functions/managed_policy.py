"""The managed policy that an incident is about: its versions, texts and placeholder.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

import base64
import contextlib
import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import boto3
from botocore.config import Config

# In force while a policy waits for its answer. It allows nothing, and its Deny takes nothing away:
# aws:PrincipalArn is never "nobody", and AWS answers GetCallerIdentity even where it is denied
# (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
PLACEHOLDER = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Sid": "QuarantinedUntilSomeoneApproves",
        "Effect": "Deny",
        "Action": "sts:GetCallerIdentity",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalArn": "nobody"}},
    }],
})  # fmt: skip
MAX_VERSIONS = 5
LONG_TEXT = 4_096

iam = boto3.client(
    "iam",
    region_name=os.environ.get("AWS_REGION"),
    # Step Functions retries with patience; here only a hiccup is worth waiting for.
    config=Config(connect_timeout=3, read_timeout=7, retries={"mode": "standard"}),
)


def _keep_text(parsed: dict, **_: object) -> None:
    # botocore turns the document into a dict, which loses its spaces and duplicate keys.
    if "Document" in parsed.get("PolicyVersion", {}):
        document = parsed["PolicyVersion"].pop("Document")
        parsed["PolicyVersion"]["Text"] = unquote(document, errors="strict")


iam.meta.events.register_first("after-call.iam.GetPolicyVersion", _keep_text)


class PolicyNotNamedError(Exception):
    """The event does not tell which policy was changed."""


@dataclass(frozen=True)
class Version:
    """One version of a managed policy, as ListPolicyVersions shows it."""

    id: str
    is_default: bool
    created: datetime


def versions_of(policy_arn: str) -> list[Version]:
    """List the versions, oldest first. Raises iam.exceptions.NoSuchEntityException."""
    answer = iam.list_policy_versions(PolicyArn=policy_arn)  # a page holds 100, a policy has 5
    found = [
        Version(v["VersionId"], v["IsDefaultVersion"], v["CreateDate"]) for v in answer["Versions"]
    ]
    return sorted(found, key=lambda version: int(version.id.removeprefix("v")))


def default_of(versions: list[Version]) -> Version:
    """Pick the version in force: IAM sees to it that there is exactly one."""
    return next(version for version in versions if version.is_default)


def text_of(policy_arn: str, version_id: str) -> str:
    """Read a version's document exactly as its author wrote it."""
    answer = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version_id)
    return answer["PolicyVersion"]["Text"]


def subject_of(incident: dict, detail: dict) -> tuple[str, str]:
    """Tell which policy and which of its versions a CloudTrail event is about: `(arn, "v2")`.

    The three calls say it in three places, CloudTrail leaves out a field over 100 KB, and
    `responseElements` is null for SetDefaultPolicyVersion:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    Raises PolicyNotNamedError.
    """
    request = detail.get("requestParameters") or {}
    response = detail.get("responseElements") or {}
    policy, version = response.get("policy") or {}, response.get("policyVersion") or {}
    arn = policy.get("arn") or request.get("policyArn")
    version_id = (
        policy.get("defaultVersionId") or version.get("versionId") or request.get("versionId")
    )
    if not version_id:
        raise PolicyNotNamedError(f"{incident['eventName']} {incident['eventId']}: no version")
    return arn or _changed_at(version.get("createDate"), incident), version_id


def took_force(incident: dict, detail: dict) -> bool:
    """Tell whether the change put its version in force.

    CreatePolicyVersion says so in its answer:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html
    """
    version = (detail.get("responseElements") or {}).get("policyVersion") or {}
    return incident["eventName"] != "CreatePolicyVersion" or version.get("isDefaultVersion") is True


def _changed_at(created: str | None, incident: dict) -> str:
    """Find the policy of a request that CloudTrail left out, by the time of the change."""
    when = _time(created) or _time(incident["eventTime"])
    pages = iam.get_paginator("list_policies").paginate(Scope="Local")
    near = [
        policy["Arn"]
        for page in pages
        for policy in page["Policies"]
        if when and abs(policy["UpdateDate"] - when) <= timedelta(seconds=2)
    ]
    if len(near) != 1:
        raise PolicyNotNamedError(
            f"{incident['eventName']} {incident['eventId']} names no policy (its request was too "
            f"large for CloudTrail); changed at that time: {', '.join(near) or 'none'}"
        )
    return near[0]


def _time(text: str | None) -> datetime | None:
    """Read a time of CloudTrail's: `2026-11-22T13:00:00Z`, or IAM's `Nov 22, 2026, 1:00:00 PM`."""
    plain = (text or "").replace(",", "").replace("\u202f", " ").removesuffix("Z")
    for pattern in ("%Y-%m-%dT%H:%M:%S", "%b %d %Y %I:%M:%S %p"):
        with contextlib.suppress(ValueError):
            return datetime.strptime(plain, pattern).replace(tzinfo=UTC)
    return None


def pack(text: str, at_most: int | None = None) -> dict:
    """Put a document into the state: as it is, or compressed where spaces have blown it up.

    A state carries at most 256 KiB, a document has up to 131,072 characters (IAM does not count
    white space): https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    One that still needs more than `at_most` characters leaves only its hash.
    """
    hashed = {"sha256": sha256(text)}
    if len(json.dumps(text)) <= LONG_TEXT:
        return {"document": text, **hashed}
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    if at_most is not None and len(packed) > at_most:
        return hashed
    return {"documentZlib": packed, **hashed}


def unpack(packed: dict) -> str:
    """Take back what `pack` was given. Raises ValueError when it is not the same, or not there."""
    if "document" in packed:
        text = packed["document"]
    elif "documentZlib" in packed:
        text = zlib.decompress(base64.b64decode(packed["documentZlib"])).decode()
    else:
        raise ValueError("no text was kept")
    if sha256(text) != packed["sha256"]:
        raise ValueError("the kept document does not have the hash that was taken of it")
    return text


def sha256(text: str) -> str:
    """Hash a document, so that a mail and a history can be compared with it."""
    return hashlib.sha256(text.encode()).hexdigest()
