"""``make tour``: the whole episode twice, denied and approved, each step checked.

Prints a line a step and, last, one JSON line of seconds. The exit status is 0 only if every
check held.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers import (
    approval,
    bucket,
    history,
    inbox,
    incident,
    inventory,
    localaws,
    policy,
    stack,
    trail,
    waiting,
)
from helpers.errors import WorkbookError, explain
from helpers.session import Session, connect
from helpers.stack import App

# The events that AWS shows for the approved execution, in AWS's order.
_LAMBDA = ("Scheduled", "Started", "Succeeded")
_ASK = ("TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded")
APPROVED_EVENTS = [
    "ExecutionStarted",
    *("PassStateEntered", "PassStateExited"),
    *("TaskStateEntered", *(f"LambdaFunction{end}" for end in _LAMBDA), "TaskStateExited"),
    *("ChoiceStateEntered", "ChoiceStateExited"),
    *("TaskStateEntered", *(f"LambdaFunction{end}" for end in _LAMBDA), "TaskStateExited"),
    *("TaskStateEntered", *_ASK, "TaskStateExited"),
    *("ChoiceStateEntered", "ChoiceStateExited"),
    *("TaskStateEntered", *(f"LambdaFunction{end}" for end in _LAMBDA), "TaskStateExited"),
    "ExecutionSucceeded",
]


class CheckError(WorkbookError):
    """A check of the tour did not hold."""


class Clock:
    """The seconds of each measured step, and a line on the screen when it is done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str, words: str) -> Iterator[None]:
        """Measure a step as ``name`` and print ``words`` with its seconds."""
        started = time.perf_counter()
        yield
        self.note(name, time.perf_counter() - started, words)

    def note(self, name: str, seconds: float, words: str) -> None:
        """Record a measured duration and print it."""
        self.seconds[name] = round(seconds, 3)
        print(f"  {seconds:7.3f} s  {words}", flush=True)


def main() -> int:
    """Take the tour on a local AWS of its own; return the exit status."""
    print("The episode, start to finish, on a fresh local AWS:")
    started = time.perf_counter()
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="workbook-tour-") as folder:
        state = Path(folder) / "state.json"
        try:
            with clock.step("local_aws_started", "the local AWS answers"):
                session = connect("local", state=state)
            tour(session, clock)
        except Exception as error:
            sentence = explain(error)
            if sentence is None:
                raise
            print(f"  FAILED     {sentence}", file=sys.stderr)
            return 1
        finally:
            localaws.stop(state)
    clock.seconds["total"] = round(time.perf_counter() - started, 3)
    print(json.dumps(clock.seconds))
    return 0


def tour(session: Session, clock: Clock) -> None:
    """Go through the episode. Raises CheckError as soon as something is not as it should be."""
    app = _deploy(session, clock)
    mallory = _meet_mallory(session, clock)

    first = _catch(session, app, clock, "first", mallory)
    _deny(session, first, clock, mallory)

    incident.clear(session, app)
    second = _catch(session, app, clock, "warm", mallory)
    _approve(session, second, clock, mallory)

    _clean_up(session, clock)


def check(claim: str, holds: object) -> None:
    """Raise CheckError unless ``holds`` is true."""
    if not holds:
        raise CheckError(f"This should be so, and is not: {claim}.")


def _deploy(session: Session, clock: Clock) -> App:
    with clock.step("deploy", f"deployed as {stack.RESOURCES} resources"):
        trail.ensure(session)
        app = stack.deploy(session)
    found = stack.resources(session)
    check(
        f"the stack has {stack.RESOURCES} resources ({len(found)})", len(found) == stack.RESOURCES
    )
    pending = _subscription(session, app)
    check(
        "before its link is followed, the subscription is pending", pending == "PendingConfirmation"
    )
    with clock.step("subscription_confirmed", "subscription confirmed by the mail's link"):
        answer = inbox.confirm_subscription(session)
    check("the link confirms", answer.status == 200)
    check("the subscription has an ARN", _subscription(session, app).startswith("arn:"))
    return app


def _subscription(session: Session, app: App) -> str:
    sns = session.client("sns")
    found = sns.list_subscriptions_by_topic(TopicArn=app.topic)["Subscriptions"]
    return found[0]["SubscriptionArn"]


def _meet_mallory(session: Session, clock: Clock) -> incident.Mallory:
    with clock.step("mallory", "mallory is refused before the incident: AccessDenied"):
        mallory = incident.Mallory.hire(session)
        _check_refused(mallory)
    return mallory


