"""An incident: a bad policy, the execution that it starts, and a second identity to try it."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from helpers import history, waiting
from helpers.errors import UNKNOWN_KEY, WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.session import Session
from helpers.stack import App, running
from helpers.table import sign

POLICY = "my-bad-policy-aws-5-mins"  # the episode's name
NEEDED = "my-bad-policy-that-is-needed"  # the one that is approved
STORM = "workbook-storm-"  # and a number: those of a storm
DOCUMENT = json.loads((CHECKOUT / "data" / "policies" / "bad.json").read_text())
ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")
DELIVERY = "CloudTrail reports a call to EventBridge within seconds to a few minutes."


@dataclass(frozen=True)
class Attempt:
    """What became of one AWS call that may be refused: ``error`` is None where it succeeded."""

    call: str
    error: str | None
    message: str

    def __bool__(self) -> bool:
        return self.error is None

    def __repr__(self) -> str:
        return f"{self.call}: {f'{self.error}. {self.message}' if self.error else 'done'}"

    def _repr_html_(self) -> str:
        verdict = html.escape(self.error or "allowed")
        call, message = html.escape(self.call), html.escape(self.message)
        return f"<div>{sign(bool(self))} <b>{verdict}</b> <code>{call}</code><br>{message}</div>"


def attempt(call: Callable[..., Any], **arguments: Any) -> Attempt:
    """Make an AWS call as ``attempt(s3.delete_bucket, Bucket="b")``; return what became of it."""
    words = ", ".join(f"{key}={_short(value)!r}" for key, value in arguments.items())
    name = f"{call.__name__}({words})"
    try:
        call(**arguments)
    except ClientError as error:
        details = error.response["Error"]
        return Attempt(name, details["Code"], details["Message"])
    return Attempt(name, None, "The call succeeded.")


def _short(value: Any) -> Any:
    """Shorten a long text, such as a task token: it is shown, not used."""
    return f"{value[:20]}…" if isinstance(value, str) and len(value) > 60 else value


@dataclass(frozen=True)
class Mallory:
    """An IAM user without any permission of her own, and her access key (never shown)."""

    session: Session
    access_key: str
    secret_key: str
    _clients: dict[str, BaseClient] = field(default_factory=dict, repr=False, compare=False)

    USER = "mallory"
    PATH = "/step-functions-workbook/"  # tells her from another user of that name

    def __repr__(self) -> str:
        return f"IAM user {self.USER}, access key {self.access_key}"

    def client(self, service: str) -> BaseClient:
        """Return a client that acts as mallory; always the same for a service."""
        if service not in self._clients:
            self._clients[service] = self.session.client_of(
                service, self.access_key, self.secret_key
            )
        return self._clients[service]

    @classmethod
    def hire(cls, session: Session) -> Mallory:
        """Create the user where she is not there, and a new access key for her.

        She begins without permissions: every policy that another lesson has given her is taken
        from her. Her old keys are deleted: IAM allows two, and a notebook that starts again has
        lost them.
        Raises WorkbookError where somebody else in this account has that name, and where AWS does
        not know the new key within a minute.
        """
        iam = session.client("iam")
        if not cls.is_there(session):
            iam.create_user(UserName=cls.USER, Path=cls.PATH)
            iam.get_waiter("user_exists").wait(UserName=cls.USER)
        _disarm(iam)
        _delete_keys(iam)
        key = iam.create_access_key(UserName=cls.USER)["AccessKey"]
        mallory = cls(session, key["AccessKeyId"], key["SecretAccessKey"])
        mallory._wait_until_known()
        return mallory

    def _wait_until_known(self) -> None:
        """On AWS a new key takes some seconds to be known everywhere: S3 is what she uses it for.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
        """
        what, usually = "her new access key to be known", "That takes some seconds."
        if not waiting.settles(self.session, what, self._is_known, usually, 60):
            raise WorkbookError(
                "AWS does not know mallory's new access key yet. Run this cell again in a minute."
            )

    def _is_known(self) -> bool:
        """Whether S3 knows her key: it may well say that she is allowed nothing."""
        return attempt(self.client("s3").list_buckets).error not in UNKNOWN_KEY

    @classmethod
    def is_there(cls, session: Session) -> bool:
        """Whether the workbook's mallory exists. Raises WorkbookError for anybody else's."""
        iam = session.client("iam")
        try:
            found = iam.get_user(UserName=cls.USER)["User"]
        except iam.exceptions.NoSuchEntityException:
            return False
        if found["Path"] != cls.PATH:
            raise WorkbookError(
                f"This account has a user {cls.USER} that is not the workbook's. It is left alone: "
                "use another account."
            )
        return True

    @classmethod
    def dismiss(cls, session: Session) -> bool:
        """Delete the user and all that is hers; return False where there was no such user."""
        if not cls.is_there(session):
            return False
        iam = session.client("iam")
        _disarm(iam)
        _delete_keys(iam)
        iam.delete_user(UserName=cls.USER)
        return True


def _disarm(iam: BaseClient) -> None:
    for policy in iam.list_attached_user_policies(UserName=Mallory.USER)["AttachedPolicies"]:
        iam.detach_user_policy(UserName=Mallory.USER, PolicyArn=policy["PolicyArn"])
    for name in iam.list_user_policies(UserName=Mallory.USER)["PolicyNames"]:
        iam.delete_user_policy(UserName=Mallory.USER, PolicyName=name)


def _delete_keys(iam: BaseClient) -> None:
    for key in iam.list_access_keys(UserName=Mallory.USER)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=Mallory.USER, AccessKeyId=key["AccessKeyId"])


def policy_arn(session: Session, name: str = POLICY) -> str:
    """Return the ARN of a managed policy of this account."""
    return f"arn:aws:iam::{session.account}:policy/{name}"


def create(session: Session, app: App, name: str = POLICY) -> str:
    """Create the bad policy anew under ``name``; return the execution that waits for an answer."""
    clear(session, app, name)
    session.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(DOCUMENT))
    started = execution(session, app, name)
    wait_for_question(session, started)
    return started


def policies(session: Session) -> list[str]:
    """Return the names of the workbook's policies that exist in the account."""
    pages = session.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    names = [policy["PolicyName"] for page in pages for policy in page["Policies"]]
    return sorted(name for name in names if name in (POLICY, NEEDED) or name.startswith(STORM))


