"""One workbook session: the local AWS by default, a real account only when asked for by name."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from helpers import errors, localaws
from helpers.errors import WorkbookError

REGION = "us-east-1"  # IAM's events arrive here only
TARGETS = ("local", "aws")

_REST_API = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
_SNS_PAGE = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com")

# The environment before connect() changed it, so that a kernel can go back to a real account.
_original: dict[str, str] | None = None


@dataclass(frozen=True)
class Session:
    """A connection to one account. ``endpoint`` is None where the target is AWS itself."""

    target: str
    account: str
    region: str
    principal: str
    endpoint: str | None
    mailbox: str | None
    boto: boto3.session.Session

    def client(self, service: str) -> BaseClient:
        """Return a boto3 client, for example ``client("iam")``."""
        local = self.endpoint is not None
        retries = {"mode": "standard", "total_max_attempts": 2 if local else 5}
        config = Config(retries=retries, s3={"addressing_style": "path" if local else "auto"})
        return self.boto.client(service, endpoint_url=self.endpoint, config=config)

    def client_of(self, service: str, access_key: str, secret_key: str) -> BaseClient:
        """Return a client that acts as the owner of another access key of this account."""
        other = boto3.session.Session(access_key, secret_key, region_name=self.region)
        return other.client(service, endpoint_url=self.endpoint)

    def url(self, link: str) -> str:
        """Return the address under which a person can open a link of AWS.

        On AWS that is the link itself. The local AWS answers for API Gateway's and SNS's names:
        ``https://<api>.execute-api.<region>.amazonaws.com/Prod/allow`` becomes a local address.
        """
        if self.endpoint is None:
            return link
        _, host, path, query, fragment = urlsplit(link)
        here = urlsplit(self.endpoint)
        if api := _REST_API.fullmatch(host):
            stage, _, rest = path.lstrip("/").partition("/")
            path = f"/restapis/{api['api']}/{stage}/_user_request_/{rest}"
        elif not _SNS_PAGE.fullmatch(host):
            return link
        return urlunsplit((here.scheme, here.netloc, path, query, fragment))

    def __repr__(self) -> str:
        place = "the local AWS on this computer" if self.endpoint else "AWS"
        return f"Connected to {place}: account {self.account}, region {self.region}"


def connect(
    target: str | None = None,
    *,
    confirm: Callable[[str], str] = input,
    state: Path = localaws.record.STATE_FILE,
) -> Session:
    """Connect to the local AWS (started if need be), or to a real account when asked by name.

    ``target`` is "local" or "aws"; left out, it is the variable WORKBOOK_TARGET, else "local".
    For "aws", ``confirm`` shows account, region and principal and must return the account's
    number. Prints where it connected to. Raises WorkbookError with what to do.
    """
    target = target or os.environ.get("WORKBOOK_TARGET") or "local"
    if target not in TARGETS:
        raise WorkbookError(f"There is no target {target!r}: use 'local' or 'aws'.")
    _remember_environment()
    _explain_errors()
    session = _local(state) if target == "local" else _real(confirm)
    print(session)
    return session


def _remember_environment() -> None:
    global _original  # noqa: PLW0603 - os.environ, which it mirrors, is as global
    if _original is None:
        _original = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def _forget_accounts() -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]


def _explain_errors() -> None:
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        errors.load_ipython_extension(shell)


def _local(state: Path) -> Session:
    record, news = localaws.ensure(state)
    if news:
        print(news)
    # The shell's `aws` in a cell, and any client made without this session, go there as well:
    # nothing of a real account is left in the environment, and no profile is read.
    _forget_accounts()
    os.environ.update(
        AWS_ACCESS_KEY_ID=record.access_key,
        AWS_SECRET_ACCESS_KEY=record.secret_key,
        AWS_DEFAULT_REGION=record.region,
        AWS_REGION=record.region,
        AWS_ENDPOINT_URL=record.endpoint,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_PAGER="",
        NO_PROXY=",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"])),
    )
    _put_aws_on_path()
    boto = boto3.session.Session(record.access_key, record.secret_key, region_name=record.region)
    principal = f"arn:aws:iam::{record.account}:root"
    return Session(
        "local", record.account, record.region, principal, record.endpoint, record.mailbox, boto
    )


def _put_aws_on_path() -> None:
    """Let `!aws` find the command that was installed with this Python."""
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])


def _real(confirm: Callable[[str], str]) -> Session:
    _forget_accounts()
    os.environ.update(_original or {})
    os.environ.update(AWS_DEFAULT_REGION=REGION, AWS_PAGER="")
    os.environ.pop("AWS_REGION", None)
    _put_aws_on_path()
    boto = boto3.session.Session(region_name=REGION)
    try:
        caller = boto.client("sts").get_caller_identity()
    except Exception as error:
        sentence = errors.explain(error)
        raise WorkbookError(sentence or f"AWS cannot be used: {error}") from error
    account, principal = caller["Account"], caller["Arn"]
    answer = confirm(
        f"This is a REAL AWS account: {account}, region {REGION}, as {principal}.\n"
        "What you create there can cost money. Type the account's number to go on: "
    )
    if answer.strip() != account:
        raise WorkbookError("That is not the account's number. Nothing was done in AWS.")
    return Session("aws", account, REGION, principal, None, None, boto)
