"""How the resources of a stack connect: a picture made from its processed template.

A box is a resource that does something; what only serves another (a role, a permission, a stage)
is named in its box. An arrow goes from a resource to one that its own properties refer to.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from helpers.chart import drawing, layout
from helpers.chart.parts import Chart, Edge, Node

# What serves another resource: the property that says which, and how its box calls it.
SERVES = {
    "AWS::ApiGateway::Deployment": ("RestApiId", "deployment"),
    "AWS::ApiGateway::Stage": ("RestApiId", "stage"),
    "AWS::Lambda::Permission": ("FunctionName", "permission"),
    "AWS::SNS::TopicPolicy": ("Topics", "policy"),
}
# A role does not say whose it is: the other one has it in a property of this name, at any depth.
ROLE, ROLE_KEYS = "AWS::IAM::Role", ("Role", "RoleArn")
KINDS = {
    "AWS::ApiGateway::RestApi": "REST API",
    "AWS::Events::Rule": "EventBridge rule",
    "AWS::Lambda::Function": "Lambda function",
    "AWS::SNS::Topic": "SNS topic",
    "AWS::StepFunctions::StateMachine": "state machine",
}
# Who has a part in it and is no resource of the stack: (from, to, what), by type where it is one.
OUTSIDE = (
    ("CloudTrail", "AWS::Events::Rule", "a policy was changed"),
    ("AWS::SNS::Topic", "administrator", "mail"),
    ("administrator", "AWS::ApiGateway::RestApi", "answer"),
    ("ReceiveUser", "AWS::StepFunctions::StateMachine", "hands the token back"),
)
OUTSIDERS = {"CloudTrail": "records the account's calls", "administrator": "a person"}
Template = Mapping[str, Any]


class Anatomy:
    """A template's resources as a picture; as a list where pictures cannot be shown."""

    def __init__(self, template: Template) -> None:
        """``template`` is processed: its ``Resources`` have CloudFormation's own types only."""
        self.resources: dict[str, Template] = {
            name: part for name, part in template["Resources"].items() if "Condition" not in part
        }
        served = {name: self._served(name) for name in self.resources}
        self.boxes = [name for name, other in served.items() if other is None]
        self.serving: dict[str, list[str]] = defaultdict(list)
        for name, other in served.items():
            if other is not None:
                self.serving[other].append(name)

    @property
    def arrows(self) -> list[tuple[str, str]]:
        """Which box refers to which, as (from, to)."""
        return sorted(
            (name, target)
            for name in self.boxes
            for target in self._references(name)
            if target in self.boxes and target != name
        )

    def __repr__(self) -> str:
        lines = []
        for name in sorted(self.boxes, key=lambda box: (self._kind(box), box)):
            to = [target for source, target in self.arrows if source == name]
            knows = f" -> {', '.join(to)}" if to else ""
            lines.append(f"{name} ({self._kind(name)}){knows}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        chart = self._chart()
        layout.place(chart)
        words = f"How {len(self.resources)} resources connect", repr(self)
        return drawing.page(chart, drawing.picture(chart, words, {}, ()))

    def _served(self, name: str) -> str | None:
        """Return the resource that this one serves, None for one that stands for itself."""
        resource = self.resources[name]
        if resource["Type"] == ROLE:
            return next((other for other in self.resources if name in self._roles(other)), None)
        if resource["Type"] in SERVES:
            key, _ = SERVES[resource["Type"]]
            return next(_references(resource["Properties"][key]))
        return None

    def _roles(self, name: str) -> list[str]:
        """Return the roles that a resource acts with."""
        return list(_references(list(_under(ROLE_KEYS, self.resources[name].get("Properties")))))

    def _references(self, name: str) -> list[str]:
        """Return the resources that one's properties refer to, each once, in their order."""
        found = _references(self.resources[name].get("Properties", {}))
        return [other for other in dict.fromkeys(found) if other in self.resources]

    def _kind(self, name: str) -> str:
        """Say what a resource is, with what serves it: ``Lambda function + role``."""
        kinds = [self.resources[extra]["Type"] for extra in self.serving[name]]
        extras = Counter(SERVES[kind][1] if kind in SERVES else "role" for kind in kinds)
        counted = [f"{count} {word}s" if count > 1 else word for word, count in extras.items()]
        kind = self.resources[name]["Type"]
        return " + ".join([KINDS.get(kind, kind), *sorted(counted)])

    def _chart(self) -> Chart:
        nodes = {name: _node(name, "Task", self._kind(name)) for name in self.boxes}
        edges = [Edge(source, target, "next", set()) for source, target in self.arrows]
        for source, target, what in OUTSIDE:
            for begin, end in product(self._named(source), self._named(target)):
                for outsider in {begin, end} - nodes.keys():
                    nodes[outsider] = _node(outsider, "Choice", OUTSIDERS[outsider])
                edges.append(Edge(begin, end, "default", set(), [what]))
        for edge in edges:
            edge.write()
        return Chart(list(nodes.values()), edges)

    def _named(self, end: str) -> list[str]:
        """Return an end's boxes: of a type, by its name, or of somebody outside."""
        if end in OUTSIDERS:
            return [end]
        return [name for name in self.boxes if end in (name, self.resources[name]["Type"])]


def _node(name: str, kind: str, subtitle: str) -> Node:
    # A logical id is letters and digits, so it needs no escaping for Graphviz.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
    node = Node(name, kind, name, [name])
    node.write(subtitle)
    return node


def _references(value: Any) -> Iterator[str]:
    """Yield the logical names that Ref, Fn::GetAtt and Fn::Sub name, wherever they stand.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
    """
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0] if isinstance(inner, list) else inner.split(".")[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", json.dumps(inner))
            yield from _references(inner)


def _under(keys: Sequence[str], value: Any) -> Iterator[Any]:
    """Yield what stands under one of the keys, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _under(keys, item)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key in keys:
                yield inner
            yield from _under(keys, inner)
