"""The workbook as a learner meets it: `make run`'s command, JupyterLab, a mouse."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from helpers import localaws
from helpers.localaws.record import CHECKOUT
from helpers.session import connect
from tests.browser.conftest import PATIENCE, PICTURES


@dataclass
class Lab:
    """A running workbook: its process, JupyterLab's address and the local AWS's state file."""

    process: subprocess.Popen[str]
    url: str
    port: int
    state: Path

    def notebook(self, name: str) -> str:
        return re.sub(r"tree/.*\?", f"tree/notebooks/{name}?reset&", self.url)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    state, port = folder / "state.json", _free_port()
    environment = {
        **os.environ,
        "WORKBOOK_STATE": str(state),
        "WORKBOOK_NO_BROWSER": "1",
        # Neither the user's settings nor their open tabs.
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    environment.pop("DISPLAY", None)
    command = [sys.executable, "-m", "helpers.run", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
    )
    url = ""
    for line in process.stdout:
        if "JupyterLab:" in line:
            url = line.split()[-1]
            break
    assert url, "JupyterLab did not start"
    yield Lab(process, url, port, state)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(30)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


def _picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def _cells(page: Page) -> Locator:
    return page.locator(".jp-Notebook .jp-Cell")


def _open(page: Page, url: str) -> None:
    page.goto(url)
    _cells(page).first.wait_for()
    # Before the kernel has said so, JupyterLab may drop what it is given to run.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def _run(page: Page, first: str, last: str) -> None:
    """Run the cells from the one that has ``first`` in it to the one that has ``last``."""
    cell = page.locator(".jp-CodeCell", has_text=first).first
    cell.locator(".jp-InputPrompt").first.click()
    for _ in range(40):
        active = page.locator(".jp-Cell.jp-mod-active .jp-InputArea-editor").first
        source = active.inner_text() if active.count() else ""
        page.keyboard.press("Shift+Enter")
        if last in source:
            break
    else:
        raise AssertionError(f"no cell has {last!r} in it")
    ran = page.locator(".jp-CodeCell", has_text=last).first
    # A number in the prompt: the cell has run, and so have those before it.
    try:
        expect(ran.locator(".jp-InputPrompt").first).to_have_text(re.compile(r"\[\d+\]:"))
    except AssertionError as error:
        _picture(page, "failure")
        raise AssertionError("\n".join(page.locator(".jp-CodeCell").all_inner_texts())) from error


def test_the_first_notebook_is_open_without_a_display(page: Page, lab: Lab) -> None:
    _open(page, lab.url)
    page.get_by_role("heading", name="Start here").wait_for()
    page.locator(".jp-RenderedSVG").first.wait_for()
    _picture(page, "00_start_here")


def test_nothing_but_127_0_0_1_is_listened_on(page: Page, lab: Lab) -> None:
    _open(page, lab.url)  # with a kernel running
    family = psutil.Process(lab.process.pid).children(recursive=True)
    family.append(psutil.Process(localaws.running(lab.state).pid))
    listeners = [
        (found.laddr.ip, found.laddr.port, member)
        for member in family
        for found in member.net_connections("inet")
        if found.status == psutil.CONN_LISTEN
    ]
    assert {ip for ip, _, _ in listeners} == {"127.0.0.1"}
    # JupyterLab, the local AWS, and a kernel's five channels; nothing else.
    others = [
        port
        for _, port, member in listeners
        if port not in (lab.port, localaws.running(lab.state).port)
        and "ipykernel_launcher" not in " ".join(member.cmdline())
    ]
    assert others == []


def test_the_graph_shows_where_the_execution_waits(page: Page, lab: Lab) -> None:
    page.set_viewport_size({"width": 1280, "height": 1000})
    _open(page, lab.notebook("02_catch_a_bad_policy.ipynb"))
    _run(page, "session.connect", "graph.Graph")
    cell = page.locator(".jp-CodeCell", has_text="graph.Graph(").first
    cell.locator(".jp-RenderedSVG").wait_for()
    cell.scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # the picture is drawn after it is attached
    _picture(page, "02_waiting_for_a_person")


def test_deny_and_approve_with_the_mouse(page: Page, lab: Lab) -> None:
    _open(page, lab.notebook("03_approve_or_deny.ipynb"))
    _run(page, "session.connect", "approval.panel")
    deny = page.get_by_role("button", name="Deny").first
    deny.wait_for()
    deny.scroll_into_view_if_needed()
    _picture(page, "03_before_the_decision")
    deny.click()
    page.get_by_text("Denied: it stays harmless.").first.wait_for()
    _picture(page, "03_denied")

    # The panel is live: the second question appears in it by itself.
    _run(page, "approval.settle", "mail = inbox.newest")
    approve = page.locator(".jp-OutputArea button:not([disabled])", has_text="Approve").first
    approve.wait_for()
    approve.scroll_into_view_if_needed()
    approve.click()
    page.get_by_text("Approved: the policy gets its document back.").first.wait_for()
    _picture(page, "03_approved")

    aws = connect("local", state=lab.state)
    states = aws.client("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    # The newest two: another notebook may have left one behind.
    executions = states.list_executions(stateMachineArn=machine)["executions"][:2]
    last = [
        states.get_execution_history(executionArn=found["executionArn"], maxResults=1000)["events"]
        for found in executions
    ]
    entered = [
        {
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if "stateEnteredEventDetails" in event
        }
        for events in last
    ]
    assert [found["status"] for found in executions] == ["SUCCEEDED", "SUCCEEDED"]
    assert "Approved" in entered[0]
    assert "Denied" in entered[1]

    _run(page, "inbox.open_link", "bucket.bait(aws)")
    page.get_by_text("The call succeeded.").first.wait_for()
    _picture(page, "03_after_approval")


def test_a_restarted_kernel_ends_in_a_sentence(page: Page, lab: Lab) -> None:
    """A cell in the middle, run before the first one, says what to do."""
    _open(page, lab.notebook("04_clean_up.ipynb"))  # no other test runs it: a fresh kernel
    cell = page.locator(".jp-CodeCell", has_text="incident.policies(aws)").first
    cell.scroll_into_view_if_needed()
    cell.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    sentence = page.get_by_text("Run this notebook's first cell").first
    sentence.wait_for()
    assert page.get_by_text("Traceback (most recent call last)").count() == 0
    _picture(page, "04_restarted_kernel")


def test_ctrl_c_leaves_no_process_and_no_listener(lab: Lab) -> None:
    """Last on purpose: it ends the workbook that the other tests used."""
    server = localaws.running(lab.state)
    family = [*psutil.Process(lab.process.pid).children(recursive=True)]
    family += [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    lab.process.send_signal(signal.SIGINT)
    assert lab.process.wait(30) == 0
    assert "Nothing is left running" in lab.process.stdout.read()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    for port in (lab.port, server.port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
