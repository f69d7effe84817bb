"""Whatever goes wrong ends in a sentence that says what happened and what to do."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.environment import NOWHERE

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError

DENIED = {
    *("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"),
}
# What boto3 tries again by itself, before anybody sees it.
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
THROTTLED = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
    *("TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded"),
    *("RequestThrottled", "SlowDown", "EC2ThrottledException"),
}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
OUT_OF_ORDER = {
    *("AlreadyExistsException", "InvalidChangeSetStatus", "ChangeSetNotFound"),
    *("EntityAlreadyExists", "EntityAlreadyExistsException"),
}
UNKNOWN_KEY = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
WRONG_SIGNATURE = {
    *("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"),
}
# A notebook's first cell would begin anew: that of 01 deletes the app, others clear the policy.
AGAIN = (
    "Then, in a new cell, run `aws = session.connect()` and what is made from it, such as "
    '`iam = aws.client("iam")`; then this cell again.'
)
# This Python's own `aws`, which a notebook's cells find first, is version 1: it cannot sign in.
SIGN_IN = (
    "sign in (`aws sso login`, or `aws login`, in a terminal of your own, with AWS CLI version 2)."
)
LOCALLY = (
    "If it is the local AWS, that was restarted: run this notebook's first cell again. In a real "
    "account, "
)
WIDTH = 90  # letters of a line, in a notebook beside JupyterLab's list of files
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
DATA = Path(__file__).resolve().parents[1] / "data"
# What a learner in a real account is allowed: the episode's, and what the later lessons add.
POLICIES = (DATA / "learner-policy.json", DATA / "learner-policy-lessons.json")
NOTEBOOK_FOLDERS = (NOTEBOOKS, NOTEBOOKS / "solutions")


@cache
def notebook_names() -> frozenset[str]:
    """Return every name that a cell of the notebooks defines: what a skipped cell leaves out.

    Read when the first name is missing: no kernel starts later for it.
    """
    paths = [path for folder in NOTEBOOK_FOLDERS for path in folder.glob("[0-9]*.ipynb")]
    return frozenset(name for path in paths for code in _cells(path) for name in _defined(code))


def _cells(path: Path) -> list[str]:
    """Return the source of each code cell; nothing of a file that is no notebook any more."""
    try:
        cells = json.loads(path.read_text())["cells"]
    except (ValueError, KeyError):
        return []
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _defined(cell: str) -> Iterator[str]:
    """Yield the names that a cell binds; none of a cell that a learner has not finished."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        nodes = list(ast.walk(ast.parse(TransformerManager().transform_cell(cell))))
    except SyntaxError:
        return
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


class WorkbookError(Exception):
    """Something that a learner can put right; its text says how. Shown without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Tell IPython what to show instead of a traceback."""
        return _lines(str(self))


def _lines(sentence: str) -> list[str]:
    """Return lines that end with a word: JupyterLab would break an error's text anywhere."""
    return [
        piece
        for line in sentence.splitlines() or [""]
        for piece in textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False)
        or [""]
    ]


def explain(error: BaseException) -> str | None:
    """Return the sentence for an error that a learner meets, None for any other error.

    Looks at what botocore raises when the local AWS has gone, when credentials are missing,
    expired or of another server, and at the names that a notebook's first cell defines.
    """
    if isinstance(error, WorkbookError):
        return str(error)
    if isinstance(error, AssertionError):
        return _checkpoint(error)
    if isinstance(error, KeyboardInterrupt):
        return "You stopped this cell. Run it again when you like."
    if isinstance(error, NameError) and error.name in notebook_names():
        return (
            f"`{error.name}` is not there: the kernel was restarted, or a cell above was skipped. "
            "Run this notebook's first cell, then all cells from there on."
        )
    if isinstance(error, NameError):
        return None
    if isinstance(error, subprocess.CalledProcessError):
        return (
            "The command failed; its own words are above. If something exists already, run this "
            "notebook from its first cell again. If a token has timed out, it was used: the cell "
            "above makes a new one. If nothing could be reached, run the first cell."
        )
    return _explain_aws(error)


