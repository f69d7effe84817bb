"""The states API: which operation of MiniStack's is taken over, and by what."""

from __future__ import annotations

from typing import Any

from ministack.services import stepfunctions

from helpers.localaws import (
    activities,
    announcements,
    callbacks,
    executions,
    listings,
    machines,
    map_runs,
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
    "_publish_state_machine_version": machines.publish,
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
    "_describe_state_machine_for_execution": executions.machine,
    "_stop_execution": executions.stop,
    "_list_executions": listings.listed,
    "_get_execution_history": executions.history,
    "_send_task_success": callbacks.succeed,
    "_send_task_failure": callbacks.fail,
    "_send_task_heartbeat": callbacks.beat,
    "_get_activity_task": callbacks.take,
    "_list_map_runs": map_runs.listed,
    "_describe_map_run": map_runs.describe,
    "_update_map_run": map_runs.update,
    "_emit_execution_status_event": announcements.announce,
    "_validate_state_machine_definition": validation.validate,
    "_test_state": single_state.test,
}


def install() -> None:
    """Take the operations over. Call once, after the interpreter is in place."""
    for name, operation in OPERATIONS.items():
        setattr(stepfunctions, name, operation)
    parsed = {
        "CreateStateMachine": parse,
        "UpdateStateMachine": parse,
        "ValidateStateMachineDefinition": parse,
    }
    requests.install({"RedriveExecution": redrive.execute}, parsed)


def parse(data: dict[str, Any]) -> None:
    """Look through a definition, which is remembered: parsing takes long, and other calls wait."""
    for kind in {data["type"]} if "type" in data else {"STANDARD", "EXPRESS"}:
        if "definition" in data:
            validation.diagnose(data["definition"], kind)
