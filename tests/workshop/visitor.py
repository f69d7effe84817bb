"""A person's browser as far as a workshop sees it: log-in, cookies, pages, a kernel."""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import requests
import websocket

LIMIT_SECONDS = 120  # only keeps a broken run from hanging


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
        deadline = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < deadline:
            if self.get(f"/user/{self.name}/lab").url.startswith(f"{self.address}/user/"):
                return
            time.sleep(0.2)
        raise AssertionError(f"{self.name}'s server does not answer")

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
        name = notebook.rsplit("/", 1)[-1]
        wanted = {"path": notebook, "type": "notebook", "name": name, "kernel": {"name": "python3"}}
        answer = self.api("POST", f"/user/{self.name}/api/sessions", json=wanted)
        assert answer.status_code == 201, answer.text
        kernel = answer.json()["kernel"]["id"]
        cookies = requests.utils.dict_from_cookiejar(self.web.cookies)
        where = f"/user/{self.name}/api/kernels/{kernel}/channels"
        channel = websocket.create_connection(
            self.address.replace("http", "ws") + where,
            timeout=LIMIT_SECONDS,
            cookie="; ".join(f"{name}={value}" for name, value in cookies.items()),
        )
        try:
            return _run(channel, code, cell)
        finally:
            channel.close()


def _run(channel: websocket.WebSocket, code: str, cell: str) -> str:
    wanted = uuid.uuid4().hex
    header = {"msg_id": wanted, "msg_type": "execute_request", "username": "", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    message = {
        "header": {**header, "session": uuid.uuid4().hex, "date": ""},
        "parent_header": {},
        "metadata": {"cellId": cell},
        "content": content,
        "channel": "shell",
    }
    channel.send(json.dumps(message))
    words = []
    while True:
        got = json.loads(channel.recv())
        if got["parent_header"].get("msg_id") != wanted:
            continue
        if got["msg_type"] == "stream":
            words.append(got["content"]["text"])
        elif got["msg_type"] == "execute_result":
            words.append(got["content"]["data"]["text/plain"])
        elif got["msg_type"] == "error":
            words.append(f"{got['content']['ename']}: {got['content']['evalue']}")
        elif got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
            return "".join(words)
