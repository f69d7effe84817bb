"""Sessions whose clients answer what a test has told them, and call nothing."""

from __future__ import annotations

import boto3
from botocore.client import BaseClient
from botocore.stub import Stubber

from helpers.incident import Mallory
from helpers.session import REGION, Session

ACCOUNT = "111122223333"


def session(target: str = "aws") -> Session:
    """Return a session that reaches nothing; give it clients with `client`."""
    boto = boto3.session.Session("none", "none", region_name=REGION)
    principal = f"arn:aws:iam::{ACCOUNT}:user/learner"
    return Session(target, ACCOUNT, REGION, principal, None, None, boto)


def client(of: Session, service: str) -> Stubber:
    """Give the session a client of this service; return what its answers are told to, in order."""
    made: BaseClient = of.client(service)
    stubber = Stubber(made)
    stubber.activate()
    return stubber


def mallory(of: Session) -> tuple[Mallory, Stubber]:
    """Return mallory in this session, and what S3's answers to her are told to."""
    s3 = of.client_of("s3", "AKIAIOSFODNN7EXAMPLE", "none")
    stubber = Stubber(s3)
    stubber.activate()
    return Mallory(of, "AKIAIOSFODNN7EXAMPLE", "none", {"s3": s3}), stubber
