"""Whatever goes wrong ends in a sentence that says what happened and what to do."""

from __future__ import annotations

from typing import Any

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_KEY = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
# What the notebooks' cells define: a test compares this with the notebooks.
NOTEBOOK_NAMES = frozenset(
    """
    app approval arn attached attempt aws bucket cleared cloudformation confirmed coveted deleted
    dismissed done events execution graph history iam inbox incident inventory left mail mails
    mallory name preflight preview removed report response restored s3_as_mallory second session
    sns stack states status steps submitted subscription template token trail
    """.split()
)


class WorkbookError(Exception):
    """Something that a learner can put right; its text says how. Shown without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Tell IPython what to show instead of a traceback."""
        return [str(self)]


def explain(error: BaseException) -> str | None:
    """Return the sentence for an error that a learner meets, None for any other error.

    Looks at what botocore raises when the local AWS has gone, when credentials are missing,
    expired or of another server, and at the names that a notebook's first cell defines.
    """
    from botocore import exceptions

    if isinstance(error, WorkbookError):
        return str(error)
    if isinstance(error, NameError) and error.name in NOTEBOOK_NAMES:
        return (
            f"`{error.name}` is not there: the kernel was restarted, or a cell above was skipped. "
            "Run this notebook's first cell, then the cells from there on. Nothing is lost in AWS."
        )
    if isinstance(error, (exceptions.EndpointConnectionError, exceptions.ConnectionClosedError)):
        where = error.kwargs.get("endpoint_url", "AWS")
        if "127.0.0.1" in where:
            return (
                "The local AWS does not answer: it was stopped, and what was deployed in it is "
                "gone. Run this notebook's first cell again: it starts a new one."
            )
        return f"{where} cannot be reached. Is this computer online?"
    if isinstance(error, exceptions.NoCredentialsError):
        return "There are no AWS credentials here. Run `aws configure` or `aws sso login` first."
    if isinstance(error, exceptions.ClientError):
        code = error.response.get("Error", {}).get("Code")
        if code in EXPIRED:
            return (
                "Your AWS credentials have expired. Sign in again, then run the first cell again."
            )
        if code in UNKNOWN_KEY:
            return (
                "AWS does not know these credentials (any more): the local AWS was restarted, or "
                "the access key was deleted. Run this notebook's first cell again."
            )
    return None


def load_ipython_extension(shell: Any) -> None:
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
            lines = [sentence]
        shell._showtraceback(kind, error, lines)  # IPython has no public way
        return lines

    shell.set_custom_exc((BotoCoreError, ClientError, NameError), show)
