"""CloudFormation's stack engine: others are served while it works, and it refuses what AWS does.

MiniStack goes through a stack's resources in one go, while every other request waits. Here it
takes turns: its events can be read while a stack is made, and two stacks are made side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks
from ministack.services.cloudformation.helpers import _error, _p

from helpers.localaws import resources, sources, stack_events, states
from helpers.localaws.requests import Answer

Params = dict[str, Any]
Action = Callable[[Params], Answer]
Operation = Callable[..., Awaitable[None]]

# Seconds between two resources: time for others' requests. AWS takes longer for each.
PAUSE = 0.005

# From here a stack can only be deleted.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
CLOSED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")

_blocks, _run_blocking = stacks._runs_on_worker_thread, stacks.run_reentrant
_turns: dict[str, asyncio.Lock] = {}  # by stack id


def install() -> None:
    """Put this module's changes into MiniStack's CloudFormation. Call once, after states."""
    resources.install()
    stack_events.install()
    # The engine awaits what may block; here it awaits its turn for every resource.
    stacks._runs_on_worker_thread = lambda _type: True
    stacks.run_reentrant = take_turn
    deploy, delete = _one_by_one(stacks._deploy_stack_async), _one_by_one(_deleting)
    for module in (handlers, changesets):
        module._deploy_stack_async = deploy
    for module in (handlers, stacks):
        module._delete_stack_async = delete
    handlers._roll_back_operation = _one_by_one(handlers._roll_back_operation)
    handlers._continue_update_rollback_async = _one_by_one(handlers._continue_update_rollback_async)
    for name, refusal in (
        ("CreateStack", _taken),
        ("CreateChangeSet", _not_to_be_changed),
        ("UpdateStack", _closed),
        ("ExecuteChangeSet", _busy),
    ):
        actions = handlers._ACTION_HANDLERS
        actions[name] = _refusing(actions[name], refusal)


# --- turns -------------------------------------------------------------------------------


async def take_turn(work: Callable[..., Any], resource_type: str, *rest: Any) -> Any:
    """Do the work on one resource, on this thread unless it blocks; let others have theirs before.

    A definition is parsed on another thread, which takes longest and is remembered.
    """
    if _blocks(resource_type):
        return await _run_blocking(work, resource_type, *rest)
    if resource_type == resources.MACHINE:
        await asyncio.to_thread(_parse, *rest)
    await asyncio.sleep(PAUSE)
    return work(resource_type, *rest)


def _parse(*arguments: Any) -> None:
    """Parse the definitions of all properties that are among the arguments."""
    for properties in arguments:
        if not isinstance(properties, dict) or "RoleArn" not in properties:
            continue
        try:
            definition = sources.definition(properties)
        except sources.HandlerError:
            continue  # the work itself will say so
        kind = sources.text(properties.get("StateMachineType", "STANDARD"))
        states.parse({"definition": definition, "type": kind})


def _one_by_one(operation: Operation) -> Operation:
    """Wrap an operation on a stack: it begins when the one before is done.

    AWS cancels a creation or update that is overtaken by a deletion; here the deletion waits.
    """

    async def in_turn(stack_name: str, stack_id: str, *rest: Any, **named: Any) -> None:
        async with _turns.setdefault(stack_id, asyncio.Lock()):
            await operation(stack_name, stack_id, *rest, **named)

    return in_turn


_delete = stacks._delete_stack_async


async def _deleting(stack_name: str, stack_id: str, *rest: Any, **named: Any) -> None:
    """Delete a stack; afterwards it is known by its id, and its name is free.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
    """
    kept = cloudformation._stacks
    stack = kept.get(stack_name)
    if stack is None or stack["StackId"] != stack_id:
        return  # deleted while this deletion waited
    await _delete(stack_name, stack_id, *rest, **named)
    if stack["StackStatus"] == "DELETE_COMPLETE":
        kept[stack_id] = kept.pop(stack_name)
        del _turns[stack_id]


# --- refusals ----------------------------------------------------------------------------


def _refusing(action: Action, refusal: Callable[[Params], Answer | None]) -> Action:
    def answer(params: Params) -> Answer:
        return refusal(params) or action(params)

    return answer


def _taken(params: Params) -> Answer | None:
    """Refuse the name of a stack that was rolled back: it has to be deleted first.

    https://github.com/aws-samples/amazon-rekognition-video-analyzer/issues/49
    """
    name = _p(params, "StackName")
    stack = cloudformation._stacks.get(name)
    if stack is None or stack["StackStatus"] not in CLOSED:
        return None
    return _error("AlreadyExistsException", f"Stack [{name}] already exists")


def _closed(params: Params) -> Answer | None:
    """Refuse to change a stack that is at work, or can only be deleted.

    https://github.com/bitovi/bitops/issues/128
    https://seed.run/docs/serverless-errors/stack-is-in-state-and-can-not-be-updated
    """
    stack = handlers._resolve_stack(_p(params, "StackName"))
    return None if stack is None else _unchangeable(stack)


def _not_to_be_changed(params: Params) -> Answer | None:
    kind = _p(params, "ChangeSetType", "UPDATE")
    return {"CREATE": _taken, "UPDATE": _closed}.get(kind, lambda _: None)(params)


def _busy(params: Params) -> Answer | None:
    """Refuse to execute a change set while something else is done to its stack."""
    _, found = changesets._find_change_set(_p(params, "ChangeSetName"), _p(params, "StackName"))
    stack = cloudformation._stacks.get(found["StackName"]) if found else None
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    return _unchangeable(stack)


def _unchangeable(stack: dict[str, Any]) -> Answer | None:
    status = stack["StackStatus"]
    if status not in CLOSED and not status.endswith("_IN_PROGRESS"):
        return None
    words = f"Stack:{stack['StackId']} is in {status} state and can not be updated."
    return _error("ValidationError", words)
