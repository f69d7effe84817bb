"""Lambda functions: warm before they are needed, and failing under their own error's name."""

from __future__ import annotations

import logging
import os
import queue
import re
import signal
import subprocess
import threading
import types
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from helpers.localaws import guests, sessions
from helpers.localaws.turns import Turns
from helpers.localaws.zygote import Fork

log = logging.getLogger("localaws.functions")

# A storm of invocations waits here instead of starting a process each: 200 at once took 84 s and
# 200 processes. One more is started where none has ended for a second: those that are at work may
# wait for the ones in line, by way of a state machine or of an API.
ENVIRONMENTS = 2 * (os.cpu_count() or 1)
_environments = Turns(ENVIRONMENTS, patience=1)

# What MiniStack says of a process that ended before it answered.
_DIED = ("Worker process died", "[Errno 32] Broken pipe")

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_raised = threading.local()
_starting = threading.local()
_cold: queue.SimpleQueue[str] = queue.SimpleQueue()

# How MiniStack's worker reports an exception of the handler, and how it does here: its name and
# stack go along, and the environment lives on, as on AWS (MiniStack would kill it). The stack is
# the function's own, in the folder that it has on AWS.
# https://github.com/aws/aws-lambda-python-runtime-interface-client awslambdaric/bootstrap.py
_REPORT = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
_FULL_REPORT = "_ms_report(e, code_dir)"
_REPORTER = """
import traceback

def _ms_report(error, code_dir):
    frames = traceback.extract_tb(error.__traceback__)[1:]
    stack = traceback.format_list(
        [(f.filename.replace(code_dir, "/var/task"), f.lineno, f.name, f.line) for f in frames]
    )
    kind, message = type(error).__name__, str(error)
    first = f"[ERROR] {kind}: {message}\\nTraceback (most recent call last):\\n"
    return {
        "status": "ok",
        "raised": {
            "errorMessage": message, "errorType": kind, "requestId": "", "stackTrace": stack
        },
        "trace": first + "".join(stack),
    }
"""


def install() -> None:
    """Put this module's changes into MiniStack's Lambda."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(_REPORT) != 1:
        raise RuntimeError("MiniStack's Lambda worker has changed: see helpers/localaws/README.md")
    lambda_runtime._PYTHON_WORKER_SCRIPT = _REPORTER + script.replace(_REPORT, _FULL_REPORT)
    # A Python function is forked from a process that has boto3 loaded: 0.1 s instead of 0.5 s.
    lambda_runtime.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": _start})
    lambda_runtime.Worker._spawn = _noting_account(lambda_runtime.Worker._spawn)
    if guests.are_here():
        # What is not Python's or Node's MiniStack starts here, as this process's user.
        lambda_svc.subprocess = types.SimpleNamespace(
            **{**vars(subprocess), "Popen": _refuse, "run": _refuse}
        )
    lambda_runtime.Worker.invoke = _noting_errors(lambda_runtime.Worker.invoke)
    of_one = _of_one_account(lambda_runtime.invalidate_worker)
    for module in (lambda_runtime, lambda_svc):
        module.execution_credentials = execution_credentials
        module.invalidate_worker = of_one
    lambda_runtime._collect = _noting_exits(lambda_runtime._collect)
    lambda_svc._execute_function_warm = _naming_errors(lambda_svc._execute_function_warm)
    # A function that logs nothing must not wait 50 ms for its log.
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.002, 0.001, 0.05)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    handlers["create"] = _warming(handlers["create"])
    threading.Thread(target=_warm_up, name="lambda-warm-up", daemon=True).start()


def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
    """Return the variables with a session of a function's role.

    MiniStack makes the session's secret from the function's and the role's names alone.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    arn, name = config["FunctionArn"], config["FunctionName"]
    role = config.get("Role", "").rsplit("/", 1)[-1]
    session = sessions.of(arn.split(":")[4], role, name[:64], arn)
    return {
        "AWS_ACCESS_KEY_ID": session.access_key,
        "AWS_SECRET_ACCESS_KEY": session.secret_key,
        "AWS_SESSION_TOKEN": session.token,
    }


def _of_one_account(invalidate: Callable[..., None]) -> Callable[..., None]:
    """Wrap what ends a function's environments: MiniStack would end those of every account.

    A stack that is created, or a function that is configured anew, would kill invocations of the
    function of that name in other accounts, in a workshop those of all who deployed the same app.
    """

    def ending(
        name: str,
        qualifier: str | None = None,
        account: str | None = None,
        region: str | None = None,
    ) -> None:
        invalidate(name, qualifier, account or get_account_id(), region or get_region())

    return ending


