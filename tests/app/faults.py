"""Faults on the way from the app's functions to IAM and SNS.

The functions talk through a proxy on 127.0.0.1 (AWS_ENDPOINT_URL_IAM, AWS_ENDPOINT_URL_SNS). It
hands each request on as it is, its Host header too, so that the signature stays right; at the
calls that a test has chosen, a fault decides what the function gets to see.
"""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Answer:
    """What a caller gets: a status, headers and a body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


Forward = Callable[[], Answer]
Fault = Callable[[Forward], Answer]


def refused(code: str, message: str = "Rate exceeded", status: int = 400) -> Fault:
    """AWS refuses the call: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>none</RequestId></ErrorResponse>".encode()
    return lambda _: Answer(status, [("Content-Type", "text/xml")], body)


def lost(forward: Forward) -> Answer:
    """The call is done, and its caller never hears of it."""
    forward()
    return refused("ServiceFailure", "The answer was lost.", 500)(forward)


def first(act: Callable[[], Any]) -> Fault:
    """Something happens just before the call arrives."""

    def fault(forward: Forward) -> Answer:
        act()
        return forward()

    return fault


def then(act: Callable[[], Any]) -> Fault:
    """Something happens between the call and its answer."""

    def fault(forward: Forward) -> Answer:
        answer = forward()
        act()
        return answer

    return fault


@dataclass
class Plan:
    """A chosen call; `left` says how often the fault still strikes, below zero without end."""

    function: str
    operation: str
    fault: Fault
    left: int


@dataclass
class Faults:
    """The proxy, and the faults that are waiting in it.

    A function is known by the application id in its User-Agent (AWS_SDK_UA_APP_ID):
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
    """

    endpoint: str
    plans: list[Plan] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._choosing = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def at(self, function: str, operation: str, fault: Fault, times: int = 1) -> None:
        """Let the next `times` calls of an operation by a function meet a fault."""
        self.plans.append(Plan(function, operation, fault, times))

    @contextmanager
    def always(self, function: str, operation: str, fault: Fault) -> Iterator[None]:
        """Let every call of an operation by a function meet a fault for a while."""
        plan = Plan(function, operation, fault, -1)
        self.plans.append(plan)
        try:
            yield
        finally:
            self.plans.remove(plan)

    def clear(self) -> None:
        """Forget what has not struck; raise what went wrong in a fault."""
        self.plans.clear()
        if self.broken:
            raise self.broken.pop()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _choose(self, function: str, operation: str) -> Fault | None:
        with self._choosing:
            for plan in self.plans:
                if (plan.function, plan.operation) == (function, operation) and plan.left != 0:
                    plan.left -= 1
                    return plan.fault
        return None

    def _answer(self, request: BaseHTTPRequestHandler) -> Answer:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        operation = parse_qs(body.decode())["Action"][0]
        function = re.search(r"\bapp/(\w+)", request.headers["User-Agent"])
        fault = self._choose(function[1] if function else "", operation)

        def forward() -> Answer:
            server = http.client.HTTPConnection(urlsplit(self.endpoint).netloc)
            server.request(request.command, request.path, body, dict(request.headers))
            answer = server.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())

        return fault(forward) if fault else forward()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        faults = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                try:
                    answer = faults._answer(self)
                except Exception as error:
                    faults.broken.append(error)
                    raise
                try:
                    self._send(answer)
                except BrokenPipeError:
                    pass  # a function that ran out of time hears no more

            def _send(self, answer: Answer) -> None:
                self.send_response_only(answer.status)
                for name, value in answer.headers:
                    if name.lower() not in ("content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass  # the executions' histories tell what a test asks about

        return Handler
