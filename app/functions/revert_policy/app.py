"""RevertPolicy: put a policy under quarantine, whatever state an earlier try left it in."""

import contextlib
import json
from collections.abc import Iterator

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
    took_force,
    versions_of,
)

# Whoever works against the quarantine has to be faster every time, not once.
ROUNDS = 5


class PolicyNotQuarantinedError(Exception):
    """What the policy grants may still be in force."""


# What someone else's changes between two calls of ours lead to.
INTERFERENCE = (
    PolicyNotQuarantinedError,
    iam.exceptions.DeleteConflictException,  # an old version was put in force again
    iam.exceptions.LimitExceededException,  # the room that was made is taken
    iam.exceptions.NoSuchEntityException,  # the version that was to make room is gone
)


def lambda_handler(event: dict, context: object) -> dict:  # noqa: ARG001 (Lambda passes it)
    """Quarantine the policy of `{"incident": ..., "detail": ..., "validation": ...}`."""
    judged = event["validation"]
    if isinstance(judged, dict) and judged.get("action") == "remedy":
        return quarantine(judged["policyArn"], judged["versionId"], judged["offending"])
    return quarantine_unjudged(event["incident"], event["detail"])


def quarantine_unjudged(incident: dict, detail: dict) -> dict:
    """Quarantine what ValidatePolicy failed to judge: nobody knows what it grants.

    Nothing is deleted, unless five versions leave no room; an approval restores what was in force.
    Raises PolicyNotNamedError and PolicyNotQuarantinedError.
    """
    policy_arn, changed_id = subject_of(incident, detail)
    with _errors_of(policy_arn):
        suspects = _suspects(policy_arn, changed_id, took_force(incident, detail))
    was_in_force = (item["versionId"] for item in suspects if item["wasDefault"])
    return quarantine(policy_arn, next(was_in_force, changed_id), suspects, delete=False)


def quarantine(
    policy_arn: str, restore_id: str, withdrawn: list[dict], *, delete: bool = True
) -> dict:
    """Put the placeholder in force if a withdrawn version is, and delete these versions.

    `withdrawn` brings the texts along, so that they outlive a try that is cut short between a
    deletion and its answer. Returns which version is in force since when, which were withdrawn,
    and which of these an approval restores. Doing it again ends in the same place.
    Raises PolicyNotQuarantinedError.
    """
    ids, made_room = {item["versionId"] for item in withdrawn}, []
    with _errors_of(policy_arn):
        in_force = _insist(policy_arn, ids, delete, made_room)
    return {
        "policyArn": policy_arn,
        "policyName": policy_arn.rpartition("/")[2],
        "inForce": in_force.id,
        "withdrawn": withdrawn + made_room,
        "restore": restore_id,
        "inForceSince": in_force.created.isoformat(),
    }


@contextlib.contextmanager
def _errors_of(policy_arn: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise PolicyNotQuarantinedError(f"{policy_arn}: {error}") from error


def _suspects(policy_arn: str, changed_id: str, took_force: bool) -> list[dict]:
    """Read the version in force and the changed one: nobody could judge them.

    An earlier try may have put the placeholder in force: the changed version was it before, if
    the change `took_force`.
    """
    versions = versions_of(policy_arn)
    texts = {
        v.id: text_of(policy_arn, v.id) for v in versions if v.is_default or v.id == changed_id
    }
    replaced = took_force and texts[default_of(versions).id] == PLACEHOLDER
    return [
        {
            "versionId": v.id,
            "wasDefault": v.is_default or (replaced and v.id == changed_id),
            **pack(texts[v.id]),
        }
        for v in versions
        if v.id in texts and texts[v.id] != PLACEHOLDER
    ]


def _insist(policy_arn: str, ids: set[str], delete: bool, made_room: list[dict]) -> Version:
    """Take the versions out of force, again if someone else's changes come between."""
    for _ in range(ROUNDS - 1):
        try:
            return _take_out(policy_arn, ids, delete, made_room)
        except INTERFERENCE:
            continue
    return _take_out(policy_arn, ids, delete, made_room)


def _take_out(policy_arn: str, ids: set[str], delete: bool, made_room: list[dict]) -> Version:
    versions = versions_of(policy_arn)
    if default_of(versions).id in ids:
        made_room += _make_room(policy_arn, versions, ids, delete)
        iam.create_policy_version(
            PolicyArn=policy_arn, PolicyDocument=PLACEHOLDER, SetAsDefault=True
        )
    for version in versions:
        if delete and version.id in ids:
            _delete(policy_arn, version.id)
    return _verified(policy_arn, ids, delete)


def _make_room(policy_arn: str, versions: list[Version], ids: set[str], delete: bool) -> list[dict]:
    """Delete a version if there are five; return it with its text if that is still worth keeping.

    One goes that goes anyway, else an old placeholder, else the oldest.
    """
    if len(versions) < MAX_VERSIONS:
        return []
    spare = [version for version in versions if not version.is_default]
    texts = {version.id: text_of(policy_arn, version.id) for version in spare}
    victim = min(spare, key=lambda v: ((v.id in ids) != delete, texts[v.id] != PLACEHOLDER))
    text = texts[victim.id]
    # The log keeps what is lost when the next call fails and another try begins.
    print(json.dumps({"policyArn": policy_arn, "madeRoom": victim.id, "document": text}))
    _delete(policy_arn, victim.id)
    if victim.id in ids or text == PLACEHOLDER:
        return []
    return [{"versionId": victim.id, "wasDefault": False, **pack(text, at_most=LONG_TEXT)}]


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
