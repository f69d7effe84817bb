"""State machines: created, updated, described, listed and deleted as on AWS.

MiniStack keeps them; here is what AWS refuses and MiniStack takes, and what AWS shows besides.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import stepfunctions

from helpers.localaws import pages, permits, requests, roles, runs, tags, validation
from helpers.localaws.requests import Answer, Refused, refusing

INITIAL = "INITIAL"
_UNTRACED = {"enabled": False}

_create = stepfunctions._create_state_machine
_update = stepfunctions._update_state_machine
_describe = stepfunctions._describe_state_machine
_delete = stepfunctions._delete_state_machine
_publish = stepfunctions._publish_state_machine_version


@refusing
def create(data: dict[str, Any]) -> Answer:
    """CreateStateMachine; the same again is the same, whatever its role and tags.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
    """
    requests.name(data["name"])
    roles.check_arn(data["roleArn"])
    validation.check(data["definition"], data.get("type", "STANDARD"))
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:stateMachine:{data['name']}"
    tracing = data.get("tracingConfiguration", _UNTRACED)
    known = stepfunctions._state_machines.get(arn)
    if known is None:
        tags.check(data.get("tags", []))
        permits.check_passing(data["roleArn"])
        roles.check_trust(data["roleArn"])
    elif known.get("tracingConfiguration", _UNTRACED) != tracing:
        raise _already_exists(arn)
    answer = _create(data)
    if answer[0] == 200:
        made = stepfunctions._state_machines[arn]
        made["tracingConfiguration"] = tracing
        made.setdefault("_first_revision", made["revisionId"])
    elif b"StateMachineAlreadyExists" in answer[2]:
        raise _already_exists(arn)
    return answer


def _already_exists(arn: str) -> Refused:
    return Refused("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")


@refusing
def update(data: dict[str, Any]) -> Answer:
    """UpdateStateMachine; what runs goes on with what it was started with.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachine.html
    """
    arn = requests.arn(data["stateMachineArn"], "stateMachine")
    if not {"definition", "roleArn"} & set(data):
        raise Refused(
            "MissingRequiredParameter", "Either the definition or the role ARN must be specified"
        )
    if "roleArn" in data:
        roles.check_arn(data["roleArn"])
    machine = stepfunctions._state_machines.get(arn)
    if machine and "definition" in data:
        validation.check(data["definition"], machine["type"])
    if machine and "roleArn" in data:
        permits.check_passing(data["roleArn"])
        roles.check_trust(data["roleArn"])
    answer = _update(data)
    if answer[0] != 200:
        return answer
    if "tracingConfiguration" in data:
        machine["tracingConfiguration"] = data["tracingConfiguration"]
    machine["_updated"] = requests.body(answer)["updateDate"]
    return json_response({**requests.body(answer), "revisionId": machine["revisionId"]})


@refusing
def describe(data: dict[str, Any]) -> Answer:
    """DescribeStateMachine, of a machine, a version or an alias.

    "The first revision ID when you create the state machine is null."
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineForExecution.html
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html
    """
    requests.arn(data["stateMachineArn"], "stateMachine")
    answer = _describe(data)
    if answer[0] != 200:
        return answer
    kept = {"tracingConfiguration": _UNTRACED, **requests.body(answer)}
    described = {key: value for key, value in kept.items() if not key.startswith("_")}
    base = stepfunctions._resolve_state_machine_arn(data["stateMachineArn"])
    first = stepfunctions._state_machines[base].get("_first_revision")
    if described.get("revisionId") == first:
        described.pop("revisionId", None)
    if data.get("includedData") == "METADATA_ONLY":
        described.pop("definition")
    return json_response(described)


@refusing
def listed(data: dict[str, Any]) -> Answer:
    """ListStateMachines.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachines.html
    """
    machines = [
        {key: machine[key] for key in ("stateMachineArn", "name", "type", "creationDate")}
        for machine in stepfunctions._state_machines.values()
    ]
    shown, more = pages.page(machines, pages.created("stateMachineArn"), "stateMachines", data)
    return json_response({"stateMachines": shown, **more})


@refusing
def delete(data: dict[str, Any]) -> Answer:
    """DeleteStateMachine: what runs is ended, versions and aliases go too; twice is no error.

    On AWS the status is DELETING until then; here it is done when the call is answered.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    arn = requests.arn(data["stateMachineArn"], "stateMachine")
    if arn not in stepfunctions._state_machines:
        return json_response({})
    for execution in list(stepfunctions._executions.values()):
        if execution["stateMachineArn"] == arn and execution["status"] == "RUNNING":
            runs.stop(execution)
    for kept in (stepfunctions._state_machine_versions, stepfunctions._state_machine_aliases):
        for qualified in [found for found in kept if found.startswith(f"{arn}:")]:
            del kept[qualified]
    return _delete(data)


@refusing
def publish(data: dict[str, Any]) -> Answer:
    """PublishStateMachineVersion; a new machine's revision, which has no id yet, is INITIAL.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_PublishStateMachineVersion.html
    """
    machine = stepfunctions._state_machines.get(
        requests.arn(data["stateMachineArn"], "stateMachine")
    )
    if machine and data.get("revisionId") == INITIAL:
        return _publish({**data, "revisionId": machine["_first_revision"]})
    return _publish(data)


@refusing
def versions(data: dict[str, Any]) -> Answer:
    """ListStateMachineVersions, newest first.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineVersions.html
    """
    return _qualified(data, stepfunctions._state_machine_versions, "stateMachineVersion")


@refusing
def aliases(data: dict[str, Any]) -> Answer:
    """ListStateMachineAliases, newest first.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineAliases.html
    """
    return _qualified(data, stepfunctions._state_machine_aliases, "stateMachineAlias")


def _qualified(data: dict[str, Any], kept: Any, kind: str) -> Answer:
    arn = requests.arn(data["stateMachineArn"], "stateMachine")
    if arn not in stepfunctions._state_machines:
        raise requests.missing("StateMachine", arn)
    found = [
        {f"{kind}Arn": qualified, "creationDate": record["creationDate"]}
        for qualified, record in kept.items()
        if qualified.rpartition(":")[0] == arn
    ]
    shown, more = pages.page(
        found, pages.created(f"{kind}Arn"), f"{kind}s {arn}", data, newest_first=True
    )
    plural = "stateMachineVersions" if kind == "stateMachineVersion" else "stateMachineAliases"
    return json_response({plural: shown, **more})
