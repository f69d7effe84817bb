"""Signatures: every request's is checked, the root key's too.

MiniStack takes the root key, the key "test" and requests without a key at their word. On a
laptop that would let any program, and any web page that is open, do anything here: code in
a Lambda function runs as the learner. So only the server's own random key is root, and only
with a signature made with its secret.
"""

from __future__ import annotations

import os
import re

from ministack.core import iam_evaluator
from ministack.services import sts

_ACCOUNT = re.compile(r"\d{12}")


def install() -> None:
    """Check root's signatures like everybody's."""
    iam_evaluator._is_root_key = lambda _: False  # what MiniStack skips the check for
    iam_evaluator.is_root_access_key = is_root
    sts.is_root_access_key = is_root


def is_root(access_key: str) -> bool:
    """Whether a key is the server's own, or the number of an account, which is root there.

    Both sign with the server's secret.
    """
    return access_key == os.environ["AWS_ACCESS_KEY_ID"] or bool(_ACCOUNT.fullmatch(access_key))