def _check_refused(mallory: incident.Mallory) -> None:
    attempt = incident.attempt(
        mallory.client("s3").delete_bucket, Bucket=bucket.bait(mallory.session)
    )
    check(f"mallory is refused ({attempt})", attempt.error == "AccessDenied")


def _catch(session: Session, app: App, clock: Clock, when: str, mallory: incident.Mallory) -> str:
    iam, arn = session.client("iam"), incident.policy_arn(session)
    started = time.perf_counter()
    iam.create_policy(PolicyName=incident.POLICY, PolicyDocument=json.dumps(incident.DOCUMENT))
    _wait_for_quarantine(session)
    seconds = time.perf_counter() - started
    clock.note(
        f"created_to_quarantined_{when}", seconds, f"policy created and quarantined ({when})"
    )
    iam.attach_user_policy(UserName=mallory.USER, PolicyArn=arn)
    _check_refused(mallory)
    execution = incident.execution(session, app)
    with clock.step(f"asked_{when}", "the administrator has been asked, by mail"):
        events = incident.wait_for_question(session, execution)
        mail = inbox.newest(session, incident.POLICY)
    check("the mail has a link to allow", "allow" in mail.link("allow"))
    check("the history shows the token", approval.token(events))
    return execution


def _wait_for_quarantine(session: Session) -> None:
    iam, arn = session.client("iam"), incident.policy_arn(session)
    deadline = time.perf_counter() + waiting.PATIENCE_SECONDS[session.target]
    while time.perf_counter() < deadline:
        default = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        if default != "v1":
            return
        time.sleep(0.002)  # this wait is measured
    raise CheckError("The bad policy was not quarantined: its first version is still the default.")


def _deny(session: Session, execution: str, clock: Clock, mallory: incident.Mallory) -> None:
    states = session.client("stepfunctions")
    events = history.events(states, execution)
    with clock.step("denied_to_succeeded", "denied by a call, execution SUCCEEDED"):
        approval.decide(session, approval.token(events), allow=False)
        events = incident.wait_for_end(session, execution)
    check("a denied execution ends SUCCEEDED", events[-1]["type"] == "ExecutionSucceeded")
    check("a denied execution goes through Denied", "Denied" in _steps(events))
    _check_refused(mallory)
    _check_token_is_used(session, events)


def _approve(session: Session, execution: str, clock: Clock, mallory: incident.Mallory) -> None:
    link = inbox.newest(session, incident.POLICY).link("allow")
    page = inbox.open_link(link)
    check(f"the link shows a page ({page.status})", page.status == 200)
    status = session.client("stepfunctions").describe_execution(executionArn=execution)["status"]
    check("looking at the page decides nothing", status == "RUNNING")
    with clock.step("approved_to_succeeded", "approved by the mail's link, execution SUCCEEDED"):
        answer = inbox.press_button(link)
        events = incident.wait_for_end(session, execution)
    check(f"the button is acknowledged ({answer.status})", answer.status == 200)
    types = [event["type"] for event in events]
    check("the events are AWS's, in AWS's order", types == APPROVED_EVENTS)
    previous = [event["previousEventId"] for event in events]
    check("each event follows the one before it", previous == [0, 0, *range(2, len(events))])
    restored = policy.versions(session).in_force.document
    check("the policy has its document back", restored == incident.DOCUMENT)
    again = inbox.press_button(link)
    check(f"a used link is refused (HTTP {again.status})", again.status == 410)
    attempt = incident.attempt(
        mallory.client("s3").delete_bucket, Bucket=bucket.bait(mallory.session)
    )
    check(f"after approval mallory may do it ({attempt})", attempt)


def _check_token_is_used(session: Session, events: list[dict[str, Any]]) -> None:
    try:
        approval.decide(session, approval.token(events), allow=True)
    except WorkbookError:
        return
    raise CheckError("A task token was accepted twice.")


def _steps(events: list[dict[str, Any]]) -> set[str | None]:
    return set(history.attribute(events))


def _clean_up(session: Session, clock: Clock) -> None:
    with clock.step("clean_up", "policies, mallory, stack, trail and bucket deleted"):
        incident.clear(session, None)
        incident.Mallory.dismiss(session)
        stack.delete(session)
        stack.delete_logs(session)
        trail.delete(session)
        bucket.delete(session)
        inbox.delete(session)
    left = inventory.of(session)
    check(f"nothing is left ({left})", not left)


if __name__ == "__main__":
    sys.exit(main())
