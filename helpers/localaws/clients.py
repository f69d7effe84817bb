"""The clients with which state machines call other services: with their role's permissions."""

from __future__ import annotations

import functools
import os
import threading
import uuid
from collections.abc import Callable
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from ministack.core.responses import get_account_id

from helpers.localaws.turns import TURNS

SESSION = "StepFunctions"

_making = threading.Lock()  # boto3 sessions are not thread-safe, the clients they make are

# A task may take as long as its own TimeoutSeconds; the connection must not give up before.
_CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    connect_timeout=30,
    read_timeout=900,
    max_pool_connections=256,
    s3={"addressing_style": "path"},
    inject_host_prefix=False,
)

_DENIED = {
    "Error": {"Code": "AccessDenied", "Message": "Cross-account pass role is not allowed."},
    "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "", "HTTPHeaders": {}},
}


def client_for(region: str, service: str, state_credentials: Any = None) -> BaseClient:
    """Return a client of ``service`` that acts as the role in ``state_credentials``.

    Takes the place of moto's ``boto_client_for`` and so has its signature; ``state_credentials``
    has the attribute ``role_arn``, the role of the state machine; for the one that its task
    names it is a ``credentials.BorrowedRole``. Raises ClientError where the role may not be
    taken on.
    """
    if not hasattr(state_credentials, "own_role"):
        return _acting(region, service, state_credentials.role_arn)
    # The own role must be allowed to take on the other, and the other must trust it.
    session = _acting(region, "sts", state_credentials.own_role).assume_role(
        RoleArn=state_credentials.role_arn,
        RoleSessionName=SESSION,
        ExternalId=state_credentials.machine,
    )["Credentials"]
    keys = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    return _client(region, service, *(session[key] for key in keys))


def _acting(region: str, service: str, role_arn: str) -> BaseClient:
    """Return a client that acts as a role of this account."""
    from helpers.localaws import sessions  # MiniStack's services: imported as late as they are

    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    if account != get_account_id():
        raise ClientError(_DENIED, "AssumeRole")
    session = sessions.of(account, role, SESSION, role_arn)
    return _kept(region, service, session.access_key, session.secret_key, session.token)


def _client(region: str, service: str, access_key: str, secret_key: str, token: str) -> BaseClient:
    # A turn would be too long: a service's model is read the first time.
    with TURNS.lent(), _making:
        session = boto3.session.Session(access_key, secret_key, token, region)
        client = session.client(
            service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=_CONFIG
        )
    client._endpoint.http_session.send = _without_a_turn(client._endpoint.http_session.send)
    client.meta.events.register("after-call", _with_request_id)
    return client


def _with_request_id(parsed: dict[str, Any], **_: Any) -> None:
    """AWS's refusals have a request id, MiniStack's have none; moto writes it into the cause."""
    parsed["ResponseMetadata"].setdefault("RequestId", str(uuid.uuid4()))


def _without_a_turn(send: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Wrap the sending of a request: until the answer is there, others are interpreted."""

    def lending(request: Any) -> Any:
        with TURNS.lent():
            return send(request)

    return lending


_kept = functools.lru_cache(maxsize=256)(_client)
