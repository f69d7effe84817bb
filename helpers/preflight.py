"""What has to be in place before the first lesson, and the remedy for each thing that is not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from botocore.exceptions import BotoCoreError, ClientError

from helpers import trail
from helpers.errors import explain
from helpers.session import REGION, Session
from helpers.table import table


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: ``remedy`` is empty where it is as it should be."""

    what: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """All checks; true where none complains."""

    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        return not any(check.remedy for check in self.checks)

    def __repr__(self) -> str:
        lines = [
            f"{_sign(check)} {check.what}: {check.found} {check.remedy}" for check in self.checks
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        rows = [(_sign(check), check.what, check.found, check.remedy) for check in self.checks]
        return table(("", "Needed", "Found", "Remedy"), rows)


def run(session: Session) -> Report:
    """Check this Python, the tools and the account. Never raises: a fault is a complaint."""
    return Report((_python(), _widgets(), _aws_command(), *_account(session)))


def _sign(check: Check) -> str:
    return "✗" if check.remedy else "✓"


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:2])
    enough = sys.version_info >= (3, 11)
    return Check("Python 3.11 or newer", found, "" if enough else "Install a newer Python.")


def _widgets() -> Check:
    try:
        found = version("jupyterlab_widgets")
    except PackageNotFoundError:
        return Check("buttons in notebooks", "missing", "Start the workbook with: make run")
    return Check("buttons in notebooks", f"jupyterlab_widgets {found}")


def _aws_command() -> Check:
    if shutil.which("aws"):
        return Check("the aws command", f"awscli {version('awscli')}")
    return Check("the aws command", "not found", "Start the workbook with: make run")


def _account(session: Session) -> list[Check]:
    return [
        _asked("an account that answers", lambda: _identity(session)),
        Check(
            f"region {REGION}, where IAM's events arrive",
            session.region,
            "" if session.region == REGION else f"Connect in {REGION}.",
        ),
        _asked("a trail that logs changes", lambda: _trail(session)),
    ]


def _asked(what: str, question: Callable[[], tuple[str, str]]) -> Check:
    try:
        return Check(what, *question())
    except (BotoCoreError, ClientError) as error:
        sentence = explain(error)
        if sentence is None:
            return Check(what, str(error), "Run the first cell again.")
        return Check(what, "not known", sentence)


def _identity(session: Session) -> tuple[str, str]:
    return session.client("sts").get_caller_identity()["Arn"], ""


def _trail(session: Session) -> tuple[str, str]:
    found = trail.logging(session)
    return (found, "") if found else ("none", "Create one: trail.ensure(aws)")
