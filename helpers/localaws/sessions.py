"""Sessions of the roles that Step Functions and Lambda take on for a state machine or a function.

On AWS the service calls AssumeRole for them. Here the session is put into MiniStack's STS, with a
key that is made from the server's secret: who knows a role's name, or a function's, cannot make it.
"""

from __future__ import annotations

import base64
import hmac
import os
from dataclasses import dataclass

from ministack.services import iam, sts


@dataclass(frozen=True)
class RoleSession:
    """The credentials of a session, as AssumeRole returns them."""

    access_key: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        """Leave the credentials out: they would end up in logs and tracebacks."""
        return "RoleSession()"


def of(account: str, role: str, name: str, subject: str) -> RoleSession:
    """Return the session ``name`` of an account's role, the same for the same ``subject``.

    The subject is the ARN of what acts with the role. A role that was deleted and made again is
    another one.
    """
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    role_id = (iam._roles.get_scoped(account, None, role) or {}).get("RoleId", role)
    facts = (account, role, role_id, name, subject)
    session = RoleSession(
        f"ASIA{_derived('key', *facts)[:16]}",
        _derived("secret", *facts),
        _derived("token", *facts),
    )
    if session.access_key not in sts._sessions:
        sts.register_session(
            session.access_key,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
                "UserId": f"{role_id}:{name}",
                "SecretAccessKey": session.secret_key,
                "SessionToken": session.token,
                "AccountId": account,
            },
        )
    return session


def _derived(what: str, *subject: str) -> str:
    """Return 52 letters and digits that only this server can make."""
    secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    digest = hmac.digest(secret, "\n".join((what, *subject)).encode(), "sha256")
    return base64.b32encode(digest).decode().rstrip("=")
