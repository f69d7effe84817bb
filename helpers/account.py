"""What a person is told about a real account before anything is done in it."""

from __future__ import annotations

import json
from collections.abc import Callable

from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT

PRICES = CHECKOUT / "data" / "prices.json"
TRANSITIONS = 7  # of one incident: the states that it enters until it is approved or denied


def confirm(
    ask: Callable[[str], str], account: str, region: str, principal: str, configured: str | None
) -> None:
    """Ask for the account's number, before anything is done. Raises WorkbookError for no, or none.

    ``ask`` shows a text and returns what was typed. ``configured`` is the region that the person's
    own settings name, if any: where it is another, it is said that it is not used.
    """
    try:
        typed = ask(_introduction(account, region, principal, configured)).strip()
    except KeyboardInterrupt as error:
        raise WorkbookError(f"You stopped before typing the number. {_nothing(account)}") from error
    except (EOFError, NotImplementedError) as error:
        raise WorkbookError(
            "A real account is used only after its number was typed, and there is nobody here to "
            "type it. Open the notebook in JupyterLab (WORKBOOK_TARGET=aws make run)."
        ) from error
    if not typed:
        raise WorkbookError(f"You typed nothing. {_nothing(account)}")
    if typed != account:
        raise WorkbookError(f"That is not the account's number. {_nothing(account)}")


def _nothing(account: str) -> str:
    return (
        f"Nothing was done in AWS. Run this cell again to type {account}; the local AWS is "
        'session.connect("local").'
    )


def _introduction(account: str, region: str, principal: str, configured: str | None) -> str:
    other = (
        f"Your settings name the region {configured}. It is not used: IAM's events arrive in "
        f"{region} only.\n"
        if configured and configured != region
        else ""
    )
    return (
        f"This is a REAL AWS account: {account}, region {region}, as {principal}.\n"
        f"{other}{cost()}\n"
        "10_clean_up deletes what the lessons make. docs/REAL_ACCOUNT.md says what that is.\n"
        "Type the account's number to go on: "
    )


def cost() -> str:
    """Return in a sentence what an incident costs in Step Functions (data/prices.json)."""
    prices = json.loads(PRICES.read_text())
    standard = prices["stepFunctions"]["standard"]
    return (
        f"What it costs: an incident is {TRANSITIONS} state transitions. "
        f"{standard['freeTransitionsPerMonth']:,} a month are free, each further one costs "
        f"${standard['perTransition']:.6f} in {prices['region']} (seen {prices['read']}); the rest "
        "is Lambda, SNS, API Gateway, S3 and CloudTrail in small amounts."
    )
