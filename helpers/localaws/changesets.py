"""CloudFormation: a change set leaves out what a condition leaves out, as the stack does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import changesets, engine

Template = dict[str, Any]


def install() -> None:
    """Let change sets compare only resources whose condition holds."""
    changesets._resolve_props_for_diff = _existing(changesets._resolve_props_for_diff)


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