def _start(command: list[str], **options: Any) -> Any:
    """Start a worker script: Python's as a fork, any other runtime's as MiniStack would.

    Where there are guests, it runs as its account's user and may read its own code.
    """
    account = getattr(_starting, "account", None)
    if account is None and guests.are_here():
        _refuse()
    user = guests.user_of(account) if account else None
    if user is not None:
        guests.lend(Path(command[1]).parent, user)
    if command[-1].endswith(".py"):
        return Fork(command, user=user, **options)
    if user is None:
        return subprocess.Popen(command, **options)
    return subprocess.Popen(command, user=user, group=user, extra_groups=(), **options)


def _refuse(*_: Any, **__: Any) -> Any:
    raise OSError("In a workshop, functions are written in Python.")


def _noting_account(spawn: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap what starts a worker: whose function it is, its own environment cannot be asked."""

    def noting(worker: Any) -> None:
        # It becomes part of a folder's path, which this process makes.
        if not _NAME.fullmatch(worker.func_name):
            raise OSError(f"{worker.func_name!r} is no name of a function.")
        _starting.account = worker.config["FunctionArn"].split(":")[4]
        try:
            spawn(worker)
        finally:
            _starting.account = None

    return noting


def _noting_errors(invoke: Any) -> Any:
    def noting(worker: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        _raised.status = None
        response = invoke(worker, *arguments, **named)
        _raised.report = response.get("raised")
        _raised.trace = response.get("trace", "")
        if response.get("error") in _DIED:
            _raised.report = {"errorType": "Runtime.ExitError", "errorMessage": _last_words()}
        return response

    return noting


def _noting_exits(collect: Any) -> Any:
    def noting(process: Any, deadline: float) -> None:
        collect(process, deadline)
        _raised.status = process and process.returncode

    return noting


def _last_words() -> str:
    """Say how the process of the invocation ended, as Lambda was seen to.

    https://github.com/floci-io/floci/issues/3314, https://repost.aws/knowledge-center/lambda-runtime-error
    """
    match _raised.status:
        case None | 0:
            return "Runtime exited without providing a reason"
        case status if status < 0:
            words = signal.strsignal(-status) or str(-status)
            return f"Runtime exited with error: signal: {words.partition(':')[0].lower()}"
        case status:
            return f"Runtime exited with error: exit status {status}"


def _naming_errors(execute: Any) -> Any:
    def naming(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        _raised.report = None
        with _place():
            result = execute(function, event, request_id)
        if not _raised.report:
            return result
        if _raised.report["errorType"] == "Runtime.ExitError":
            words = f"RequestId: {request_id} Error: {_raised.report['errorMessage']}"
            return {**result, "body": {**_raised.report, "errorMessage": words}}
        log_text = "\n".join(filter(None, [result.get("log", ""), _raised.trace]))
        return {"body": {**_raised.report, "requestId": request_id}, "error": True, "log": log_text}

    return naming


def _place() -> AbstractContextManager[None]:
    """Return what an invocation waits for; one that comes from a function keeps that waiting."""
    nested = lambda_svc._invoke_depth.get() > 1
    return nullcontext() if nested else _environments.taken()


def _warming(create: Any) -> Any:
    def warming(*arguments: Any, **named: Any) -> Any:
        created = create(*arguments, **named)
        _cold.put(created[1]["Arn"])
        return created

    return warming


def _warm_up() -> None:
    """Start one environment of each new function, one after another.

    On AWS the first invocation pays for it; here nobody learns anything from that wait.
    """
    while True:
        arn = _cold.get()
        account, region = arn.split(":")[4], arn.split(":")[3]
        name = arn.split(":")[6]
        function = lambda_svc._functions.get_scoped(account, region, name)
        if function is None or not function["code_zip"]:
            continue  # deleted again, or without code
        worker, _ = lambda_runtime.acquire_worker(name, function["config"], function["code_zip"])
        try:
            lambda_runtime.ensure_spawned(worker)
        except Exception as error:  # noqa: BLE001 - the function's own; its invocation will say so
            log.warning("%s does not start: %s", name, error)
        finally:
            lambda_runtime.release_worker(worker)
