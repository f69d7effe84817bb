"""The same notebooks with WORKBOOK_TARGET=aws, from the first cell to the last, in order.

A learner types the account's number; a person follows the link of the subscription's mail. What
the notebooks cannot know, that the account is played, nothing tells them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import nbformat
from nbclient import NotebookClient

from helpers import inbox, inventory, render, starter
from tests.account.playing import PlayingAccount, Policy, learner_policies
from tests.notebooks.shelf import solved

# 00 deploys locally; in a real account 01 does, by the learner's doing.
EPISODE = (
    "01_deploy_the_app",
    "00_start_here",
    "03_catch_a_bad_policy",
    "04_approve_or_deny",
    "10_clean_up",
)
LESSONS = (
    "01_deploy_the_app",
    "02_read_the_state_machine",
    "05_survive_failure",
    "06_put_people_to_work",
    "07_outsmart_the_guard",
    "08_count_the_cost",
    "09_work_at_scale",
    "10_clean_up",
)


def _run(name: str, account: PlayingAccount, variables: dict[str, str]) -> nbformat.NotebookNode:
    notebook = solved(render.NOTEBOOKS / f"{name}.ipynb")
    sitting = (
        "from tests.account.playing import sit_down\n"
        f"sit_down({account.number!r}, {account.root.endpoint!r})"
    )
    notebook.cells.insert(0, nbformat.v4.new_code_cell(sitting))
    others = {key: text for key, text in os.environ.items() if not key.startswith("AWS_")}
    client = NotebookClient(
        notebook,
        timeout=render.CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(render.NOTEBOOKS)}},
    )
    root = str(render.NOTEBOOKS.parent)
    return client.execute(env={**others, **variables, "WORKBOOK_TARGET": "aws", "PYTHONPATH": root})


@contextmanager
def _somebody_at_the_mailbox(account: PlayingAccount) -> Iterator[None]:
    """Follow the link of each mail that asks to confirm a subscription, as it comes."""
    done, followed = threading.Event(), set()

    def read() -> None:
        while not done.wait(0.2):
            for mail in inbox.mails(account.root):
                if "Subscription Confirmation" in mail.subject and mail.text not in followed:
                    followed.add(mail.text)
                    inbox.open_link(mail.link("confirmation"))

    person = threading.Thread(target=read, daemon=True)
    person.start()
    try:
        yield
    finally:
        done.set()
        person.join()
    assert followed, "no mail has asked to confirm the subscription"


def _text(cells: list[nbformat.NotebookNode]) -> str:
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    return "\n".join(
        str(output.get("text") or output.get("data", {}).get("text/plain")) for output in outputs
    )


def _through(names: Sequence[str], account: PlayingAccount, *policies: Policy) -> dict[str, str]:
    """Go through notebooks as somebody with these policies; return what each says."""
    variables, seen = account.user(*policies), {}
    with _somebody_at_the_mailbox(account):
        for name in names:
            notebook = _run(name, account, variables)
            seen[name] = _text(notebook.cells)
            assert f"Connected to AWS: account {account.number}" in seen[name]
            for cell in notebook.cells:
                if starter.ANSWER in starter.tags(cell):
                    # What is waited for may be said first.
                    verdict = _text([cell]).rpartition("\n")[2]
                    assert verdict.startswith("✓"), (name, cell)
    assert not inventory.of(account.root)
    return seen


def test_the_notebooks_work_in_an_account_that_plays_a_real_one(account: PlayingAccount) -> None:
    seen = _through(EPISODE, account, learner_policies()["learner-policy"])
    assert "is subscribed." in seen["01_deploy_the_app"]
    assert "On a real account the mail goes to" in seen["04_approve_or_deny"]


def test_the_other_lessons_work_with_the_second_policy_too(account: PlayingAccount) -> None:
    seen = _through(LESSONS, account, *learner_policies().values())
    assert "On a real account the mail goes to" in seen["05_survive_failure"]