def execution(session: Session, app: App, policy: str = POLICY, after: str | None = None) -> str:
    """Return the ARN of the newest execution that is about ``policy``, waiting until it exists.

    ``after`` is an earlier one, which is not waited for again: a second change of the same policy
    starts another. Raises WorkbookError with what may be missing where none appears in time.
    """
    states = session.client("stepfunctions")
    # A policy of the same name may have been there before: its executions are older, or come late.
    made = session.client("iam").get_policy(PolicyArn=policy_arn(session, policy))["Policy"]
    known = _event(session, after).get("eventID") if after else None
    for _ in waiting.looks(session, f"an execution about {policy} to start", DELIVERY):
        for found in states.list_executions(stateMachineArn=app.state_machine)["executions"]:
            if found["executionArn"] == after:
                break
            if found["startDate"] < made["CreateDate"].replace(microsecond=0):
                continue
            event = _event(session, found["executionArn"])
            # EventBridge may deliver an event twice.
            new = known is None or event.get("eventID") != known
            if new and _names(event, policy) and _created_by(event) in (None, made["PolicyId"]):
                return found["executionArn"]
    raise WorkbookError(
        f"No execution about {policy} has started within "
        f"{waiting.PATIENCE_SECONDS[session.target]} s. AWS promises no time for it, and a new "
        "trail's first events come late: run this cell again. If none comes, is a CloudTrail trail "
        "logging? 00_start_here checks it. And was the policy created after the app was deployed?"
    )


