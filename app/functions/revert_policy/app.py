"""RevertPolicy: put a policy under quarantine, whatever state an earlier try left it in."""

from botocore.exceptions import BotoCoreError, ClientError
from managed_policy import (
    LONG_TEXT,
    MAX_VERSIONS,
    PLACEHOLDER,
    Version,
    default_of,
    iam,
    pack,
    subject_of,
    text_of,
    versions_of,
)


class PolicyNotQuarantinedError(Exception):
    """What the policy grants may still be in force."""


def lambda_handler(event: dict, context: object) -> dict:  # noqa: ARG001 (Lambda passes it)
    """Quarantine the policy of `{"incident": ..., "detail": ..., "validation": ...}`.

    Where ValidatePolicy failed, `validation` holds its error, and nobody knows what the policy
    grants: it is quarantined all the same, and nothing is deleted.
    """
    judged = event["validation"]
    if judged.get("action") == "remedy":
        return quarantine(judged["policyArn"], judged["versionId"], judged["offending"])
    policy_arn, changed_id = subject_of(event["incident"], event["detail"])
    return quarantine(policy_arn, changed_id, None)


def quarantine(policy_arn: str, decided_id: str, offending: list[dict] | None) -> dict:
    """Put the placeholder in force if an offending version is; delete those that offend.

    `offending` brings the texts along, so that they outlive a try that is cut short between a
    deletion and its answer; None means unjudged. Returns which version is in force, which were
    withdrawn, and which of these an approval restores. Doing it again ends in the same place.
    Raises PolicyNotQuarantinedError.
    """
    try:
        versions = versions_of(policy_arn)
        delete = offending is not None
        withdrawn = offending if delete else _suspects(policy_arn, versions, decided_id)
        ids = {item["versionId"] for item in withdrawn}
        if default_of(versions).id in ids:
            withdrawn = withdrawn + _replace_default(policy_arn, versions, ids)
        for version in versions:
            if delete and version.id in ids:
                _delete(policy_arn, version.id)
        in_force = _verified(policy_arn, ids, delete)
    except (BotoCoreError, ClientError) as error:
        raise PolicyNotQuarantinedError(f"{policy_arn}: {error}") from error
    return {
        "policyArn": policy_arn,
        "policyName": policy_arn.rpartition("/")[2],
        "inForce": in_force.id,
        "withdrawn": withdrawn,
        "restore": decided_id,
    }


def _suspects(policy_arn: str, versions: list[Version], changed_id: str) -> list[dict]:
    suspects = [v for v in versions if v.is_default or v.id == changed_id]
    texts = {version.id: text_of(policy_arn, version.id) for version in suspects}
    return [_item(v, texts[v.id]) for v in suspects if texts[v.id] != PLACEHOLDER]


def _item(version: Version, text: str, at_most: int | None = None) -> dict:
    kept = pack(text, at_most)
    return {"versionId": version.id, "wasDefault": version.is_default, **kept}


def _replace_default(policy_arn: str, versions: list[Version], ids: set[str]) -> list[dict]:
    """Put the placeholder in force; returns a harmless version that had to make room for it."""
    made_room = []
    if len(versions) >= MAX_VERSIONS:
        spare = [version for version in versions if not version.is_default]
        victim = next((version for version in spare if version.id in ids), spare[0])
        if victim.id not in ids:
            made_room = [_item(victim, text_of(policy_arn, victim.id), at_most=LONG_TEXT)]
        _delete(policy_arn, victim.id)
    iam.create_policy_version(PolicyArn=policy_arn, PolicyDocument=PLACEHOLDER, SetAsDefault=True)
    return made_room


def _delete(policy_arn: str, version_id: str) -> None:
    try:
        iam.delete_policy_version(PolicyArn=policy_arn, VersionId=version_id)
    except iam.exceptions.NoSuchEntityException:
        pass  # an earlier try, or someone else, was here first


def _verified(policy_arn: str, ids: set[str], deleted: bool) -> Version:
    """Read back: no offending version is in force, and none that was deleted is there."""
    versions = versions_of(policy_arn)
    in_force = default_of(versions)
    left = ids & ({version.id for version in versions} if deleted else {in_force.id})
    if left:
        raise PolicyNotQuarantinedError(f"{policy_arn}: {', '.join(sorted(left))} came back")
    return in_force
