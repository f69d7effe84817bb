"""The workbook as a learner meets it: `make run`'s command, JupyterLab, a mouse."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request

import nbformat
import psutil
from playwright.sync_api import Page

from helpers import incident, localaws
from helpers.localaws.record import CHECKOUT
from helpers.saved import WIDGET
from helpers.session import connect
from tests.browser.lab import Lab, cell, open_notebook, picture, run


def test_the_first_notebook_is_open_without_a_display(page: Page, lab: Lab) -> None:
    open_notebook(page, lab.url)
    page.get_by_role("heading", name="Start here").wait_for()
    page.locator(".jp-RenderedHTML svg").first.wait_for()
    picture(page, "00_start_here")


def test_nothing_but_127_0_0_1_is_listened_on(page: Page, lab: Lab) -> None:
    open_notebook(page, lab.url)  # with a kernel running
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


def test_what_jupyterlab_saves_needs_no_kernel(lab: Lab) -> None:
    """Through the contents API, with a widget as a live panel leaves it."""
    widget = nbformat.v4.new_output(
        "display_data",
        {WIDGET: {"model_id": "gone"}, "text/html": "<b>the picture</b>", "text/plain": "words"},
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("panel", outputs=[widget])]
    )
    address, token = lab.url.split("/lab/")[0], lab.url.split("token=")[1]
    file = f"{address}/api/contents/test-results/saved.ipynb"

    def ask(method: str, model: dict[str, object] | None = None) -> bytes:
        request = urllib.request.Request(file, method=method)
        request.add_header("Authorization", f"token {token}")
        if model is not None:
            request.data = json.dumps(model).encode()
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    path = CHECKOUT / "test-results" / "saved.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(nbformat.writes(nbformat.v4.new_notebook()))
    ask("PUT", {"type": "notebook", "format": "json", "content": notebook})
    (cell,) = nbformat.read(path, as_version=4).cells
    path.unlink()
    assert cell.outputs[0].data == {"text/html": "<b>the picture</b>", "text/plain": "words"}


def test_deny_and_approve_with_the_mouse(page: Page, lab: Lab) -> None:
    open_notebook(page, lab.notebook("04_approve_or_deny.ipynb"))
    run(page, "session.connect", "approval.panel")
    deny = page.get_by_role("button", name="Deny").first
    deny.wait_for()
    deny.scroll_into_view_if_needed()
    picture(page, "04_before_the_decision")
    deny.click()
    page.get_by_text("Denied: it stays harmless.").first.wait_for()
    picture(page, "03_denied")

    # The panel is live: the second question appears in it by itself.
    run(page, "approval.settle", "mail = inbox.newest")
    approve = page.locator(".jp-OutputArea button:not([disabled])", has_text="Approve").first
    approve.wait_for()
    approve.scroll_into_view_if_needed()
    approve.click()
    page.get_by_text("Approved: the policy gets its document back.").first.wait_for()
    picture(page, "03_approved")

    aws = connect("local", state=lab.state)
    states = aws.client("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    # The newest two: another notebook may have left one behind.
    executions = states.list_executions(stateMachineArn=machine)["executions"][:2]
    # The decision was taken; what it leads to may still be under way.
    last = [incident.wait_for_end(aws, found["executionArn"]) for found in executions]
    entered = [
        {
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if "stateEnteredEventDetails" in event
        }
        for events in last
    ]
    assert [events[-1]["type"] for events in last] == ["ExecutionSucceeded"] * 2
    assert "Approved" in entered[0]
    assert "Denied" in entered[1]

    run(page, "inbox.open_link", "bucket.bait(aws)")
    cell(page, "bucket.bait(aws)").get_by_text("The call succeeded.").wait_for()
    picture(page, "04_after_approval")


def test_a_restarted_kernel_ends_in_a_sentence(page: Page, lab: Lab) -> None:
    """A cell in the middle, run before the first one, says what to do."""
    open_notebook(page, lab.notebook("10_clean_up.ipynb"))  # no other test runs it: a fresh kernel
    policies = cell(page, "incident.policies(aws)")
    policies.scroll_into_view_if_needed()
    policies.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    sentence = page.get_by_text("Run this notebook's first cell").first
    sentence.wait_for()
    assert page.get_by_text("Traceback (most recent call last)").count() == 0
    picture(page, "10_restarted_kernel")


def test_ctrl_c_leaves_no_process_and_no_listener(lab: Lab) -> None:
    """Last on purpose: it ends the workbook that the other tests used."""
    server = localaws.running(lab.state)
    family = [*psutil.Process(lab.process.pid).children(recursive=True)]
    family += [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    lab.process.send_signal(signal.SIGINT)
    assert lab.process.wait(90) == 0
    assert "Nothing is left running" in lab.process.stdout.read()
    assert (
        "received signal" not in lab.complaints.read_text()
    )  # a learner would take it for a fault
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    for port in (lab.port, server.port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
