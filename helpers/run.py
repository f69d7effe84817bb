"""``make run``: the local AWS and JupyterLab, opened at the first notebook; Ctrl-C ends both."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from typing import Any

from helpers import child, configure, localaws, loopback, trust
from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT

FIRST = "notebooks/00_start_here.ipynb"
START_SECONDS = 120
INTERRUPT_SECONDS = 3
NO_BROWSER = "WORKBOOK_NO_BROWSER"


def main() -> int:
    """Run until Ctrl-C or until JupyterLab ends; return the exit status."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=8888, help="JupyterLab's port on 127.0.0.1")
    port = parser.parse_args().port
    child.end_when_asked()
    try:
        configure.main()
        _check_port(port)
        # Before the server starts: was it there already, it stays when this command ends.
        ours = localaws.running() is None
        record, _ = localaws.ensure()
    except WorkbookError as error:
        print(error, file=sys.stderr)
        return 1
    lab = None
    try:
        trust.sign(CHECKOUT / "notebooks")
        token = secrets.token_urlsafe(24)
        lab = _start_lab(port, token)
        url = f"http://127.0.0.1:{port}/lab/tree/{FIRST}?token={token}"
        _wait_until_answers(lab, port)
        ends = "both" if ours else "JupyterLab; the local AWS belongs to another `make run`"
        print(f"\n  Local AWS:  {record.endpoint}\n  JupyterLab: {url}\n\n  Ctrl-C stops {ends}.\n")
        sys.stdout.flush()
        if _has_screen():
            webbrowser.open(url)
        return lab.wait()
    except KeyboardInterrupt:
        return 0
    except WorkbookError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        child.be_asked_no_more()
        if lab:
            _close(lab, port, token)
        if ours:
            localaws.stop()
            print("Stopped. Nothing is left running: the browser's tab can be closed.")
        else:
            print("JupyterLab is stopped. The local AWS was there before and goes on.")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise WorkbookError(
                f"Port {port} cannot be used ({error}): is JupyterLab running already? "
                f"Choose another port: make run PORT={port + 1}"
            ) from error


def _start_lab(port: int, token: str) -> subprocess.Popen[bytes]:
    """Start JupyterLab on 127.0.0.1 only, without anything that asks the network."""
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--log-level=ERROR"),
        "--LabApp.log_level=ERROR",
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        f"--ServerApp.root_dir={CHECKOUT}",
        "--ContentsManager.pre_save_hook=helpers.saved.before_saving",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    # In the environment, not on the command line, where every user could read it.
    # The tabs of this workbook are its own; theme and keys stay as the user has them.
    tabs = str(CHECKOUT / ".localaws" / "workspaces")
    environment = {"JUPYTERLAB_WORKSPACES_DIR": tabs, **os.environ, "JUPYTER_TOKEN": token}
    # A session of its own: Ctrl-C comes to this process alone, which then ends it in order.
    return subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )


def _wait_until_answers(lab: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if lab.poll() is not None:
            raise WorkbookError("JupyterLab did not start; its own words are above.")
        try:
            loopback.opener().open(f"http://127.0.0.1:{port}/login", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise WorkbookError(f"JupyterLab did not answer within {START_SECONDS} s.")


def _close(lab: subprocess.Popen[bytes], port: int, token: str) -> None:
    """End JupyterLab as its menu does: a signal would be reported as critical on the screen.

    https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html
    """
    key = {"Authorization": f"token {token}"}

    def ask(method: str, path: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/{path}", method=method, headers=key
        )
        with loopback.opener().open(request, timeout=5) as answer:
            return json.loads(answer.read() or "null")

    def busy() -> list[str]:
        return [each["id"] for each in ask("GET", "kernels") if each["execution_state"] == "busy"]

    try:
        # A cell at work when its kernel ends would report on the screen that it cannot answer.
        for kernel in busy():
            ask("POST", f"kernels/{kernel}/interrupt")
        deadline = time.monotonic() + INTERRUPT_SECONDS
        while busy() and time.monotonic() < deadline:
            time.sleep(0.1)
        ask("POST", "shutdown")
        lab.wait(timeout=10)
    except (OSError, subprocess.TimeoutExpired):  # it has not come up, or does not answer
        child.end(lab, 10)


def _has_screen() -> bool:
    if os.environ.get(NO_BROWSER):
        return False
    return sys.platform == "darwin" or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


if __name__ == "__main__":
    sys.exit(main())