def _event(session: Session, execution_arn: str) -> dict[str, Any]:
    """Return what CloudTrail has told of the call that started an execution.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    described = session.client("stepfunctions").describe_execution(executionArn=execution_arn)
    return json.loads(described["input"]).get("detail", {})


def _names(event: dict[str, Any], policy: str) -> bool:
    parameters = event.get("requestParameters") or {}
    named = parameters.get("policyName") or parameters.get("policyArn", "").rsplit("/", 1)[-1]
    return named == policy


def _created_by(event: dict[str, Any]) -> str | None:
    """Return the ID of the policy that this call has created, None where it changed another.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html
    """
    created = (event.get("responseElements") or {}).get("policy") or {}
    return created.get("policyId")


def wait_for_question(session: Session, execution_arn: str) -> list[dict[str, Any]]:
    """Wait until an execution has asked the administrator (TaskSubmitted); return its history."""

    def asked(events: list[dict[str, Any]], _: bool) -> bool:
        return any(event["type"] == "TaskSubmitted" for event in events)

    return _wait_for(session, execution_arn, asked, "ask for a decision")


def wait_for_end(session: Session, execution_arn: str) -> list[dict[str, Any]]:
    """Wait until an execution has ended; return its history."""
    return _wait_for(session, execution_arn, lambda _, over: over, "end")


def _wait_for(
    session: Session,
    execution_arn: str,
    reached: Callable[[list[dict[str, Any]], bool], bool],
    what: str,
) -> list[dict[str, Any]]:
    """Look until the history, and whether the execution is over, is what is waited for."""
    states = session.client("stepfunctions")
    described, events = {}, []
    for _ in waiting.looks(session, f"the execution to {what}"):
        described = states.describe_execution(executionArn=execution_arn)
        events = history.events(states, execution_arn)
        # Both: the last event may be there before the status is, and after a redrive it may still
        # be the one from before.
        ended = bool(events) and events[-1]["type"] in ENDS
        over = ended and described["status"] != "RUNNING"
        if reached(events, over):
            return events
        if over:
            break
    last = next(reversed(_entered(events)), "none")
    why = f"{described['error']}: {described.get('cause', '')}" if "error" in described else ""
    raise WorkbookError(
        f"The execution is {described['status']} and did not {what}. Its last step: {last}. "
        f"{why or 'Look at its history.'}"
    )


def _entered(events: list[dict[str, Any]]) -> list[str]:
    return [
        event["stateEnteredEventDetails"]["name"]
        for event in events
        if event["type"].endswith("StateEntered")
    ]


def exposure(
    session: Session, events: list[dict[str, Any]], policy: str = POLICY
) -> history.Exposure:
    """Return how long a policy was dangerous: from its creation until TempRemove was left.

    IAM keeps the time of creation in whole seconds, hence two bounds. It was at least as long
    as the execution took. Raises WorkbookError where there was no quarantine.
    """
    left = [
        event["timestamp"]
        for event in events
        if event["type"] == "TaskStateExited"
        and event["stateExitedEventDetails"]["name"] == "TempRemove"
    ]
    if not left:
        raise WorkbookError("This policy was not quarantined: the execution never left TempRemove.")
    found = session.client("iam").get_policy(PolicyArn=policy_arn(session, policy))["Policy"]
    at_most = (left[0] - found["CreateDate"]).total_seconds()
    execution_took = (left[0] - events[0]["timestamp"]).total_seconds()
    return history.Exposure(max(at_most - 1, execution_took), at_most)


def clear(session: Session, app: App | None, name: str = POLICY) -> bool:
    """Delete a policy with its versions and attachments, and stop executions that wait for it.

    Returns False where there was no such policy. Lets a notebook be run again from the top.
    """
    if app:
        _stop_executions(session, app, name)
    iam, arn = session.client("iam"), policy_arn(session, name)
    try:
        entities = iam.list_entities_for_policy(PolicyArn=arn)
    except iam.exceptions.NoSuchEntityException:
        return False
    for user in entities["PolicyUsers"]:
        iam.detach_user_policy(UserName=user["UserName"], PolicyArn=arn)
    delete_policy(session, arn)
    return True


def delete_policy(session: Session, arn: str) -> None:
    """Delete a policy that is attached to nobody, with its versions, if it is there.

    A function that is at work when its execution is stopped goes on, and may change versions.
    """
    iam = session.client("iam")

    def delete() -> None:
        try:
            versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        except iam.exceptions.NoSuchEntityException:
            return
        for version in versions:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=arn)

    what, changed = f"the guard to let go of {arn}", waiting.coded("NoSuchEntity", "DeleteConflict")
    waiting.insist(session, what, delete, changed, patience=20)


def _stop_executions(session: Session, app: App, policy: str) -> None:
    states = session.client("stepfunctions")
    for asking in running(session, app.state_machine):
        if _names(_event(session, asking), policy):
            states.stop_execution(executionArn=asking, cause=f"{policy} was deleted")
