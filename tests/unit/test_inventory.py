"""What is the workbook's is told from what only has a similar name."""

from __future__ import annotations

from helpers import bucket, inventory, trail
from tests.unit import stubbed


def test_a_stranger_s_name_that_begins_alike_is_not_listed() -> None:
    aws = stubbed.session()
    ours = ["mallory", trail.NAME, bucket.name(aws), bucket.bait_name(aws)]
    generated = [f"{inventory.STACK_PREFIX}-guard-Role-1A2B", f"{inventory.STACK_PREFIX}ted"]
    theirs = [f"{name}2" for name in ours]
    assert inventory._ours(aws, [*ours, *generated, *theirs]) == sorted(ours + generated)
