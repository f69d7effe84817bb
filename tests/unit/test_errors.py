"""Each thing that a learner meets ends in a sentence; what nobody foresaw keeps its traceback."""

from __future__ import annotations

import subprocess

import pytest
from botocore import exceptions

from helpers.environment import NOWHERE
from helpers.errors import WorkbookError, explain, explain_in

LOCAL, REMOTE = "http://127.0.0.1:4566/", "https://iam.amazonaws.com/"


def _client_error(code: str, message: str = "m") -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "Op")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WorkbookError("as it is"), "as it is"),
        (NameError("name 'aws' is not defined", name="aws"), "first cell"),
        (NameError("name 'token' is not defined", name="token"), "kernel was restarted"),
        (exceptions.EndpointConnectionError(endpoint_url=LOCAL), "starts a new one"),
        (exceptions.ConnectionClosedError(endpoint_url=LOCAL), "starts a new one"),
        (exceptions.EndpointConnectionError(endpoint_url=REMOTE), "online"),
        (exceptions.NoCredentialsError(), "aws sso login"),
        (_client_error("ExpiredToken"), "expired"),
        (_client_error("ExpiredTokenException"), "expired"),
        (_client_error("InvalidClientTokenId"), "first cell again"),
        (_client_error("InvalidClientTokenId"), "GovCloud"),
        (_client_error("SignatureDoesNotMatch"), "clock"),
        (_client_error("InvalidSignatureException"), "secret key is wrong"),
        (_client_error("AlreadyExistsException"), "run the notebook again"),
        (_client_error("EntityAlreadyExists"), "This cell was run before"),
        (
            _client_error(
                "AccessDeniedException", "Neither is authorized to assume the provided role"
            ),
            "The role of this cell was deleted",
        ),
        (KeyboardInterrupt(), "You stopped this cell"),
        (_client_error("DeleteConflict"), "Detach"),
        (_client_error("OperationAborted"), "up to an hour. Run this cell again"),
        (_client_error("BucketNotEmpty"), "CloudTrail: run this cell again"),
        (_client_error("NoSuchEntity"), "cells above"),
        (_client_error("ExecutionDoesNotExist"), "cleans up: run this notebook from its first"),
        (subprocess.CalledProcessError(254, "bash"), "its own words are above"),
        (exceptions.EndpointConnectionError(endpoint_url=NOWHERE), "connected to no AWS yet"),
        (exceptions.ReadTimeoutError(endpoint_url=LOCAL), "does not answer"),
        (exceptions.ProxyConnectionError(proxy_url="http://proxy"), "cannot be reached"),
        (exceptions.ProfileNotFound(profile="p"), "AWS_PROFILE"),
        (exceptions.WaiterError("W", "too long", {}), "only need longer: run this cell again"),
        (exceptions.UnauthorizedSSOTokenError(), "aws sso login"),
        (exceptions.SSOTokenLoadError(error_msg="none"), "signed out"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="none"), "version 2"),
        (exceptions.LoginRefreshRequired(), "signed out"),
        (exceptions.LoginTokenLoadError(error_msg="none"), "`aws login`"),
        (exceptions.LoginInsufficientPermissions(), "Ask who administers"),
        (
            exceptions.CredentialRetrievalError(provider="custom-process", error_msg="not found"),
            "custom-process: not found. That is what your profile names",
        ),
        (exceptions.MissingDependencyException(msg="pip install it."), "-m pip install"),
    ],
)
def test_a_sentence(error: BaseException, words: str) -> None:
    assert words in explain(error)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_who_signs_in_again_does_not_begin_anew(code: str) -> None:
    """In a real account a notebook's first cell may delete what a learner works with."""
    sentence = explain(_client_error(code))
    assert "first cell" not in sentence.rpartition("In a real account")[2]
    assert "in a new cell, run `aws = session.connect()`" in sentence


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("no service control policy allows", "a limit on you"),
        ("no resource control policy allows", "a limit on you"),
        ("no permissions boundary allows", "(permissions boundary)"),
        ("no session policy allows", "a limit on you"),
        ("no VPC endpoint policy allows", "a limit on you"),
        ("no identity-based policy allows", "data/learner-policy.json"),
    ],
)
def test_a_limit_is_not_mended_by_a_policy(why: str, words: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    message = (
        "User: arn:aws:iam::111122223333:user/learner is not authorized to perform: "
        f"iam:CreateUser on resource: * because {why} the iam:CreateUser action"
    )
    sentence = explain(_client_error("AccessDenied", message))
    assert words in sentence
    assert ("ask who administers" in sentence) == ("a limit" in sentence)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        NameError("name 'tpyo' is not defined", name="tpyo"),
        exceptions.ParamValidationError(report="a bug"),
        _client_error("ValidationError"),
    ],
)
def test_other_errors_are_left_alone(error: Exception) -> None:
    assert explain(error) is None


def test_a_workbook_error_shows_no_traceback_in_a_notebook() -> None:
    assert WorkbookError("what to do")._render_traceback_() == ["what to do"]


def test_a_sentence_is_not_broken_inside_a_word() -> None:
    """JupyterLab breaks an error's line where it is full."""
    words = f"Run the cell that makes {'arn:' * 30} again. " * 3
    lines = WorkbookError(f"{words}\n\nThe end.")._render_traceback_()
    assert " ".join(lines).split() == [*words.split(), "The", "end."]
    assert all(len(line) <= 90 or " " not in line for line in lines)
    assert lines[-2:] == ["", "The end."]


def _fails() -> None:
    raise AssertionError("in a library")


def test_the_extension_shows_the_sentence_and_keeps_other_tracebacks() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shown: list[list[str]] = []
    shell = InteractiveShell()
    shell._showtraceback = lambda kind, error, lines: shown.append(lines)
    explain_in(shell)
    shell.run_cell("aws.client('iam')")
    assert " ".join(shown[-1]) == explain(NameError("", name="aws"))
    shell.run_cell("raise KeyboardInterrupt")
    assert shown[-1] == ["You stopped this cell. Run it again when you like."]
    shell.run_cell("assert 1 > 2, 'Not yet: run the cell above.'")
    assert shown[-1] == ["✗ Not yet: run the cell above."]
    for others in ("assert 1 > 2", "import re; re.compile(1)", "tests.unit.test_errors._fails()"):
        shell.run_cell(f"import tests.unit.test_errors\n{others}")
        assert "Traceback" in "".join(shown[-1])
    shell.run_cell("tpyo")
    assert any("NameError" in line for line in shown[-1])
    InteractiveShell.clear_instance()
