"""PolicyChangerApprove: give a policy back what the quarantine took, to the byte."""

from botocore.exceptions import BotoCoreError, ClientError
from managed_policy import Version, default_of, iam, text_of, unpack, versions_of


class PolicyChangedMeanwhileError(Exception):
    """Someone changed the policy after it was quarantined: what was approved is not this."""


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
        return _restore(policy_arn, item, quarantine["inForce"])
    except (BotoCoreError, ClientError, ValueError) as error:
        raise PolicyNotRestoredError(f"{policy_arn}: {error}") from error


def _restore(policy_arn: str, item: dict, in_force_id: str) -> dict:
    text, was_default = unpack(item), item["wasDefault"]
    restored = {"policyArn": policy_arn, "inForceAgain": was_default}
    versions = versions_of(policy_arn)
    default = default_of(versions)
    # Only versions made since the quarantine can be an earlier try's work.
    since = [v for v in versions if v.created >= default.created and v.is_default == was_default]
    done = next((v for v in since if text_of(policy_arn, v.id) == text), None)
    if done:
        return {**restored, "versionId": done.id, "alreadyDone": True}
    if default.id != in_force_id:
        raise PolicyChangedMeanwhileError(
            f"{policy_arn}: {default.id} is in force, the quarantine left {in_force_id}"
        )
    created = _put_back(policy_arn, item, versions)
    back = next((v for v in versions_of(policy_arn) if v.id == created), None)
    if back is None or back.is_default != was_default or text_of(policy_arn, created) != text:
        raise PolicyNotRestoredError(f"{policy_arn}: {created} is not what was approved")
    if was_default:  # then the quarantine left the placeholder, which has done its work
        iam.delete_policy_version(PolicyArn=policy_arn, VersionId=in_force_id)
    return {**restored, "versionId": created, "alreadyDone": False}


def _put_back(policy_arn: str, item: dict, versions: list[Version]) -> str:
    """Bring the approved text back; return its version's id.

    A version that could not be judged was not deleted: it is made the default again, which needs
    no room among the five versions.
    """
    kept = next((v for v in versions if v.id == item["versionId"]), None)
    if kept and item["wasDefault"] and text_of(policy_arn, kept.id) == unpack(item):
        iam.set_default_policy_version(PolicyArn=policy_arn, VersionId=kept.id)
        return kept.id
    created = iam.create_policy_version(
        PolicyArn=policy_arn, PolicyDocument=unpack(item), SetAsDefault=item["wasDefault"]
    )
    return created["PolicyVersion"]["VersionId"]
