"""200 bad policies created at once by 20 threads: quarantined, asked about and answered.

The peer is the same server when they come one after another, and what it takes at rest. (MiniStack
alone is none: of 200 at once it was seen to finish 23, and then no longer answered.)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bench import servers
from bench.answers import Answers
from bench.metric import Metric
from helpers import inbox, incident, stack
from helpers.session import Session

COUNT, THREADS = 200, 20
AT_REST_SECONDS = 5
PATIENCE_SECONDS = 600  # ends a run that has lost one


def metrics() -> Iterator[Metric]:
    """Yield the seconds until all are quarantined, the memory, and other calls' answers meanwhile.

    Raises where one is lost.
    """
    names = [f"storm-{number}" for number in range(COUNT)]
    with servers.ours() as (session, server):
        app = stack.require(session)
        with servers.PeakMemory(server) as memory_alone:
            alone = _seconds(lambda: _one_after_another(session))
        with Answers(session, app.state_machine) as at_rest:
            time.sleep(AT_REST_SECONDS)
        with servers.PeakMemory(server) as memory, Answers(session, app.state_machine) as answers:
            together = _seconds(lambda: _all_at_once(session, names))
            answer(wait_until_asked(session, names))
    peer = "one after another"
    yield Metric("storm_of_200_quarantined", together, "s", peer, alone)
    yield Metric("storm_of_200_memory", memory.megabytes, "MB", peer, memory_alone.megabytes)
    yield from answers.metrics("storm_of_200_answer", at_rest)


def _one_after_another(session: Session) -> None:
    iam = session.client("iam")
    for name in (f"calm-{number}" for number in range(COUNT)):
        create(session, [name])
        arn = incident.policy_arn(session, name)
        while iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1":
            time.sleep(0.001)


def _all_at_once(session: Session, names: list[str]) -> None:
    create(session, names)
    wait_until_quarantined(session, names)


def _seconds(function: Callable[[], object]) -> float:
    started = time.monotonic()
    function()
    return round(time.monotonic() - started, 1)


def create(session: Session, names: list[str]) -> None:
    """Create a bad policy of each name, by 20 threads."""
    iam, document = session.client("iam"), json.dumps(incident.DOCUMENT)
    with ThreadPoolExecutor(THREADS) as pool:
        list(
            pool.map(
                lambda name: iam.create_policy(PolicyName=name, PolicyDocument=document), names
            )
        )


def in_force(session: Session, names: list[str]) -> list[str]:
    """Return the names whose first version, the bad one, is still the default."""
    pages = session.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    first = {
        policy["PolicyName"]
        for page in pages
        for policy in page["Policies"]
        if policy["DefaultVersionId"] == "v1"
    }
    return [name for name in names if name in first]


def wait_until_quarantined(session: Session, names: list[str]) -> None:
    """Wait until no bad version is in force. Raises TimeoutError with the names that are left."""
    wait_for(lambda: in_force(session, names), "policies are still in force")


def wait_until_asked(session: Session, names: list[str]) -> dict[str, inbox.Mail]:
    """Wait for the mail about each policy; return them by name. Raises TimeoutError."""
    asked: dict[str, inbox.Mail] = {}

    def missing() -> list[str]:
        for mail in inbox.mails(session):
            asked.setdefault(mail.subject.rpartition(" ")[2], mail)
        return [name for name in names if name not in asked]

    wait_for(missing, "policies were not asked about")
    return {name: asked[name] for name in names}


def answer(mails: dict[str, inbox.Mail]) -> None:
    """Follow every other mail's link to allow, and the rest's to deny, by 20 threads.

    The API takes ten answers a second; who is told that it is busy (429) presses again.
    """

    def press(numbered: tuple[int, inbox.Mail]) -> int:
        number, mail = numbered
        link = mail.link("allow" if number % 2 == 0 else "deny")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (status := inbox.press_button(link).status) == 429 and time.monotonic() < deadline:
            time.sleep(1)
        return status

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = set(pool.map(press, enumerate(mails.values())))
    if statuses != {200}:
        raise RuntimeError(f"not every answer was taken: {statuses}")


def wait_for(left: Callable[[], list[str]], what: str) -> None:
    """Wait until nothing is left. Raises TimeoutError with what is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while names := left():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(names)} {what}: {', '.join(names[:10])}")
        time.sleep(0.25)
