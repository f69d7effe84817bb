"""PolicyChangerApprove: give a policy back what the quarantine took, to the byte."""

from botocore.exceptions import BotoCoreError, ClientError
from managed_policy import PLACEHOLDER, Version, default_of, iam, text_of, unpack, versions_of


class PolicyChangedMeanwhileError(Exception):
    """Someone changed the policy after it was judged: what was approved is not this."""


class PolicyNotRestoredError(Exception):
    """The approved document could not be put back, or is not in force when read back."""


def lambda_handler(event: dict, context: object) -> dict:  # noqa: ARG001 (Lambda passes it)
    """Carry out the approval of `{"quarantine": ...}`."""
    return restore(event["quarantine"])


def restore(quarantine: dict) -> dict:
    """Restore the withdrawn version that was asked about, unless the policy changed meanwhile.

    A version that was in force comes back in force, another one comes back as it was. Doing it
    again finds the work done. Raises PolicyChangedMeanwhileError and PolicyNotRestoredError.
    """
    policy_arn, approved_id = quarantine["policyArn"], quarantine["restore"]
    item = next((w for w in quarantine["withdrawn"] if w["versionId"] == approved_id), None)
    if item is None:
        raise PolicyNotRestoredError(f"{policy_arn}: no text of {approved_id} was kept")
    try:
        return _restore(policy_arn, item, quarantine)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise PolicyNotRestoredError(f"{policy_arn}: {error}") from error


def _restore(policy_arn: str, item: dict, quarantine: dict) -> dict:
    text, was_default = unpack(item), item["wasDefault"]
    versions = versions_of(policy_arn)
    default = default_of(versions)
    # Only versions made since the quarantine can be an earlier try's work.
    since = [v for v in versions if v.created >= default.created and v.is_default == was_default]
    done = next((v for v in since if text_of(policy_arn, v.id) == text), None)
    if not done:
        _check_unchanged(policy_arn, default, quarantine, was_default)
    restored_id = done.id if done else _put_back(policy_arn, item, versions)
    back = next((v for v in versions_of(policy_arn) if v.id == restored_id), None)
    if back is None or back.is_default != was_default or text_of(policy_arn, back.id) != text:
        raise PolicyNotRestoredError(f"{policy_arn}: {restored_id} is not what was approved")
    _tidy_up(policy_arn)
    return {
        "policyArn": policy_arn,
        "inForceAgain": was_default,
        "versionId": restored_id,
        "alreadyDone": done is not None,
    }


def _check_unchanged(
    policy_arn: str, default: Version, quarantine: dict, was_default: bool
) -> None:
    """Raise PolicyChangedMeanwhileError unless the version in force is the one that was left.

    A policy that was deleted and created again has the same ARN and may have the same version
    ids, but not the same times. And only the placeholder is replaced: what someone put in force
    while the policy was being judged was not asked about.
    """
    left = quarantine["inForce"], quarantine["inForceSince"]
    if (default.id, default.created.isoformat()) != left:
        raise PolicyChangedMeanwhileError(
            f"{policy_arn}: {default.id} is in force since {default.created.isoformat()}, the "
            f"quarantine left {' since '.join(left)}"
        )
    if was_default and text_of(policy_arn, default.id) != PLACEHOLDER:
        raise PolicyChangedMeanwhileError(
            f"{policy_arn}: {default.id} was put in force before the quarantine"
        )


def _put_back(policy_arn: str, item: dict, versions: list[Version]) -> str:
    """Bring the approved text back; return its version's id.

    A version that could not be judged was not deleted: it is made the default again if it was,
    which needs no room among the five versions.
    """
    kept = next((v for v in versions if v.id == item["versionId"]), None)
    if kept and text_of(policy_arn, kept.id) == unpack(item):
        if item["wasDefault"]:
            iam.set_default_policy_version(PolicyArn=policy_arn, VersionId=kept.id)
        return kept.id
    created = iam.create_policy_version(
        PolicyArn=policy_arn, PolicyDocument=unpack(item), SetAsDefault=item["wasDefault"]
    )
    return created["PolicyVersion"]["VersionId"]


def _tidy_up(policy_arn: str) -> None:
    """Delete the placeholders that are not in force any more: they have done their work."""
    for version in versions_of(policy_arn):
        if not version.is_default and text_of(policy_arn, version.id) == PLACEHOLDER:
            iam.delete_policy_version(PolicyArn=policy_arn, VersionId=version.id)
