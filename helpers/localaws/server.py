"""The server: one endpoint in front of MiniStack, with the project's seams in place."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import resource
import secrets
import shutil
import signal
import socket
import string
import tempfile
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypercorn.asyncio.tcp_server import TCPServer

from helpers import environment
from helpers.localaws import guests, outgoing, zygote
from helpers.localaws.guests import Guests
from helpers.localaws.record import ACCOUNT, REGION, LocalAwsError, ServerRecord, lifetime

SAM = "samtranslator.translator.transform"
IDLE_SECONDS, LOOK_SECONDS = 8 * 60 * 60, 60
FILES = 10_240  # a thousand executions at work need more than the 256 that macOS begins with

# What the lessons use, no more: each further service is a listener, a thread or an import.
SERVICES = (
    "apigateway,cloudformation,cloudtrail,events,iam,lambda,logs,monitoring,"
    "s3,sns,sqs,states,sts,tagging"
)

# MiniStack's own control paths need no signature: a web page could post to them.
CLOSED_PATHS = ("/_ministack", "/_localstack", "/_aws/sns", "/_aws/sqs", "/_aws/ses")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def serve(port: int, state: Path, users: Guests | None = None) -> None:
    """Serve on 127.0.0.1 until SIGINT, SIGTERM or eight hours without a request.

    ``port`` 0 takes a free one. The record is written to ``state`` once requests are answered
    and removed on the way out. With ``users``, accounts belong to other users of this computer,
    who must be able to go through the state's folder to their mail. Raises LocalAwsError where the
    port is taken, PermissionError where there are users and this is not root.
    """
    guests.install(users)
    with lifetime(state):
        # First of all: whatever is started or imported from here on knows no account.
        environment.replace(environment.isolated())
        environment.without_proxy()
        _allow_files()
        listener = _listen(port)
        # Before there are credentials in the environment: functions are forked from that process.
        zygote.start()
        folder = _new_folder(state)
        record = _new_record(listener.getsockname()[1], state)
        _configure_environment(record)
        gateway = Gateway(_assemble(record), record)
        try:
            asyncio.run(_run(gateway, listener, record, state))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if ServerRecord.read(state) == record:
                state.unlink()


@dataclass
class Gateway:
    """The ASGI application in front of MiniStack's."""

    app: App
    record: ServerRecord
    last_request: float = field(default_factory=time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the few paths of our own and hand everything else on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path == "/_localaws/health":
            body = json.dumps({"instance": self.record.instance}).encode()
            await _answer(send, 200, b"application/json", body)
        elif path.startswith(CLOSED_PATHS):
            await _answer(send, 404, b"text/plain", b"There is nothing here.")
        elif path in ("/confirmation.html", "/unsubscribe.html"):
            from helpers.localaws import mail

            query = scope["query_string"].decode("latin-1")
            page = mail.follow_link(path, query)
            await _answer(send, page.status, b"text/html; charset=utf-8", page.body)
        elif not _is_utf8(scope["query_string"]):
            await _answer(send, 400, b"application/json", _MALFORMED)
        elif _is_poll(scope):
            self.last_request = time.monotonic()
            await _while_connected(self.app, scope, receive, send)
        else:
            self.last_request = time.monotonic()
            await self.app(scope, receive, send)


# https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html
_MALFORMED = json.dumps(
    {"__type": "MalformedQueryString", "message": "The query string contains a syntax error."}
).encode()


def _is_utf8(query: bytes) -> bool:
    try:
        query.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_poll(scope: Scope) -> bool:
    return (b"x-amz-target", b"AWSStepFunctions.GetActivityTask") in scope["headers"]


async def _while_connected(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application until the client goes: a poll that nobody reads must take no task."""
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    serving = asyncio.ensure_future(app(scope, messages.get, send))

    async def watch() -> None:
        while (message := await receive())["type"] != "http.disconnect":
            messages.put_nowait(message)
        serving.cancel()

    watching = asyncio.ensure_future(watch())
    try:
        await serving
    except asyncio.CancelledError:
        pass  # the client has gone, or the server stops: there is nobody to answer
    finally:
        watching.cancel()


async def _answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise LocalAwsError(
            f"Port {port} cannot be used ({error}). Choose another with --port, "
            "or leave it out to take a free one."
        ) from error
    listener.listen(256)
    return listener


def _allow_files() -> None:
    """Raise the number of files that may be open, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _new_folder(state: Path) -> Path:
    """Return an empty folder for temporary files: a server that was killed has left its own."""
    folder = state.parent / f"{state.stem}-tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    guests.open_way(folder)
    tempfile.tempdir = str(folder)
    return folder


def _new_record(port: int, state: Path) -> ServerRecord:
    mailbox = state.parent / f"{state.stem}-mail"
    # The mail belongs to subscriptions that ended with the server before this one.
    shutil.rmtree(mailbox, ignore_errors=True)
    # Not AKIA, as AWS's keys begin: histories show it, and nobody should take it for a leaked one.
    key = "LKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    return ServerRecord(
        port=port,
        pid=os.getpid(),
        instance=uuid.uuid4().hex,
        account=ACCOUNT,
        region=REGION,
        access_key=key,
        secret_key=secrets.token_urlsafe(30),
        mailbox=str(mailbox),
    )


def _configure_environment(record: ServerRecord) -> None:
    """Set what MiniStack reads from the environment when it is imported."""
    for name in [name for name in os.environ if name.startswith("LOCALSTACK_")]:
        del os.environ[name]
    os.environ.update(
        AUTH="true",
        AWS_ACCESS_KEY_ID=record.access_key,
        AWS_SECRET_ACCESS_KEY=record.secret_key,
        AWS_ENDPOINT_URL=record.endpoint,
        DOCKER_HOST=f"unix://{os.devnull}/none",  # leave the user's containers alone
        GATEWAY_PORT=str(record.port),
        IOT_MTLS_ENABLED="0",
        LAMBDA_EXECUTOR="local",
        LOG_LEVEL="WARNING",
        MINISTACK_ACCOUNT_ID=record.account,
        MINISTACK_HOST="localhost",
        MINISTACK_REGION=record.region,
        SERVICES=SERVICES,
        SFTP_ENABLED="0",
    )
    for name in ("PERSIST_STATE", "S3_PERSIST", "LAMBDA_STRICT", "USE_SSL", "SFN_MOCK_CONFIG"):
        os.environ.pop(name, None)


def _assemble(record: ServerRecord) -> App:
    """Import MiniStack, put every seam in place and return its application."""
    import ministack.app

    import helpers.localaws.imports  # noqa: F401 - before anything imports moto
    from helpers.localaws import (
        admission,
        api,
        changesets,
        cloudtrail,
        formation,
        functions,
        interpreter,
        mail,
        names,
        permits,
        policies,
        signatures,
        stack_permits,
        states,
        subjects,
        topics,
        trust,
    )

    # moto logs whole states with their input on every failure: noise, and task tokens in it.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    outgoing.install()
    signatures.install()
    trust.install()
    interpreter.install()
    states.install()
    formation.install()
    admission.install()
    names.install()
    functions.install()
    api.install()
    changesets.install()
    policies.install()
    permits.install()
    subjects.install()
    stack_permits.install()
    cloudtrail.install()
    topics.install()
    mail.install(Path(record.mailbox))
    return ministack.app.app


async def _run(
    gateway: Gateway, listener: socket.socket, record: ServerRecord, state: Path
) -> None:
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("localaws")
    config.keep_alive_timeout = 75
    TCPServer._read_data = _read_and_let_go
    config.keep_alive_max_requests = 10**9
    config.graceful_timeout = 1

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    record.write(state)
    print(f"The local AWS answers on {record.endpoint} (Ctrl-C stops it).", flush=True)

    threading.Thread(target=_warm_up, daemon=True).start()
    idle = loop.create_task(_stop_when_idle(gateway, stopping))
    await hypercorn_serve(gateway, config, shutdown_trigger=stopping.wait)
    idle.cancel()

    from ministack.core import lambda_runtime

    lambda_runtime.reset()


def _warm_up() -> None:
    """Load what the first stack and the first IAM call would have to wait for, and all at once."""
    from moto.core.utils import get_service_model

    importlib.import_module(SAM)  # 0.7 s
    get_service_model("iam")  # 0.1 s; twenty first calls at the same time would each read it
    # What is loaded by now stays: looking through it for garbage stopped everybody for 0.2 s.
    gc.freeze()


_read_data = TCPServer._read_data


async def _read_and_let_go(server: TCPServer) -> None:
    """Close a connection when its client has: hypercorn would wait for the idle timer."""
    await _read_data(server)
    await server.idle_task.stop()


async def _stop_when_idle(gateway: Gateway, stopping: asyncio.Event) -> None:
    """A forgotten server ends by itself: nobody should find it running next week.

    That of a workshop is not forgotten: it ends with the room, which may be left for a night.
    """
    while guests.are_here() or time.monotonic() - gateway.last_request < IDLE_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
    stopping.set()
