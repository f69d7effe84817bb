"""The states API: which operation of MiniStack's is taken over, and by what."""

from __future__ import annotations

from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from helpers.localaws import (
    activities,
    executions,
    machines,
    redrive,
    requests,
    single_state,
    tags,
    validation,
)

OPERATIONS = {
    "_create_state_machine": machines.create,
    "_update_state_machine": machines.update,
    "_describe_state_machine": machines.describe,
    "_list_state_machines": machines.listed,
    "_delete_state_machine": machines.delete,
    "_list_state_machine_versions": machines.versions,
    "_list_state_machine_aliases": machines.aliases,
    "_create_activity": activities.create,
    "_describe_activity": activities.describe,
    "_list_activities": activities.listed,
    "_delete_activity": activities.delete,
    "_tag_resource": tags.add,
    "_untag_resource": tags.remove,
    "_list_tags_for_resource": tags.listed,
    "_start_execution": executions.start,
    "_start_sync_execution": executions.start_sync,
    "_describe_execution": executions.describe,
    "_list_executions": executions.listed,
    "_get_execution_history": executions.history,
    "_emit_execution_status_event": executions.announce,
    "_validate_state_machine_definition": validation.validate,
    "_test_state": single_state.test,
}


def install() -> None:
    """Take the operations over. Call once, after the interpreter is in place."""
    for name, operation in OPERATIONS.items():
        setattr(stepfunctions, name, operation)
    parsed = {
        "CreateStateMachine": _parse,
        "UpdateStateMachine": _parse,
        "ValidateStateMachineDefinition": _parse,
    }
    requests.install({"RedriveExecution": redrive.execute}, parsed)
    # In a stack too a definition that cannot run is refused; and it is parsed by then: the
    # first execution does not pay for that.
    handlers = provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachine"]
    handlers["create"] = _checked(handlers["create"])


def _parse(data: dict[str, Any]) -> None:
    """Look through a definition, which is remembered: parsing takes long, and other calls wait."""
    for kind in {data["type"]} if "type" in data else {"STANDARD", "EXPRESS"}:
        if "definition" in data:
            validation.diagnostics(data["definition"], kind)


def _checked(create: Any) -> Any:
    """Wrap CloudFormation's creation of a state machine: refuse what cannot run."""

    def checked(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        kind = properties.get("StateMachineType", "STANDARD")
        try:
            validation.check(provisioners._sfn_definition(properties), kind)
            if "RoleArn" in properties:
                machines.check_role(properties["RoleArn"])
        except requests.Refused as refused:
            raise ValueError(f"{refused} (Service: Sfn, Status Code: 400)") from refused
        return create(logical_id, properties, stack_name)

    return checked
