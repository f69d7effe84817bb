"""An account that plays a real one: a local AWS that is reached as AWS would be."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from helpers import attack, inbox, laboratory, session, stack, waiting
from helpers.localaws.record import CHECKOUT
from helpers.session import Session, connect

Policy = dict[str, Any]
LEARNER, ADDRESS = "learner", "learner@example.com"
POLICIES = ("learner-policy", "learner-policy-lessons")


def learner_policies() -> dict[str, Policy]:
    """Return the policies that a learner in a real account gets, by their file's name."""
    return {name: json.loads((CHECKOUT / "data" / f"{name}.json").read_text()) for name in POLICIES}


def shorten_waits(put: Callable[[dict[str, float], str, float], None] = dict.__setitem__) -> None:
    """Let what takes its time in AWS take as long as locally: tables of seconds, nothing else."""
    for module in (waiting, laboratory, stack, attack):
        for name in ("PAUSE_SECONDS", "PATIENCE_SECONDS", "SETTLING_SECONDS"):
            seconds = getattr(module, name, None)
            if isinstance(seconds, dict):
                put(seconds, "aws", seconds["local"])


def sit_down(number: str, endpoint: str) -> None:
    """Be the learner at a notebook: type what is asked for, and have names of AWS resolved.

    Run in the notebook's kernel, before its first cell.
    """
    # Not builtins.input: a kernel puts its own there before every cell.
    session.connect.__kwdefaults__["confirm"] = lambda _: number
    inbox.address.__defaults__ = (lambda _: ADDRESS,)
    shorten_waits()
    boto = boto3.session.Session(region_name="us-east-1")
    here = Session("local", number, "us-east-1", "", endpoint, None, boto)
    request = inbox._request

    def resolved(asked: urllib.request.Request) -> inbox.Answer:
        asked.full_url = here.url(asked.full_url)
        return request(asked)

    inbox._request = resolved


EVERYTHING: Policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@dataclass(frozen=True)
class PlayingAccount:
    """``root`` plays AWS, its administrator, and the person at the mailbox."""

    root: Session

    @classmethod
    def opened(cls, state: Path, number: str) -> PlayingAccount:
        """Open an account of its own on the server of a state file."""
        before = dict(os.environ)
        try:
            return cls(connect("local", state=state, account=number))
        finally:
            os.environ.clear()
            os.environ.update(before)

    @property
    def number(self) -> str:
        return self.root.account

    def user(self, *policies: Policy, name: str = LEARNER) -> dict[str, str]:
        """Create a user with these policies; return the variables of somebody who is that user.

        They are what anybody has who uses AWS with an access key; besides, where this AWS is, and
        that botocore shall not put `sync-` before an address of numbers.
        """
        iam = self.root.client("iam")
        iam.create_user(UserName=name)
        for count, policy in enumerate(policies):
            document = json.dumps(policy, separators=(",", ":"))
            made = iam.create_policy(PolicyName=f"{name}-{count}", PolicyDocument=document)
            iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL": str(self.root.endpoint),
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }
