"""Stack events as AWS writes them: what began, what was made of it, and why.

MiniStack notes each step of its stack engine in one list a stack. Here the list is made what a
reader of AWS's events expects: an update shows only what changes, a new resource is created even
in an update, a resource has its physical id before it is complete, the deletions after an update
are seen, and a stack says which resources failed.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-monitor-stack.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, provisioners, stacks

Item = dict[str, Any]

STACK = "AWS::CloudFormation::Stack"
INITIATED = "Resource creation Initiated"

_note = stacks._add_event

# A stack's resources that an update has come to: None for a new one, otherwise the status and its
# date until it turns out that something changes.
_PENDING = "_pending"


def install() -> None:
    """Put this module's functions in place of MiniStack's, wherever it has copied them to."""
    for module in (stacks, changesets, handlers):
        module._add_event = _add
    for name, wrap in (
        ("_provision_resource", _created),
        ("_update_resource", _updated),
        ("_delete_resource", _deleted),
    ):
        wrapped = wrap(getattr(provisioners, name))
        for module in (stacks, provisioners):
            setattr(module, name, wrapped)
    stacks._resolve_stack_outputs = _cleaning_up(stacks._resolve_stack_outputs)


def _add(
    stack_id: str,
    stack_name: str,
    logical_id: str,
    resource_type: str,
    status: str,
    reason: str = "",
    physical_id: str = "",
    detailed_status: str = "",
) -> None:
    """Note an event; takes the place of MiniStack's function, and so has its signature."""
    stack = cloudformation._stacks[stack_name]
    if (logical_id, resource_type) == (stack_name, STACK):
        reason = stack["StackStatusReason"] = _stack_reason(stack_id, status, reason)
    else:
        known = stack["_resources"].get(logical_id, {})
        if status == "UPDATE_COMPLETE" and _last(stack_id, logical_id) == "UPDATE_FAILED":
            # Rolled back: MiniStack leaves out that this begins.
            _tell(stack_name, logical_id, resource_type, "UPDATE_IN_PROGRESS", physical_id)
        status = _resource_status(stack, logical_id, status, reason or physical_id)
        physical_id = physical_id or known.get("PhysicalResourceId", "")
    if status:
        _note(
            stack_id,
            stack_name,
            logical_id,
            resource_type,
            status,
            reason,
            physical_id,
            detailed_status,
        )
        _distinguish(cloudformation._stack_events[stack_id], stack_name)


# --- stacks ------------------------------------------------------------------------------


def _stack_reason(stack_id: str, status: str, reason: str) -> str:
    """Return why a stack has a status, in AWS's words.

    https://github.com/ansible/ansible/pull/63008 for a change set's beginning,
    https://github.com/aws-samples/amazon-ec2-gitlab-runner/issues/1 for a rollback,
    https://github.com/aws-samples/amazon-cloudfront-secure-static-site/issues/39 for its end.
    """
    match status:
        case "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS":
            return reason or "User Initiated"
        case "ROLLBACK_IN_PROGRESS" if reason == "Rollback requested":
            return f"{_failures(stack_id)}Rollback requested by user."
        case "CREATE_FAILED" | "UPDATE_FAILED" if reason.startswith("Resource "):
            return _failures(stack_id)
        case "ROLLBACK_COMPLETE":
            return ""
        case _:
            return reason


def _failures(stack_id: str) -> str:
    """Name the resources that failed since the operation began."""
    failed: dict[str, list[str]] = {}
    for event in reversed(cloudformation._stack_events[stack_id]):
        if event["PhysicalResourceId"] == stack_id:
            break
        verb, _, outcome = event["ResourceStatus"].partition("_")
        if outcome == "FAILED":
            failed.setdefault(verb.lower(), []).insert(0, event["LogicalResourceId"])
    return "".join(
        f"The following resource(s) failed to {verb}: [{', '.join(names)}]. "
        for verb, names in sorted(failed.items())
    )


