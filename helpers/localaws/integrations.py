"""Service integrations: how a task's parameters, answers and errors are spelt.

AWS spells all of them with a capital first letter, whatever the service itself does.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

import datetime
import functools
import json
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.response import StreamingBody
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (  # noqa: E501
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (  # noqa: E501
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.utils import encoding

from helpers.localaws import metadata

# Where it is more than the resource's name with a capital letter.
PREFIXES = {
    "apigateway": "ApiGateway",
    "cloudformation": "CloudFormation",
    "cloudtrail": "CloudTrail",
    "cloudwatchlogs": "CloudWatchLogs",
    "dynamodb": "DynamoDb",
    "eventbridge": "EventBridge",
    "secretsmanager": "SecretsManager",
}


def install() -> None:
    """Spell as AWS does; moto leaves the parameters to the service, which knows other names."""
    metadata.install()
    StateTaskService._normalise_parameters = normalise_parameters
    StateTaskService._normalise_response = normalise_response
    StateTaskService._get_boto_service_action = boto_action
    StateTaskServiceAwsSdk._normalise_service_error_name = staticmethod(error_prefix)
    # JSON in a history has no spaces, and letters stand for themselves.
    encoding.to_json_str.__defaults__ = ((",", ":"),)
    encoding._DateTimeEncoder = Encoder
    VariableStore.get_assigned_variables = assigned_variables


class Encoder(json.JSONEncoder):
    """Writes values as AWS does; what it has no words for becomes text."""

    def __init__(self, **options: Any) -> None:
        """Take json.dumps's options, but write every letter as it is."""
        super().__init__(**{**options, "ensure_ascii": False})

    def default(self, o: Any) -> str:
        """Return a date, or what else is not JSON, as text."""
        if isinstance(o, datetime.datetime):
            return o.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
        return str(o)


def assigned_variables(self: VariableStore) -> dict[str, str]:
    """Return what a state has assigned, each as JSON; moto does not escape strings."""
    names = sorted(self._declaration_tracing)
    return {name: encoding.to_json_str(self.get(name)) for name in names}


def error_prefix(service: str) -> str:
    """Return what stands before the dot of an error, such as ``S3`` in S3.NoSuchKeyException."""
    return PREFIXES.get(service.lower(), service[:1].upper() + service[1:])


def boto_action(self: StateTaskService, service_action_name: str | None = None) -> str:
    """Return the name of the client's method for ``getRole``, ``listObjectsV2`` and the like."""
    return xform_name(service_action_name or self.resource.api_action)


def normalise_parameters(
    self: StateTaskService,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Rename, in place, what AWS spells ``StateMachineArn`` to the service's own spelling."""
    metadata.forget()
    shape = _operation(self, boto_service_name, service_action_name).input_shape
    if shape is not None:
        _to_request(parameters, shape)


def normalise_response(
    self: StateTaskService,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Rename, in place, an answer's fields to AWS's spelling; bodies become text."""
    shape = _operation(self, boto_service_name, service_action_name).output_shape
    if not isinstance(response, dict):
        return
    answer = _from_response(response, shape) if shape is not None else dict(response)
    own = service_action_name is None  # or else it is what .sync waits for
    if own and not isinstance(self, StateTaskServiceAwsSdk):
        answer = dict(sorted({**answer, **metadata.last()}.items()))
    response.clear()
    response.update(answer)


@functools.lru_cache
def _service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


def _operation(task: StateTaskService, service: str | None, action: str | None) -> Any:
    model = _service(task._get_boto_service_name(service))
    operations = {xform_name(name): name for name in model.operation_names}
    return model.operation_model(operations[task._get_boto_service_action(action)])


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _to_request(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = {_capital(name): name for name in shape.members}
        for key in list(value):
            name = names.get(_capital(key))
            if name:
                value[name] = _to_request(value.pop(key), shape.members[name])
    elif isinstance(shape, ListShape) and isinstance(value, list):
        return [_to_request(each, shape.member) for each in value]
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _to_request(each, shape.value) for key, each in value.items()}
    elif shape.type_name == "string" and not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"))
    elif shape.type_name == "blob" and not isinstance(value, bytes):
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        return text.encode()
    return value


def _from_response(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            _capital(key): _from_response(each, shape.members[key])
            if key in shape.members
            else each
            for key, each in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_from_response(each, shape.member) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _from_response(each, shape.value) for key, each in value.items()}
    return value.read().decode() if isinstance(value, StreamingBody) else value
