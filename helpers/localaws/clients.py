"""The clients with which state machines call other services: with their role's permissions."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from helpers.localaws.turns import TURNS

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


def client_for(region: str, service: str, state_credentials: Any = None) -> BaseClient:
    """Return a client of ``service`` that acts as the role in ``state_credentials``.

    Takes the place of moto's ``boto_client_for`` and so has its signature; ``state_credentials``
    has the attribute ``role_arn``, the role of the state machine or the one its task names.
    """
    # A turn would be too long: a service's model is read the first time.
    with TURNS.lent(), _making:
        return _client(region, service, state_credentials.role_arn)


@functools.lru_cache(maxsize=256)
def _client(region: str, service: str, role_arn: str) -> BaseClient:
    access_key, secret_key, token = _assume(role_arn)
    session = boto3.session.Session(access_key, secret_key, token, region)
    client = session.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=_CONFIG)
    client._endpoint.http_session.send = _without_a_turn(client._endpoint.http_session.send)
    return client


def _without_a_turn(send: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Wrap the sending of a request: until the answer is there, others are interpreted."""

    def lending(request: Any) -> Any:
        with TURNS.lent():
            return send(request)

    return lending


def _assume(role_arn: str) -> tuple[str, str, str]:
    """Register a session of the role with MiniStack's STS, as its Lambda runtime does."""
    from ministack.services import sts

    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{role_arn}{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()).hexdigest()
    access_key, secret_key, token = f"ASIA{digest[:16].upper()}", digest[16:56], digest
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/StepFunctions",
            "UserId": f"{role}:StepFunctions",
            "SecretAccessKey": secret_key,
            "SessionToken": token,
            "AccountId": account,
        },
    )
    return access_key, secret_key, token