def _checkpoint(error: AssertionError) -> str | None:
    """Return what a cell's own assertion says; None of one without words, or of other code."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    in_a_cell = bool(frames) and frames[-1].f_globals.get("__name__") == "__main__"
    return f"✗ {error}" if in_a_cell and str(error) else None


def _explain_aws(error: BaseException) -> str | None:
    """Return the sentence for an error of boto3's. Imports botocore: not before there is one."""
    from botocore import exceptions

    unreachable = (
        exceptions.EndpointConnectionError,
        exceptions.ConnectionClosedError,
        exceptions.ConnectTimeoutError,
        exceptions.ReadTimeoutError,
        exceptions.ProxyConnectionError,
    )
    if isinstance(error, unreachable):
        where = str(error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url") or "AWS")
        if NOWHERE in where:
            return "This notebook is connected to no AWS yet. Run its first cell."
        if "127.0.0.1" in where:
            return (
                "The local AWS does not answer: it was stopped, and what was deployed in it is "
                "gone. Run this notebook's first cell again: it starts a new one."
            )
        return f"{where} cannot be reached. Is this computer online?"
    if isinstance(error, exceptions.WaiterError):
        return f"{error}. AWS may only need longer: run this cell again in a minute."
    if isinstance(error, exceptions.BotoCoreError):
        return _explain_credentials(error)
    if isinstance(error, exceptions.ClientError):
        return _explain_answer(error.response.get("Error", {}), error.operation_name)
    return None


def _explain_credentials(error: BotoCoreError) -> str | None:
    """Return the sentence where botocore finds no way from a profile to credentials.

    https://docs.aws.amazon.com/boto3/latest/guide/credentials.html
    """
    from botocore import exceptions

    if isinstance(error, exceptions.NoCredentialsError):
        return f"There are no AWS credentials here. Run `aws configure`, or {SIGN_IN} {AGAIN}"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}. Choose a profile that is there: unset AWS_PROFILE, or set another."
    if isinstance(error, exceptions.LoginInsufficientPermissions):
        return (
            f"{str(error).strip()} Ask who administers the account for it, or use another profile."
        )
    if isinstance(
        error, exceptions.SSOError | exceptions.LoginError | exceptions.TokenRetrievalError
    ):
        return f"You are signed out of AWS: {SIGN_IN} {AGAIN}"
    if isinstance(error, exceptions.CredentialRetrievalError):
        return (
            f"{error}. That is what your profile names, such as a credential_process or a role: "
            f"mend it, or choose another profile. {AGAIN}"
        )
    if isinstance(error, exceptions.MissingDependencyException):
        return (
            f"{error} For a profile of `aws login`: run `{sys.executable} -m pip install "
            "'botocore[crt]'` in a terminal and restart the kernel, or use another profile."
        )
    return None


