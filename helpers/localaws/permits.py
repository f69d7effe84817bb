"""Whether the caller may: what MiniStack does not ask for, such as to hand a role to a service.

MiniStack asks once, for the action that a request names. On AWS, whoever gives a role to a service
must be allowed to (iam:PassRole).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.iam_evaluator import AuthError, EvalContext
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from helpers.localaws.requests import Refused


def install() -> None:
    """Ask for a function's role; for a state machine's, see machines. Call once."""
    lambda_svc._create_function = _with_role(lambda_svc._create_function)
    lambda_svc._update_config = _with_role(lambda_svc._update_config)


def refusal(action: str, resource: str, **keys: str) -> str | None:
    """Return AWS's sentence where the caller of this request may not do this, None where he may.

    ``keys`` are condition keys, with ``_`` for ``:``. What the server does for nobody's request is
    not asked for.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    """
    access_key = iam_evaluator._verified_key.get()
    if not access_key:
        return None
    principal = iam_evaluator.resolve_principal(access_key, get_account_id())
    if isinstance(principal, AuthError):
        return principal.message
    if principal.policies is None:
        return None  # root
    context = EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context={key.replace("_", ":", 1).lower(): text for key, text in keys.items()},
        principal_keys=principal.keys,
    )
    result = iam_evaluator.evaluate(context, principal.policies, *principal.limits)
    if result.decision == "Allow":
        return None
    denied = result.decision == "Deny"
    return iam_actions.identity_denial_message(action, principal.arn, resource, denied)


def passing(role: str, service: str) -> str | None:
    """Return why the caller may not hand this role to a service, None where he may.

    Nobody may hand on another account's. What is no ARN is not for this module to refuse.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    """
    owner = role.split(":")[4:5]
    if owner and owner != [get_account_id()]:
        return "Cross-account pass role is not allowed."
    return refusal("iam:PassRole", role, iam_PassedToService=f"{service}.amazonaws.com")


def check_passing(role: str) -> None:
    """Raise Refused where the caller may not hand this role to Step Functions.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
    """
    words = passing(role, "states")
    if words:
        raise Refused("AccessDeniedException", words)


def _with_role(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what hands a role to Lambda; its last argument is the request.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
    """

    def asking(*arguments: Any) -> Any:
        role = arguments[-1].get("Role")
        words = passing(role, "lambda") if isinstance(role, str) else None
        if words:
            return lambda_svc.error_response_json("AccessDeniedException", words, 403)
        return operation(*arguments)

    return asking
