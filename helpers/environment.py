"""The environment that every AWS client and the shell's `aws` read, kept to one account.

Nothing here imports boto3: it runs at the start of every kernel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# Nothing listens there: until connect() was called, a call to AWS ends at once, at home, and the
# error that the `aws` command prints has this address in it.
NOWHERE = "http://127.0.0.1:9/run-the-first-cell-of-this-notebook"

# What the user's environment said before it was isolated: needed for a real account only.
_users_own: dict[str, str] | None = None


def current() -> dict[str, str]:
    """Return the variables that AWS clients read."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def replace(variables: Mapping[str, str]) -> None:
    """Make these the only variables that AWS clients read, remembering the user's own once."""
    global _users_own  # noqa: PLW0603 - os.environ, which it mirrors, is as global
    if _users_own is None:
        _users_own = current()
    for name in current():
        del os.environ[name]
    os.environ.update(variables)


def isolated() -> dict[str, str]:
    """Return variables with which no profile, credential or metadata service is ever read."""
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nobody",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_PAGER": "",
    }


def unconnected() -> dict[str, str]:
    """Return those of who has no account yet: a second try would only make an error late."""
    return {**isolated(), "AWS_MAX_ATTEMPTS": "1"}


def isolate() -> None:
    """Put every account out of reach, unless connect() has chosen one already."""
    if _users_own is None:
        replace(unconnected())
        without_proxy()


@contextmanager
def users_own() -> Iterator[None]:
    """Bring the user's own variables back; if the block fails, those before it return."""
    before = current()
    untouched = _users_own is None  # they are the user's own still
    replace(before if untouched else _users_own)
    try:
        yield
    except BaseException:
        replace(unconnected() if untouched or not before else before)
        raise


def without_proxy() -> None:
    """Let no proxy stand between this computer and itself, in both spellings of the variable."""
    for name in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if "127.0.0.1" not in hosts:
            os.environ[name] = ",".join([*hosts, "127.0.0.1"])
