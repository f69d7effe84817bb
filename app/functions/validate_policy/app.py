"""ValidatePolicy: judge whether the policy, as IAM has it now, grants a restricted action."""

import contextlib
import os
import time

from managed_policy import (
    LONG_TEXT,
    PLACEHOLDER,
    Version,
    default_of,
    iam,
    pack,
    subject_of,
    text_of,
    versions_of,
)
from validate_policy.policy_grants import granting_statements, parse_restricted, restricted_grants

RESTRICTED = parse_restricted(os.environ["RESTRICTED_ACTIONS"])
# IAM is eventually consistent: what was just made may not be there yet for everyone.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
PAUSES = (1, 3, 6)
# A document has room for 126 statements that each grant everything: a state has not.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
ENOUGH_STATEMENTS = 20


def lambda_handler(event: dict, context: object) -> dict:  # noqa: ARG001 (Lambda passes it)
    """Judge the policy of `{"incident": ..., "detail": <CloudTrail's record>}`."""
    return validate(event["incident"], event["detail"])


def validate(incident: dict, detail: dict) -> dict:
    """Judge the version in force and the version that the event names.

    Returns `action`, which is `remedy` when one of the two grants a restricted action and `alert`
    when neither does, with the reasons; for `remedy` also every version that grants one, with its
    text. The documents are read from IAM: an event may be cut, late, or delivered twice.
    Raises PolicyNotNamedError, and botocore's errors.
    """
    policy_arn, changed_id = subject_of(incident, detail)
    policy = {"policyArn": policy_arn, "policyName": policy_arn.rpartition("/")[2]}
    for seconds in (*PAUSES, None):
        try:
            return {**policy, **_verdict(policy_arn, changed_id)}
        except iam.exceptions.NoSuchEntityException:
            if seconds:
                time.sleep(seconds)
            elif _is_there(policy_arn):
                raise  # a version in force that is never there to be read is no harmless one
    gone = "The policy, or its version, was deleted before it could be judged."
    return {**policy, "action": "alert", "granted": [], "summary": gone}


def _verdict(policy_arn: str, changed_id: str) -> dict:
    versions = versions_of(policy_arn)
    in_force = default_of(versions)
    texts = {in_force.id: text_of(policy_arn, in_force.id)}
    texts |= _texts(policy_arn, [v for v in versions if v.id == changed_id and v != in_force])
    concerned = [in_force, *(v for v in versions if v.id in texts and v != in_force)]
    decided = next((v for v in concerned if restricted_grants(texts[v.id], RESTRICTED)), None)
    if decided is None:
        return {"action": "alert", "granted": [], "summary": _harmless(texts)}
    texts |= _texts(policy_arn, [v for v in versions if v.id not in texts])
    return {"action": "remedy", **_findings(decided, versions, texts)}


def _texts(policy_arn: str, versions: list[Version]) -> dict[str, str]:
    """Read versions that are not in force: whoever deletes one meanwhile cannot stop the rest."""
    texts = {}
    for version in versions:
        with contextlib.suppress(iam.exceptions.NoSuchEntityException):
            texts[version.id] = text_of(policy_arn, version.id)
    return texts


def _is_there(policy_arn: str) -> bool:
    try:
        return bool(versions_of(policy_arn))
    except iam.exceptions.NoSuchEntityException:
        return False


def _harmless(texts: dict[str, str]) -> str:
    if PLACEHOLDER in texts.values():
        return "The policy is quarantined already, and nothing in force grants a restricted action."
    return f"It grants none of the restricted actions: {', '.join(RESTRICTED)}."


def _findings(decided: Version, versions: list[Version], texts: dict[str, str]) -> dict:
    offending = [v for v in versions if restricted_grants(texts.get(v.id, PLACEHOLDER), RESTRICTED)]
    return {
        "versionId": decided.id,
        "granted": restricted_grants(texts[decided.id], RESTRICTED),
        "statements": granting_statements(texts[decided.id], RESTRICTED)[:ENOUGH_STATEMENTS],
        "createdAt": decided.created.isoformat(),
        "offending": [
            {
                "versionId": v.id,
                "wasDefault": v.is_default,
                **pack(texts[v.id], at_most=None if v == decided else LONG_TEXT),
            }
            for v in offending
        ],
    }
