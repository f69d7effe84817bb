"""Who made a call, as CloudTrail writes it: root, a user, or a role with who took it on.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import CredentialResolutionError, ResolvedCredential
from ministack.core.responses import _account_from_sts_session, get_account_id
from ministack.services import iam, sts

Identity = dict[str, Any]


def user_identity(access_key: str) -> Identity | None:
    """Return the userIdentity of an access key, None for one that is nobody's."""
    account = _account_from_sts_session(access_key) or get_account_id()
    credential = iam_evaluator.resolve_credential(access_key, account)
    if isinstance(credential, CredentialResolutionError):
        return None
    identity = {
        "type": {"User": "IAMUser"}.get(credential.principal_type, credential.principal_type),
        "principalId": credential.principal_id,
        "arn": credential.principal_arn,
        "accountId": credential.account_id,
        "accessKeyId": access_key,
    }
    if credential.principal_type == "User":
        identity["userName"] = credential.principal_name
    session = sts._sessions.get(access_key)
    if session is not None:
        began = datetime.fromtimestamp(session["IssuedAt"], UTC)
        attributes = {
            "creationDate": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "mfaAuthenticated": "false",
        }
        identity["sessionContext"] = {**_issuer(credential), "attributes": attributes}
    return identity


def _issuer(credential: ResolvedCredential) -> Identity:
    """Return the role behind a session; who asks for a session of his own has none."""
    if credential.principal_type != "AssumedRole":
        return {}
    account, name = credential.account_id, credential.principal_arn.split("/")[-2]
    role = iam._roles.get_scoped(account, None, name) or {}
    issuer = {
        "type": "Role",
        "principalId": role.get("RoleId", ""),
        "arn": role.get("Arn", f"arn:aws:iam::{account}:role/{name}"),
        "accountId": account,
        "userName": name,
    }
    return {"sessionIssuer": issuer}


def user_name(identity: Identity) -> str:
    """Name the caller as LookupEvents does: a user's name, a role session's, or root."""
    if identity["type"] == "AssumedRole":
        return identity["arn"].rsplit("/", 1)[-1]
    return identity.get("userName", "root")
