"""One workbook session: the local AWS by default, a real account only when asked for by name."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from helpers import account as real_account
from helpers import environment, errors, localaws
from helpers.errors import WorkbookError

REGION = "us-east-1"  # IAM's events arrive here only
TARGETS = ("local", "aws")

_REST_API = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
_SNS_PAGE = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com")


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
    _clients: dict[str, BaseClient] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> BaseClient:
        """Return a boto3 client, for example ``client("iam")``; always the same for a service."""
        if service not in self._clients:
            self._clients[service] = self.boto.client(
                service, endpoint_url=self.endpoint, config=self._config()
            )
        return self._clients[service]

    def _config(self) -> Config:
        if self.endpoint is None:
            return Config(retries={"mode": "standard", "total_max_attempts": 5})
        return Config(
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path"},
            # StartSyncExecution and TestState live at sync-<host> on AWS, which is nowhere here.
            inject_host_prefix=False,
        )

    def client_of(self, service: str, access_key: str, secret_key: str) -> BaseClient:
        """Return a client that acts as the owner of another access key of this account."""
        other = boto3.session.Session(access_key, secret_key, region_name=self.region)
        return other.client(service, endpoint_url=self.endpoint, config=self._config())

    def variables(self) -> dict[str, str]:
        """Return an environment for a command that acts in this session's account."""
        others = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        if self.endpoint is None:
            return {**others, **environment.current()}
        credentials = self.boto.get_credentials()
        return {
            **others,
            **_local_variables(
                credentials.access_key, credentials.secret_key, self.region, self.endpoint
            ),
        }

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

    def page(self, link: str) -> str:
        """Return the address under which a browser opens a link of AWS.

        In a workshop the browser is on another computer than the local AWS: the workshop's hub
        passes on what is below WORKBOOK_LINKS.
        """
        address, way = self.url(link), os.environ.get("WORKBOOK_LINKS")
        if not way or self.endpoint is None or not address.startswith(f"{self.endpoint}/"):
            return address
        return way + address.removeprefix(self.endpoint)

    def __repr__(self) -> str:
        place = "the local AWS on this computer" if self.endpoint else "AWS"
        return f"Connected to {place}: account {self.account}, region {self.region}"


def connect(
    target: str | None = None,
    *,
    account: str | None = None,
    confirm: Callable[[str], str] = input,
    state: Path = localaws.record.STATE_FILE,
) -> Session:
    """Connect to the local AWS (started if need be), or to a real account when asked by name.

    ``target`` is "local" or "aws"; left out, it is the variable WORKBOOK_TARGET, else "local".
    ``account`` is the number of another account on the local AWS, apart from all others; left
    out, it is the variable WORKBOOK_ACCOUNT, else the server's own.
    For "aws", ``confirm`` shows account, region, principal and cost and must return the account's
    number. Prints where it connected to. Raises WorkbookError with what to do.
    """
    target = target or os.environ.get("WORKBOOK_TARGET") or "local"
    if target not in TARGETS:
        raise WorkbookError(f"There is no target {target!r}: use 'local' or 'aws'.")
    account = account or os.environ.get("WORKBOOK_ACCOUNT")
    if target == "aws" and account:
        raise WorkbookError(
            "On AWS the account is that of your credentials: leave out account=, and unset "
            "WORKBOOK_ACCOUNT."
        )
    _explain_errors()
    session = _local(state, account) if target == "local" else _real(confirm)
    # A plain boto3.client() in a cell goes where the session goes, also after a new connect().
    boto3.setup_default_session(region_name=session.region)
    print(session)
    return session


def _explain_errors() -> None:
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        errors.explain_in(shell)


def _local(state: Path, account: str | None) -> Session:
    record, news = localaws.ensure(state)
    if news:
        print(news)
    if account:
        record = record.of(account)
    # The shell's `aws` in a cell, and any client made without this session, go there as well:
    # nothing of a real account is left in the environment, and no profile is read.
    environment.replace(
        _local_variables(record.access_key, record.secret_key, record.region, record.endpoint)
    )
    environment.without_proxy()
    _put_aws_on_path()
    boto = boto3.session.Session(record.access_key, record.secret_key, region_name=record.region)
    principal = f"arn:aws:iam::{record.account}:root"
    return Session(
        "local", record.account, record.region, principal, record.endpoint, record.mailbox, boto
    )


def _local_variables(
    access_key: str, secret_key: str, region: str, endpoint: str
) -> dict[str, str]:
    return {
        **environment.isolated(),
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }


def _put_aws_on_path() -> None:
    """Let `!aws` find the command that was installed with this Python."""
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])


def _real(confirm: Callable[[str], str]) -> Session:
    """Connect to the user's own account; refused or failed, no real account stays in reach."""
    with environment.users_own():
        try:
            configured = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
            os.environ.update(AWS_DEFAULT_REGION=REGION, AWS_PAGER="")
            os.environ.pop("AWS_REGION", None)
            boto = boto3.session.Session(region_name=REGION)
            caller = boto.client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            sentence = errors.explain(error) or f"AWS cannot be used: {error}"
            raise WorkbookError(sentence) from error
        number, principal = caller["Account"], caller["Arn"]
        real_account.confirm(confirm, number, REGION, principal, configured)
    _put_aws_on_path()
    return Session("aws", number, REGION, principal, None, None, boto)
