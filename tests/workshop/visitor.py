"""A person's browser as far as a workshop sees it: log-in, cookies, pages, a kernel."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
import websocket

LIMIT_SECONDS = 300  # as long as the hub waits; only keeps a broken run from hanging
LOOK_SECONDS = 1  # a browser is told, and does not ask again and again


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something. Raises AssertionError where it does not come true."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT_SECONDS} s"
        time.sleep(LOOK_SECONDS)


@dataclass
class Visitor:
    """Somebody at ``address``; each has cookies of their own."""

    address: str
    name: str
    web: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.web.trust_env = False
        self.web.headers["Sec-Fetch-Mode"] = "navigate"

    def get(self, path: str, **named: Any) -> requests.Response:
        return self.web.get(self.address + path, timeout=LIMIT_SECONDS, **named)

    def log_in(self, password: str) -> str:
        """Log in; return what the page says that refuses it, "" where it does not."""
        page = self.get("/hub/login").text
        guard = re.search(r'name="_xsrf" value="([^"]+)"', page)[1]
        answer = self.web.post(
            f"{self.address}/hub/login",
            data={"username": self.name, "password": password, "_xsrf": guard},
            allow_redirects=False,
            timeout=LIMIT_SECONDS,
        )
        if answer.status_code == 302:
            return ""
        return re.search(r'class="login_error"[^>]*>([^<]*)<', answer.text)[1]

    def sit_down(self) -> None:
        """Start the server, and wait until it answers."""
        self.get("/hub/spawn")
        page, there = f"/user/{self.name}/lab", f"{self.address}/user/"

        def answers() -> bool:
            found = self.get(page)
            return found.ok and found.url.startswith(there)

        until(answers, f"{self.name}'s server answers")

    def leave(self) -> None:
        """Stop the server, as the hub's own page does, and wait until it has ended."""
        self.hub("DELETE", "/server")
        self.until_it_has_ended()

    def until_it_has_ended(self) -> None:
        """Wait until the hub knows of no server of this user's."""
        until(lambda: not self.hub("GET").json()["servers"], f"{self.name}'s server ends")

    def hub(self, method: str, path: str = "") -> requests.Response:
        """Ask the hub about this user, or for something, as its own page does.

        https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html
        """
        self.get("/hub/home")
        guard = next(c.value for c in self.web.cookies if c.name == "_xsrf" and c.path == "/hub/")
        answer = self.web.request(
            method,
            f"{self.address}/hub/api/users/{self.name}{path}",
            headers={
                "X-XSRFToken": guard,
                "Sec-Fetch-Mode": "cors",
                "Referer": f"{self.address}/hub/",
            },
            timeout=LIMIT_SECONDS,
        )
        answer.raise_for_status()
        return answer

    def api(self, method: str, path: str, **named: Any) -> requests.Response:
        """Call a JupyterLab's API as its page does."""
        guard = next(
            (c.value for c in self.web.cookies if c.name == "_xsrf" and "user" in c.path), ""
        )
        return self.web.request(
            method,
            self.address + path,
            headers={"X-XSRFToken": guard, "Sec-Fetch-Mode": "cors"},
            timeout=LIMIT_SECONDS,
            **named,
        )

    def run(self, code: str, notebook: str = "notebooks/try.ipynb", cell: str = "cell") -> str:
        """Run code in a kernel of a notebook's; return what it prints, or the error."""
        with self.kernel(notebook) as kernel:
            kernel.run(code, cell)
            return "".join(kernel.words)

    @contextmanager
    def kernel(self, notebook: str) -> Iterator[Kernel]:
        """Talk to the kernel of a notebook, which is started unless it runs."""
        name = notebook.rsplit("/", 1)[-1]
        wanted = {"path": notebook, "type": "notebook", "name": name, "kernel": {"name": "python3"}}
        answer = self.api("POST", f"/user/{self.name}/api/sessions", json=wanted)
        assert answer.status_code == 201, answer.text
        kernel = answer.json()["kernel"]["id"]
        cookies = requests.utils.dict_from_cookiejar(self.web.cookies)
        channel = websocket.create_connection(
            self.address.replace("http", "ws") + f"/user/{self.name}/api/kernels/{kernel}/channels",
            timeout=LIMIT_SECONDS,
            cookie="; ".join(f"{name}={value}" for name, value in cookies.items()),
        )
        try:
            yield Kernel(channel)
        finally:
            channel.close()


@dataclass
class Kernel:
    """A kernel as a notebook's page sees it.

    ``words`` is what the last cell printed and came to, ``failed`` whether it ended in an error;
    ``buttons`` are the widgets that can be clicked, by what stands on them, the newest.
    https://jupyter-client.readthedocs.io/en/stable/messaging.html
    """

    channel: websocket.WebSocket
    words: list[str] = field(default_factory=list)
    failed: bool = False
    buttons: dict[str, str] = field(default_factory=dict)

    def begin(self, code: str, cell: str) -> str:
        """Let a cell begin, and wait until it has; return what its messages answer to."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        wanted = self._send("execute_request", content, {"cellId": cell})
        while True:
            got = self._receive()
            if got["parent_header"].get("msg_id") == wanted and got["msg_type"] == "execute_input":
                return wanted

    def run(self, code: str, cell: str) -> None:
        """Run a cell until its end."""
        self.words, self.failed = [], False
        wanted = self.begin(code, cell)
        while True:
            got = self._receive()
            if got["parent_header"].get("msg_id") != wanted:
                continue
            said = got["content"]
            if got["msg_type"] == "stream":
                self.words.append(said["text"])
            elif got["msg_type"] == "execute_result":
                self.words.append(said["data"]["text/plain"])
            elif got["msg_type"] == "error":
                self.failed = True
                self.words.append(f"{said['ename']}: {said['evalue']}")
            elif got["msg_type"] == "status" and said["execution_state"] == "idle":
                return

    def click(self, button: str) -> float:
        """Click a button while no cell runs; return the seconds until a picture changes."""
        clicked = {"method": "custom", "content": {"event": "click"}}
        begun = time.perf_counter()
        self._send("comm_msg", {"comm_id": self.buttons[button], "data": clicked}, {})
        while True:
            got = self._receive()
            state = got["content"].get("data", {}).get("state", {})
            if got["msg_type"] == "comm_msg" and "<svg" in str(state.get("value", "")):
                return time.perf_counter() - begun

    def _send(self, kind: str, content: dict[str, Any], metadata: dict[str, Any]) -> str:
        wanted = uuid.uuid4().hex
        header = {"msg_id": wanted, "msg_type": kind, "username": "", "version": "5.3"}
        message = {
            "header": {**header, "session": uuid.uuid4().hex, "date": ""},
            "parent_header": {},
            "metadata": metadata,
            "content": content,
            "channel": "shell",
        }
        self.channel.send(json.dumps(message))
        return wanted

    def _receive(self) -> dict[str, Any]:
        got = json.loads(self.channel.recv())
        if got["msg_type"] == "comm_open":
            words = got["content"]["data"].get("state", {}).get("description")
            if words:
                self.buttons[words] = got["content"]["comm_id"]
        return got