def _explain_answer(answer: dict[str, str], operation: str) -> str | None:
    """Return the sentence for an error that AWS answered an operation with."""
    code = answer.get("Code")
    if code in EXPIRED:
        return (
            f"Your AWS credentials have expired: {SIGN_IN} Where you gave keys as variables, start "
            "the workbook again with new ones. What exists in the account is still there. "
            f"{AGAIN}"
        )
    if code in THROTTLED:
        return (
            f"AWS gets too many calls from this account just now: it refused {operation} ({code}) "
            "each time it was tried. Nothing is broken: wait a minute, then run this cell again."
        )
    if "authorized to assume the provided role" in (answer.get("Message") or ""):
        return (
            f"{answer['Message']} The role of this cell was deleted, perhaps by a cell that cleans "
            "up: run this notebook from its first cell again."
        )
    if code in DENIED:
        message = (answer.get("Message") or f"You may not call {operation}").rstrip(".")
        return f"{code}: {message}. {permission_remedy(message)}"
    if code in UNKNOWN_KEY:
        return (
            f"AWS does not know these credentials (any more). {LOCALLY}the access key was deleted, "
            "its session token is missing, or it is one of GovCloud or China: give others. "
            f"{AGAIN}"
        )
    if code in WRONG_SIGNATURE:
        return (
            f"AWS refuses the signature of this call. {LOCALLY}the secret key is wrong, or this "
            f"computer's clock is: put it right. {AGAIN}"
        )
    if code in OUT_OF_ORDER:
        return (
            f"{answer.get('Message')} This cell was run before: run the notebook again from its "
            "first cell."
        )
    if code in ("NoSuchEntity", "NoSuchEntityException"):
        return (
            f"{answer.get('Message')} What this cell needs is made by the cells above: run the "
            "notebook from its first cell again."
        )
    if code in ("ExecutionDoesNotExist", "StateMachineDoesNotExist"):
        return (
            f"{answer.get('Message')}. It was deleted, with the app or by a cell that cleans up: "
            "run this notebook from its first cell again."
        )
    if code == "OperationAborted":
        return (
            "S3 is still deleting a bucket of this name: that can take up to an hour. Run this "
            "cell again then."
        )
    if code == "BucketNotEmpty":
        return (
            f"{answer.get('Message')} Something was put into it meanwhile, perhaps by CloudTrail: "
            "run this cell again in a minute."
        )
    if code == "DeleteConflict":
        return f"{answer.get('Message')} Detach or delete that first, then run the cell again."
    return None


_ACTION = re.compile(r"not authorized to perform: (?P<action>[\w-]+:\w+)")
# What limits a caller, whatever the caller's own policies allow.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_LIMIT = re.compile(
    r"because no (?P<limit>(service control|resource control|session|VPC endpoint) policy"
    r"|permissions boundary) allows"
)


def permission_remedy(message: str) -> str:
    """Return what to do where AWS says that a caller may not; "" where it does not say that.

    Names the policies of this workbook that have the action, if one has it.
    """
    if "an explicit deny" in message:
        return "Something denies it explicitly: ask who administers the account."
    if limited := _LIMIT.search(message):
        return (
            f"Your organization, or a limit on you, does not allow it ({limited['limit']}), and no "
            "policy of yours helps: ask who administers the account."
        )
    if ":user/step-functions-workbook/mallory " in message:
        return "That is mallory, who may do only what her policies allow."
    found = _ACTION.search(message)
    named = [f"data/{path.name}" for path in POLICIES if found and _has(path, found["action"])]
    if named:
        return (
            f"Allowed where the lessons need it by: {' and '.join(named)}. Have that attached to "
            "your user or role (docs/REAL_ACCOUNT.md), then run this cell again."
        )
    return (
        "The lessons need no more than data/learner-policy.json and, from 05 on, "
        "data/learner-policy-lessons.json allow: compare your policies with those."
    )


def _has(path: Path, action: str) -> bool:
    """Whether a policy of this workbook names the action; IAM compares without case."""
    for statement in json.loads(path.read_text())["Statement"]:
        actions = statement["Action"]
        listed = [actions] if isinstance(actions, str) else actions
        if action.lower() in (name.lower() for name in listed):
            return True
    return False


def explain_in(shell: Any) -> None:
    """Make a notebook show sentences instead of tracebacks where ``explain`` has one."""
    from botocore.exceptions import BotoCoreError, ClientError

    def show(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: Any,
        tb_offset: Any = None,
    ) -> list[str]:
        sentence = explain(error)
        if sentence is None:
            lines = shell.InteractiveTB.structured_traceback(
                kind, error, trace, tb_offset=tb_offset
            )
        else:
            lines = _lines(sentence)
        shell._showtraceback(kind, error, lines)  # IPython has no public way
        return lines

    python_s = (AssertionError, KeyboardInterrupt, NameError, subprocess.CalledProcessError)
    kinds = (BotoCoreError, ClientError, *python_s)
    shell.set_custom_exc(kinds, show)
