"""Imported once by the process that functions are forked from."""

from __future__ import annotations

import boto3

from helpers.localaws.zygote import SERVICES

# A client reads its service's model from disk; the default session keeps what was read.
for service in SERVICES:
    boto3.client(
        service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
