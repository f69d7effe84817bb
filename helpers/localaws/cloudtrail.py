"""CloudTrail: calls are remembered for LookupEvents and, with a trail, told to EventBridge.

Neither library delivers management events.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import ministack.app
from ministack.core import iam_evaluator
from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_region, get_request_client_ip, request_scope
from ministack.core.router import extract_access_key_id
from ministack.services import eventbridge

from helpers.localaws import lookups, trails
from helpers.localaws.identities import user_identity
from helpers.localaws.management import Answer, Document, call_of, management_event
from helpers.localaws.turns import TURNS

# IAM is a global service: its events arrive in us-east-1 only.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
GLOBAL_REGION = "us-east-1"

Dispatch = Callable[..., Awaitable[Answer]]


def install() -> None:
    """Watch every request that MiniStack dispatches, also those that it denies."""
    ministack.app._dispatch_service_request = _watched(ministack.app._dispatch_service_request)
    lookups.install()
    trails.install()


def _watched(dispatch: Dispatch) -> Dispatch:
    async def watched(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, list[str]],
        request_id: str,
    ) -> Answer:
        call = call_of(headers, body)
        access_key = extract_access_key_id(headers, query)
        # Who asks is looked up before the call: it may delete the user or the key.
        identity = user_identity(access_key) if call else None
        answer = await dispatch(method, path, headers, body, query, request_id)
        # A request whose signature was not good is nobody's.
        if call and identity and iam_evaluator._verified_key.get() == access_key:
            region = GLOBAL_REGION if call.service == "iam" else get_region()
            agent = headers.get("user-agent", "")
            origin = (region, agent, get_request_client_ip(), request_id)
            _record(management_event(call, identity, origin, answer))
        return answer

    return watched


def _record(event: Document) -> None:
    """Keep an event, and deliver it behind the caller's back, as on AWS, if a trail logs now.

    Reads are not delivered: a rule has to ask for them, and none here can.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
    """
    lookups.remember(event, time.time())
    if not event["readOnly"] and trails.log(event):
        spawn_background(_deliver, event, thread_name="cloudtrail")


def _deliver(event: dict[str, Any]) -> None:
    entry = {
        "Source": f"aws.{event['eventSource'].partition('.')[0]}",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(event),
    }
    # In turns: many calls at once must not hold up the next one.
    with TURNS.taken(), request_scope(event["recipientAccountId"], event["awsRegion"]):
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
