"""CloudFormation: a change set leaves out what a condition leaves out, and is found by stack id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers

Template = dict[str, Any]


def install() -> None:
    """Let change sets compare only resources whose condition holds; find them by a stack's id."""
    changesets._resolve_props_for_diff = _existing(changesets._resolve_props_for_diff)
    changesets._find_change_set = _by_name_or_id(changesets._find_change_set)


def _existing(resolve: Callable[..., Template]) -> Callable[..., Template]:
    """Wrap the function that prepares the old and the new template for the comparison.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html
    """

    def resolved(template: Template, params: dict[str, Any], *stack: str) -> Template:
        resources = resolve(template, params, *stack).get("Resources", {})
        holds = engine._evaluate_conditions(template, params)
        there = {
            name: part
            for name, part in resources.items()
            if "Condition" not in part or holds[part["Condition"]]
        }
        return {"Resources": there}

    return resolved


def _by_name_or_id(find: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the search for a change set: MiniStack knows it by the name of its stack only.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html
    """

    def found(change_set: str, name_or_id: str = "") -> Any:
        stack = handlers._resolve_stack(name_or_id) or {}
        return find(change_set, stack.get("StackName", name_or_id))

    return found
