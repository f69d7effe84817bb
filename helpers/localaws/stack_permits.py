"""What CloudFormation may do for a caller: what the caller may, resource by resource.

Without a service role, CloudFormation makes its calls with a session of whoever asked:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
MiniStack asks for nothing. Here the calls that AWS's handlers make for the types of the lessons are
asked for when a resource is created and when it is deleted; the handlers' permissions are in the
types' schemas, to which tests compare this table:
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import handlers, provisioners, stacks
from ministack.services.cloudformation.helpers import _error, _p

from helpers.localaws import permits

Properties = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Call = tuple[str, str, dict[str, str]]  # action, ARN, condition keys

SAM = "Serverless-2016-10-31"


def install() -> None:
    """Ask before each resource, and before SAM expands a template. Call once, after formation."""
    for name, wrap in (("_provision_resource", _created), ("_delete_resource", _deleted)):
        wrapped = wrap(getattr(provisioners, name))
        for module in (stacks, provisioners):
            setattr(module, name, wrapped)
    actions = handlers._ACTION_HANDLERS
    actions["CreateChangeSet"] = _expanding(actions["CreateChangeSet"])


def _created(provision: Callable[..., Any]) -> Callable[..., Any]:
    def created(kind: str, logical_id: str, properties: Properties, stack_name: str) -> Any:
        # On AWS a generated name has the same beginning, and another end.
        name = provisioners._physical_name(stack_name, logical_id, max_len=64)
        _check(_creation(kind, name, properties))
        return provision(kind, logical_id, properties, stack_name)

    return created


def _deleted(delete: Callable[..., Any]) -> Callable[..., Any]:
    def deleted(kind: str, physical_id: str, properties: Properties, *rest: Any) -> None:
        _check(_deletion(kind, physical_id, properties))
        delete(kind, physical_id, properties, *rest)

    return deleted


def _check(calls: Iterator[Call]) -> None:
    """Raise ValueError, which becomes the resource's reason, for the first call that is refused."""
    for action, arn, keys in calls:
        words = permits.refusal(action, arn, **keys)
        if words:
            raise ValueError(words)


def _creation(kind: str, name: str, properties: Properties) -> Iterator[Call]:
    tagged = bool(properties.get("Tags"))
    match kind:
        case "AWS::Lambda::Function":
            function = _arn("lambda", f"function:{properties.get('FunctionName') or name}")
            yield from _passing(properties.get("Role"), "lambda")
            yield from _reading(properties.get("Code"), "S3Bucket", "S3Key")
            yield from _calls("lambda", function, "CreateFunction", "GetFunction")
            yield from _calls("lambda", function, *["TagResource"] * tagged)
        case "AWS::Lambda::Permission":
            yield from _calls("lambda", _function(properties), "AddPermission")
        case "AWS::IAM::Role":
            role = _role(properties.get("RoleName") or name, properties)
            yield from _calls("iam", role, "CreateRole", "GetRole", *["TagRole"] * tagged)
            yield from _calls("iam", role, *["PutRolePolicy"] * bool(properties.get("Policies")))
            for policy in properties.get("ManagedPolicyArns", []):
                yield "iam:AttachRolePolicy", role, {"iam_PolicyARN": policy}
        case "AWS::StepFunctions::StateMachine":
            machine = _arn("states", f"stateMachine:{properties.get('StateMachineName') or name}")
            yield from _passing(properties.get("RoleArn"), "states")
            yield from _reading(properties.get("DefinitionS3Location"), "Bucket", "Key")
            yield from _calls("states", machine, "CreateStateMachine", "DescribeStateMachine")
            yield from _calls("states", machine, *["TagResource"] * tagged)
        case "AWS::Events::Rule":
            rule = _arn("events", f"rule/{properties.get('Name') or name}")
            for target in properties.get("Targets", []):
                yield from _passing(target.get("RoleArn"), "events")
            yield from _calls("events", rule, "PutRule", "PutTargets", "DescribeRule")
        case "AWS::SNS::Topic":
            topic = _arn("sns", properties.get("TopicName") or name)
            yield from _calls("sns", topic, "CreateTopic", "GetTopicAttributes")
            yield from _calls("sns", topic, *["Subscribe"] * bool(properties.get("Subscription")))
        case "AWS::SNS::TopicPolicy":
            for topic in properties.get("Topics", []):
                yield from _calls("sns", topic, "SetTopicAttributes")
        case "AWS::ApiGateway::RestApi":
            yield from _calls("apigateway", _api("/restapis"), "POST")
            yield from _calls("apigateway", _api("/restapis/new"), "PUT", "GET")
        case "AWS::ApiGateway::Deployment" | "AWS::ApiGateway::Stage":
            where = f"/restapis/{properties.get('RestApiId')}/{kind.rpartition(':')[2].lower()}s"
            yield from _calls("apigateway", _api(where), "POST")
            yield from _calls("apigateway", _api(f"{where}/new"), "GET")
            settings = properties.get("MethodSettings")
            yield from _calls("apigateway", _api(f"{where}/new"), *["PATCH"] * bool(settings))


