"""Signatures: every request's is checked, the root key's too.

MiniStack takes the root key, the key "test" and requests without a key at their word. On a
laptop that would let any program, and any web page that is open, do anything here: code in
a Lambda function runs as the learner. So only the server's own random key is root, and only
with a signature made with its secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import ResolvedCredential
from ministack.services import s3, s3_object_lambda, sts

from helpers.localaws.record import secret_of

_ACCOUNT = re.compile(r"[0-9]{12}")

# Those that have copied MiniStack's function when they were imported.
_RESOLVERS = (iam_evaluator, sts, s3, s3_object_lambda)


def install() -> None:
    """Check root's signatures like everybody's, each account's with its own secret."""
    iam_evaluator._is_root_key = lambda _: False  # what MiniStack skips the check for
    iam_evaluator.is_root_access_key = is_root
    sts.is_root_access_key = is_root
    resolve = _with_own_secret(iam_evaluator.resolve_credential)
    for module in _RESOLVERS:
        module.resolve_credential = resolve


def is_root(access_key: str) -> bool:
    """Whether a key is the server's own, or the number of an account, which is root there."""
    return access_key == os.environ["AWS_ACCESS_KEY_ID"] or bool(_ACCOUNT.fullmatch(access_key))


def _with_own_secret(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what knows a key's secret: MiniStack has one for all accounts."""

    def resolving(access_key: str, *arguments: Any, **named: Any) -> Any:
        credential = resolve(access_key, *arguments, **named)
        if isinstance(credential, ResolvedCredential) and _ACCOUNT.fullmatch(access_key):
            secret = secret_of(access_key, os.environ["AWS_SECRET_ACCESS_KEY"])
            return replace(credential, secret_access_key=secret)
        return credential

    return resolving
