"""Policies: what is a document, SetDefaultPolicyVersion, numbers never reused, escaped texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.services import iam
from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMPolicyDocumentValidator

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], Answer]
Validator = Callable[[str | dict[str, Any]], str | None]

# Of the policy language: a document without a version is of the earlier one.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
EARLIER, CURRENT = "2008-10-17", "2012-10-17"


def install() -> None:
    """Put this module's operations into MiniStack's IAM."""
    iam._IAM_HANDLERS["SetDefaultPolicyVersion"] = set_default_policy_version
    iam._IAM_HANDLERS["CreatePolicy"] = _current(iam._create_policy)
    iam._IAM_HANDLERS["CreatePolicyVersion"] = _current(_counting(iam._create_policy_version))
    iam._managed_policy_xml = _escaped(iam._managed_policy_xml)
    iam_evaluator.validate_policy_document = _to_the_letter(iam_evaluator.validate_policy_document)


def set_default_policy_version(parameters: dict[str, Any]) -> Answer:
    """SetDefaultPolicyVersion: the version is in force from now on.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html
    """
    arn, version_id = iam._p(parameters, "PolicyArn"), iam._p(parameters, "VersionId")
    policy = iam._policies.get(arn)
    if policy is None or version_id not in policy["Versions"]:
        message = f"Policy {arn} version {version_id} does not exist or is not attachable."
        return iam._error(404, "NoSuchEntity", message, ns="iam")
    for name, version in policy["Versions"].items():
        version["IsDefaultVersion"] = name == version_id
    policy["DefaultVersionId"] = version_id
    return iam._xml(200, "SetDefaultPolicyVersionResponse", "", ns="iam")


def _to_the_letter(validate: Validator) -> Validator:
    """Wrap the check of a document: MiniStack looks for elements, and not at what they hold.

    What is wrong there, moto says in AWS's words. It would have the current version of the language
    in every document; AWS takes inline policies in the earlier one too.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """

    def validated(document: str | dict[str, Any]) -> str | None:
        if said := validate(document):
            return said
        read = json.loads(document) if isinstance(document, str) else document
        if read.get("Version", EARLIER) == EARLIER:
            read = {**read, "Version": CURRENT}
        try:
            IAMPolicyDocumentValidator(json.dumps(read)).validate()
        except MalformedPolicyDocument as error:
            return error.message
        except (AttributeError, TypeError):  # in a list there is something that is not text
            return "Syntax errors in policy."
        return None

    return validated


def _current(create: Operation) -> Operation:
    """Wrap what takes a managed policy's document: AWS has it in the current language only.

    https://github.com/Meteor-Community-Packages/Meteor-CollectionFS/issues/630 shows the refusal.
    """

    def current(parameters: dict[str, Any]) -> Answer:
        if _version(iam._p(parameters, "PolicyDocument")) == EARLIER:
            message = f"Policy document must be version {CURRENT} or greater."
            return iam._error(400, "MalformedPolicyDocument", message, ns="iam")
        return create(parameters)

    return current


def _version(document: str) -> object:
    """Read which version of the language a document is in; None, where it is no document."""
    try:
        read = json.loads(document)
    except ValueError:
        return None
    return read.get("Version", EARLIER) if isinstance(read, dict) else None


def _counting(create: Operation) -> Operation:
    """Wrap CreatePolicyVersion: MiniStack counts from the highest version that is left.

    On AWS the number of a deleted version is not given out again.
    """

    def counting(parameters: dict[str, Any]) -> Answer:
        status, headers, body = create(parameters)
        if status != 200:
            return status, headers, body
        policy = iam._policies[iam._p(parameters, "PolicyArn")]
        versions = policy["Versions"]
        given = list(versions)[-1]
        policy["Counted"] = max(policy.get("Counted", 1) + 1, int(given[1:]))
        counted = f"v{policy['Counted']}"
        versions[counted] = {**versions.pop(given), "VersionId": counted}
        if versions[counted]["IsDefaultVersion"]:
            policy["DefaultVersionId"] = counted
        return status, headers, body.replace(f">{given}<".encode(), f">{counted}<".encode())

    return counting


def _escaped(to_xml: Callable[..., str]) -> Callable[..., str]:
    """Wrap what describes a policy: a path may hold `<` and `&`, a description anything.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
    """

    def escaped(arn: str, *arguments: Any, **named: Any) -> str:
        policy, xml = iam._lookup_policy(arn), to_xml(arn, *arguments, **named)
        for text in {arn, policy["Path"], policy.get("Description") or ""}:
            xml = xml.replace(f">{text}<", f">{escape(text)}<")
        return xml

    return escaped
