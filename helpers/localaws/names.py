"""Names of functions: what is none is refused before it becomes part of a folder's path.

MiniStack takes what comes, by CreateFunction and in a template, and makes a folder of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.model import Shape
from ministack.core.responses import error_response_json
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners
from ministack.services.cloudformation.helpers import _sdk_error
from moto.core.utils import get_service_model

from helpers.localaws import constraints
from helpers.localaws.sources import HandlerError

Properties = dict[str, Any]

_NAMED = get_service_model("lambda").shape_for("FunctionName")
# "If you specify only the function name, it is limited to 64 characters in length."
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_PLAIN = Shape(_NAMED.name, {"type": _NAMED.type_name, **_NAMED.metadata, "max": 64})


def install() -> None:
    """Look at the name of every function that is made. Call once, before functions."""
    lambda_svc._create_function = _asked_for(lambda_svc._create_function)
    # By this name, an update that is a replacement finds it too.
    provisioners._lambda_create = _provisioned(provisioners._lambda_create)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    handlers["create"] = provisioners._lambda_create


def refusal(name: str) -> str | None:
    """Return AWS's sentence on what is no name or ARN of a function, None where it is one."""
    found = list(constraints.broken(_NAMED if ":" in name else _PLAIN, name, "functionName"))
    return constraints.detected(found) if found else None


def _asked_for(create: Callable[[Properties], Any]) -> Callable[[Properties], Any]:
    def created(data: Properties) -> Any:
        name = data.get("FunctionName")
        if name and (words := refusal(str(name))):
            return error_response_json("ValidationException", words, 400)
        return create(data)

    return created


def _provisioned(create: Callable[..., Any]) -> Callable[..., Any]:
    def created(logical_id: str, properties: Properties, stack_name: str) -> Any:
        name = properties.get("FunctionName")
        if name and (words := refusal(str(name))):
            raise HandlerError(_sdk_error(words, "Lambda", 400), "InvalidRequest")
        return create(logical_id, properties, stack_name)

    return created
