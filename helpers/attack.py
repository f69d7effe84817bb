"""Attacks on a validator of policies: documents, and what it, the guard and IAM say of each.

A validator is a function of a document, parsed, and of the restricted actions; it returns those of
them that the document grants.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from helpers import permission, policy
from helpers.incident import Mallory
from helpers.localaws.record import CHECKOUT
from helpers.table import columns, table

Document = Mapping[str, Any]
Validator = Callable[[Document, list[str]], list[str]]

FOLDER = CHECKOUT / "data" / "policies"
INLINE = "step-functions-workbook-attack"
# How long a change of IAM takes to count everywhere: AWS promises no time for it.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
SETTLING_SECONDS = {"local": 0, "aws": 10}
PROBES = [probe for probe in permission.PROBES if probe.action.startswith("s3:Delete")]


def documents(kind: str) -> dict[str, Document]:
    """Return the documents of a kind, "good" or "sly", by name: "a star" is ``sly/1_a_star.json``.

    They are read anew each time: a learner's change of one is gone with the next call.
    """
    found = sorted((FOLDER / kind).glob("*.json"))
    names = [path.stem.partition("_")[2].replace("_", " ") for path in found]
    return dict(zip(names, (json.loads(path.read_text()) for path in found), strict=True))


def allowed(mallory: Mallory, document: Document, restricted: list[str]) -> list[str]:
    """Return the restricted actions that mallory can really do with this document.

    It is her own for a moment, as an inline policy: the guard watches managed ones. Of actions that
    there is no harmless call for (see `permission.PROBES`), nothing is found out. Raises botocore's
    MalformedPolicyDocumentException where IAM takes no such document.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html
    """
    session, probes = mallory.session, [p for p in PROBES if p.action in restricted]
    iam, name = session.client("iam"), {"UserName": mallory.USER, "PolicyName": INLINE}
    iam.put_user_policy(**name, PolicyDocument=json.dumps(document))
    try:
        time.sleep(SETTLING_SECONDS[session.target])
        can = permission.Matrix(session, mallory, probes).try_now("now")
    finally:
        iam.delete_user_policy(**name)
    return [probe.action for probe in probes if can["now", probe.action]]


@dataclass(frozen=True)
class Trial:
    """What is said of one document: each a list of actions, or text where a validator crashed."""

    name: str
    iam: list[str]
    naive: list[str] | str
    guard: list[str]


@dataclass(frozen=True)
class Trials:
    """What IAM allows, and what two validators say of it: a row a document."""

    rows: tuple[Trial, ...]

    HEAD = ("Document", "mallory can", "The naive one says", "", "The guard says", "")

    @property
    def fooled(self) -> list[str]:
        """The documents of which the naive validator does not say what IAM does."""
        return [trial.name for trial in self.rows if trial.naive != trial.iam]

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                trial.name,
                _said(trial.iam),
                _said(trial.naive),
                "✓" if trial.naive == trial.iam else "✗",
                _said(trial.guard),
                "✓" if trial.guard == trial.iam else "✗",
            )
            for trial in self.rows
        ]

    def __repr__(self) -> str:
        return columns([self.HEAD, *self._cells()])

    def _repr_html_(self) -> str:
        return table(self.HEAD, self._cells())


def trials(mallory: Mallory, naive: Validator, given: Mapping[str, Document]) -> Trials:
    """Ask IAM, by real calls of mallory, then a validator, and then the guard, of each document."""
    restricted = policy.restricted_actions(mallory.session)
    return Trials(
        tuple(
            Trial(
                name,
                allowed(mallory, document, restricted),
                ask(naive, document, restricted),
                policy.grants(document, restricted),
            )
            for name, document in given.items()
        )
    )


def ask(validator: Validator, document: Document, restricted: list[str]) -> list[str] | str:
    """Return what a validator says of a document, or that it crashed: it may be a learner's."""
    try:
        return validator(deepcopy(document), list(restricted))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the table is about
        return f"crashes with {type(error).__name__}: {error}"


def _said(answer: list[str] | str) -> str:
    return answer if isinstance(answer, str) else ", ".join(answer) or "nothing"