def _cleaning_up(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the last thing that can fail in an update: afterwards only the old is deleted."""

    def resolved(*arguments: Any) -> Any:
        outputs = resolve(*arguments)
        *_, stack_name, stack_id = arguments
        stack = cloudformation._stacks[stack_name]
        if stack["StackStatus"] == "UPDATE_IN_PROGRESS":
            stack["StackStatus"] = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
            _add(stack_id, stack_name, stack_name, STACK, stack["StackStatus"], "", stack_id)
        return outputs

    return resolved


# --- resources ---------------------------------------------------------------------------


def _resource_status(stack: Item, logical_id: str, status: str, told: str) -> str:
    """Return the status to note for a resource, "" for none.

    MiniStack calls everything in an update an update, of resources that stay as they are too; it
    tells neither a reason nor a physical id where it only comes to a resource.
    """
    pending, known = stack.setdefault(_PENDING, {}), stack["_resources"].get(logical_id)
    updating = stack["StackStatus"] == "UPDATE_IN_PROGRESS"
    match status:
        case "UPDATE_IN_PROGRESS" if updating and not told:
            pending[logical_id] = known and (known["ResourceStatus"], known["Timestamp"])
            return "" if known else "CREATE_IN_PROGRESS"
        case "UPDATE_COMPLETE" if updating and logical_id in pending:
            unchanged = pending.pop(logical_id)
            if unchanged:
                known["ResourceStatus"], known["Timestamp"] = unchanged
                return ""
            known["ResourceStatus"] = "CREATE_COMPLETE"
            return "CREATE_COMPLETE"
        case "UPDATE_FAILED" if updating and not known:
            pending.pop(logical_id, None)
            return "CREATE_FAILED"
        case _:
            return status


def _created(provision: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the creation of a resource: its physical id is told before it is complete."""

    def created(resource_type: str, logical_id: str, properties: Item, stack_name: str) -> Any:
        resource = provision(resource_type, logical_id, properties, stack_name)
        if logical_id not in _stack(stack_name)["_resources"]:
            _tell(
                stack_name, logical_id, resource_type, "CREATE_IN_PROGRESS", resource[0], INITIATED
            )
        return resource

    return created


def _updated(update: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the update of a resource: only one that changes is told of.

    A replacement has been told already, with its reason; then its new physical id is.
    """

    def updated(
        resource_type: str,
        physical_id: str,
        old: Item,
        new: Item,
        stack_name: str,
        logical_id: str,
        attributes: Item | None = None,
    ) -> Any:
        stack = _stack(stack_name)
        arguments = (resource_type, physical_id, old, new, stack_name, logical_id, attributes)
        if stack["StackStatus"] != "UPDATE_IN_PROGRESS" or old == new:
            return update(*arguments)
        stack[_PENDING].pop(logical_id, None)
        refused = provisioners._custom_named_replacement_error(resource_type, old, new)
        if refused or not provisioners._replacing_change(resource_type, old, new):
            _tell(stack_name, logical_id, resource_type, "UPDATE_IN_PROGRESS", physical_id)
        resource = update(*arguments)
        if resource[0] != physical_id:
            _tell(
                stack_name, logical_id, resource_type, "UPDATE_IN_PROGRESS", resource[0], INITIATED
            )
        return resource

    return updated


def _deleted(delete: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the deletion of a resource: after an update MiniStack tells nobody."""

    def deleted(
        resource_type: str, physical_id: str, properties: Item, stack_name: str, logical_id: str
    ) -> None:
        silent = _stack(stack_name)["StackStatus"] == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        about = (stack_name, logical_id, resource_type)
        if silent:
            _tell(*about, "DELETE_IN_PROGRESS", physical_id)
        delete(resource_type, physical_id, properties, stack_name, logical_id)
        if silent:
            _tell(*about, "DELETE_COMPLETE", physical_id)

    return deleted


def _stack(name: str) -> Item:
    return cloudformation._stacks[name]


def _tell(
    stack_name: str,
    logical_id: str,
    resource_type: str,
    status: str,
    physical_id: str,
    reason: str = "",
) -> None:
    stack_id = _stack(stack_name)["StackId"]
    _add(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id)


def _last(stack_id: str, logical_id: str) -> str:
    events = reversed(cloudformation._stack_events[stack_id])
    found = (event for event in events if event["LogicalResourceId"] == logical_id)
    return next(found, {}).get("ResourceStatus", "")


def _distinguish(events: list[Item], stack_name: str) -> None:
    """Give the newest event a later time than the one before, and a resource's event AWS's id.

    https://github.com/convox/rack/issues/2142
    """
    *older, event = events
    if older and event["Timestamp"] <= older[-1]["Timestamp"]:
        later = datetime.fromisoformat(older[-1]["Timestamp"]) + timedelta(milliseconds=1)
        event["Timestamp"] = later.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if event["LogicalResourceId"] != stack_name:
        parts = (event[key] for key in ("LogicalResourceId", "ResourceStatus", "Timestamp"))
        event["EventId"] = "-".join(parts)