def _deletion(kind: str, physical_id: str, properties: Properties) -> Iterator[Call]:
    match kind:
        case "AWS::Lambda::Function":
            function = _arn("lambda", f"function:{physical_id}")
            yield from _calls("lambda", function, "GetFunction", "DeleteFunction")
        case "AWS::Lambda::Permission":
            yield from _calls("lambda", _function(properties), "RemovePermission")
        case "AWS::IAM::Role":
            role = _role(physical_id, properties)
            yield from _calls("iam", role, "GetRole", "ListRolePolicies")
            yield from _calls("iam", role, "ListAttachedRolePolicies")
            yield from _calls("iam", role, *["DeleteRolePolicy"] * bool(properties.get("Policies")))
            for policy in properties.get("ManagedPolicyArns", []):
                yield "iam:DetachRolePolicy", role, {"iam_PolicyARN": policy}
            yield from _calls("iam", role, "DeleteRole")
        case "AWS::StepFunctions::StateMachine":
            yield from _calls("states", physical_id, "DescribeStateMachine", "DeleteStateMachine")
        case "AWS::Events::Rule":
            rule = _arn("events", f"rule/{properties.get('Name') or _hyphened(physical_id)}")
            yield from _calls("events", rule, "DescribeRule", "ListTargetsByRule")
            yield from _calls("events", rule, "RemoveTargets", "DeleteRule")
        case "AWS::SNS::Topic":
            yield from _calls("sns", physical_id, "GetTopicAttributes", "DeleteTopic")
        case "AWS::SNS::TopicPolicy":
            for topic in properties.get("Topics", []):
                yield from _calls("sns", topic, "SetTopicAttributes")
        case "AWS::ApiGateway::RestApi":
            yield from _calls("apigateway", _api(f"/restapis/{physical_id}"), "DELETE")
        case "AWS::ApiGateway::Deployment" | "AWS::ApiGateway::Stage":
            where = f"/restapis/{properties.get('RestApiId')}/{kind.rpartition(':')[2].lower()}s"
            yield from _calls("apigateway", _api(f"{where}/{physical_id}"), "DELETE")


def _calls(service: str, arn: str, *names: str) -> Iterator[Call]:
    for name in names:
        yield f"{service}:{name}", arn, {}


def _passing(role: Any, service: str) -> Iterator[Call]:
    if isinstance(role, str):
        yield "iam:PassRole", role, {"iam_PassedToService": f"{service}.amazonaws.com"}


def _reading(place: Any, bucket: str, key: str) -> Iterator[Call]:
    """What is fetched from S3 is read as the caller."""
    if isinstance(place, dict) and place.get(bucket):
        yield "s3:GetObject", f"arn:aws:s3:::{place[bucket]}/{place.get(key)}", {}


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{rest}"


def _role(name: str, properties: Properties) -> str:
    return f"arn:aws:iam::{get_account_id()}:role{properties.get('Path') or '/'}{name}"


def _function(properties: Properties) -> str:
    named = str(properties.get("FunctionName"))
    return named if named.startswith("arn:") else _arn("lambda", f"function:{named}")


def _api(path: str) -> str:
    return f"arn:aws:apigateway:{get_region()}::{path}"


def _hyphened(rule: str) -> str:
    """Return the name of a rule as AWS generates it: MiniStack writes `_` for `-`."""
    return rule.rpartition("|")[2].replace("_", "-")


def _expanding(create: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    """Wrap CreateChangeSet: a template that SAM expands needs leave for that as well.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-template.html
    """

    def answer(params: dict[str, Any]) -> Answer:
        if SAM in _p(params, "TemplateBody"):
            sam = f"arn:aws:cloudformation:{get_region()}:aws:transform/{SAM}"
            words = permits.refusal("cloudformation:CreateChangeSet", sam)
            if words:
                return _error("AccessDenied", words, 403)
        return create(params)

    return answer
