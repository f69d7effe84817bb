"""Trust policies: a role that trusts a service is not for everybody who is root somewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator

Matches = Callable[[Any, str], bool]


def install() -> None:
    """Let no caller of AssumeRole pass for a service; MiniStack lets every account's root."""
    iam_evaluator._principal_matches = _without_services(iam_evaluator._principal_matches)


def _without_services(matches: Matches) -> Matches:
    """Wrap what compares a principal with a caller, who is never a service.

    What Step Functions and Lambda take on, they take on without AssumeRole here (``sessions``).
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """

    def matching(principal: Any, caller_arn: str) -> bool:
        if isinstance(principal, dict):
            principal = {kind: names for kind, names in principal.items() if kind != "Service"}
        return matches(principal, caller_arn)

    return matching
