"""The inbox panel on the deployed app: its mails come by themselves, and their links work."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import approval, inbox
from helpers.inbox import InboxPanel
from helpers.session import connect
from tests.app.guard import BAD, PLACEHOLDER, Guard, Policy, until

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def panel(deployed: Guard) -> Iterator[InboxPanel]:
    panel = InboxPanel(deployed.aws, seconds=0.05)
    yield panel
    panel.stop()
    panel.thread.join(30)
    assert not panel.thread.is_alive()


def shown(panel: InboxPanel, words: str) -> str:
    """The newest mail in the panel with these words in it, once it is there, as HTML."""

    def found() -> list[str]:
        return [widget.value for widget in panel._list.children if words in widget.value]

    return until(found, f"a mail with {words} in the panel")[0]


def test_a_mail_appears_by_itself_with_links_that_work(deployed: Guard, panel: InboxPanel) -> None:
    policy = deployed.policy(BAD)
    mail = shown(panel, policy.name)
    assert "Approval needed" in mail
    before_the_fold = mail.split("<details>")[0]
    links = [html.unescape(link) for link in re.findall(r'<a href="([^"]+)"', before_the_fold)]
    assert [link.partition("?")[0].rpartition("/")[2] for link in links] == ["allow", "deny"]
    for link in links:
        assert link.startswith(deployed.aws.endpoint)
        assert inbox.open_link(link).status == 200
    assert policy.in_force() == PLACEHOLDER, "looking decides nothing"
    assert inbox.press_button(links[1]).status == 200
    events = policy.execution().ended().events()
    assert "TaskSucceeded" in [event["type"] for event in events]
    assert "Denied" in str(approval.settle(deployed.aws, policy.execution().arn, allow=True))


def test_a_policy_s_author_cannot_write_markup_or_links(deployed: Guard, panel: InboxPanel) -> None:
    iam = deployed.aws.client("iam")
    created = iam.create_policy(
        PolicyName="policy-hostile-mail",
        Description=f"{SCRIPT} https://evil.example/allow javascript:alert(1)\u202e",
        PolicyDocument=BAD,
    )
    deployed.made.append(Policy(deployed, created["Policy"]["Arn"], iam))
    mail = shown(panel, "policy-hostile-mail")
    assert "&lt;script&gt;" in mail
    assert "<script" not in mail
    assert "\u202e" not in mail
    assert 'href="https://evil' not in mail
    assert 'href="javascript' not in mail


def test_another_account_s_mails_are_not_seen(
    deployed: Guard, panel: InboxPanel, state: Path
) -> None:
    shown(panel, deployed.policy(BAD).name)
    other = InboxPanel(connect("local", account="000000000077", state=state))
    try:
        assert other.mails == []
        assert "No mail yet" in repr(other)
        assert panel.thread.is_alive(), "another account's panel ends none"
    finally:
        other.stop()
