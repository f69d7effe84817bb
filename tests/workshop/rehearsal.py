"""``make rehearsal``: three learners in three browsers at once, from the log-in to the end of 04.

With clicks alone, in some five minutes. A fourth sits among them and sees nothing of theirs; the
host sees all. On a busy computer a lesson's own patience can be over: then it says which cell.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from helpers.workshop.room import Room
from tests.browser import chromium
from tests.browser.lab import PATIENCE, cell, open_notebook, picture, run
from tests.workshop import running
from tests.workshop.conftest import needs_root
from tests.workshop.running import Workshop

pytestmark = needs_root

expect.set_options(timeout=PATIENCE)

FIRST = 61500
LEARNERS = ("ada", "bob", "cleo")
# Seconds that a page may take while three browsers share the processors with all that they show.
SLOW = 3 * PATIENCE

# What an account holds that was never used; the one who asks has made nothing in it.
OWN = """
import json
from helpers import inbox, session
aws = session.connect()
found = [
    aws.client("cloudformation").list_stacks()["StackSummaries"],
    aws.client("stepfunctions").list_state_machines()["stateMachines"],
    aws.client("iam").list_policies(Scope="Local")["Policies"],
    aws.client("iam").list_users()["Users"],
    inbox.mails(aws),
]
print(json.dumps([len(each) for each in found]))
"""


def test_three_learners_at_once_and_a_fourth_who_looks(room: Room) -> None:
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium: python -m tests.browser.chromium says how to get one")
    with (
        running.workshop(room.folder, len(LEARNERS) + 1, FIRST) as workshop,
        ThreadPoolExecutor(len(LEARNERS)) as pool,
    ):
        learning = [pool.submit(_learn, path, workshop, name) for name in LEARNERS]
        for learner in learning:
            learner.result()
        mallory = workshop.visitor("mallory")
        assert mallory.log_in(workshop.password) == ""
        mallory.sit_down()
        assert json.loads(mallory.run(OWN).splitlines()[-1]) == [0, 0, 0, 0, 0]
        _look_as_host(path, workshop)


def _learn(path: str, workshop: Workshop, name: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(SLOW)
        _come_in(page, workshop, name)
        picture(page, f"workshop-{name}-first")
        run(page, "session.connect", "approval.panel")
        run(page, "approval.panel", "watch.follow")
        _answer(page, "Deny", "Denied: it stays harmless.")
        run(page, "approval.settle", "ended == ")

        lessons = f"{workshop.address}/user/{name}/lab/tree/notebooks"
        for lesson, last in (
            ("01_deploy_the_app", "assert confirmed"),
            ("02_read_the_state_machine", "laboratory.delete"),
            ("03_catch_a_bad_policy", "harmless_after"),
        ):
            open_notebook(page, f"{lessons}/{lesson}.ipynb?reset")
            run(page, "session.connect", last)

        open_notebook(page, f"{lessons}/04_approve_or_deny.ipynb?reset")
        run(page, "session.connect", "watch.follow")
        _answer(page, "Deny", "Denied: it stays harmless.")
        run(page, "approval.settle", "mail = inbox.newest")
        _answer(page, "Approve", "Approved: the policy gets its document back.")
        run(page, "inbox.open_link", "check.hand_in")
        expect(cell(page, "bucket.bait(aws)")).to_contain_text("The call succeeded.")
        picture(page, f"workshop-{name}-last")
        browser.close()


def _come_in(page: Page, workshop: Workshop, name: str) -> None:
    _log_in(page, workshop, name, workshop.password)
    page.wait_for_url("**/lab/tree/notebooks/00_start_here.ipynb*")
    open_notebook(page, page.url)


def _log_in(page: Page, workshop: Workshop, name: str, password: str) -> None:
    page.goto(workshop.address)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Come in").click()


def _answer(page: Page, button: str, outcome: str) -> None:
    asked = page.locator(".jp-OutputArea button:not([disabled])", has_text=button).first
    asked.scroll_into_view_if_needed()
    asked.click()
    page.get_by_text(outcome).first.wait_for()


def _look_as_host(path: str, workshop: Workshop) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(PATIENCE)
        _log_in(page, workshop, "host", workshop.host_password)
        for name in LEARNERS:
            learner = page.locator(f"#{name}")
            for lesson in ("00 start here: 3 of 3", "04 approve or deny: 2 of 2"):
                expect(learner.get_by_label(f"{lesson} checkpoints")).to_be_visible()
        picture(page, "workshop-host-after-04")
        browser.close()
