"""What of the workbook is in the account: the proof, after cleaning up, that nothing is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os.path import commonprefix

from helpers import bucket, incident, laboratory, stack, trail
from helpers.session import Session
from helpers.table import columns, table

STACK_PREFIX = stack.NAME[: stack.SHORT]


@dataclass(frozen=True)
class Inventory:
    """The names of what was found, by kind. False where there is nothing at all."""

    found: dict[str, list[str]]

    def __bool__(self) -> bool:
        return any(self.found.values())

    def __repr__(self) -> str:
        return columns((f"{kind}:" if kind else "", name) for kind, _, name in self._rows())

    def _repr_html_(self) -> str:
        return table(("Kind", "", "Names"), self._rows())

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield a row a name; the kind, and how many there are of it, stand before the first."""
        for kind, names in self.found.items():
            yield kind, str(len(names)), _shown(names[0]) if names else "none"
            yield from (("", "", _shown(name)) for name in names[1:])


def _shown(name: str) -> str:
    """Return a name with … for that of the stack, or for what CloudFormation left of that."""
    before, found, rest = name.partition(STACK_PREFIX)
    left = len(commonprefix([rest, stack.NAME[stack.SHORT :]]))
    return f"{before}…{rest[left:]}" if found and rest[left:] else name


def of(session: Session) -> Inventory:
    """List what the workbook made in this account, and nothing that is somebody else's."""

    def named(service: str, operation: str, members: str, key: str) -> list[str]:
        pages = session.client(service).get_paginator(operation).paginate()
        return _ours(session, (item[key] for page in pages for item in page[members]))

    return Inventory(
        {
            "Policies": incident.policies(session),
            "Users": named("iam", "list_users", "Users", "UserName"),
            "Roles": named("iam", "list_roles", "Roles", "RoleName"),
            "Functions": named("lambda", "list_functions", "Functions", "FunctionName"),
            "State machines": named(
                "stepfunctions", "list_state_machines", "stateMachines", "name"
            ),
            "Topics": _ours(session, _topics(session)),
            "Rules": named("events", "list_rules", "Rules", "Name"),
            "REST APIs": named("apigateway", "get_rest_apis", "items", "name"),
            "Stacks": _stacks(session),
            "Trails": _ours(session, _trails(session)),
            "Buckets": _ours(session, _buckets(session)),
            "Log groups": stack.log_groups(session),
            "Of the lessons": laboratory.made(session),
        }
    )


def _ours(session: Session, names: Iterable[str]) -> list[str]:
    """Return those that are the workbook's; CloudFormation puts more behind the stack's name."""
    given = (
        incident.Mallory.USER,
        bucket.name(session),
        bucket.bait_name(session),
        trail.NAME,
    )
    return sorted(name for name in names if name in given or name.startswith(STACK_PREFIX))


def _topics(session: Session) -> list[str]:
    pages = session.client("sns").get_paginator("list_topics").paginate()
    return [topic["TopicArn"].rsplit(":", 1)[-1] for page in pages for topic in page["Topics"]]


def _stacks(session: Session) -> list[str]:
    """A deleted stack is listed for 90 days on AWS; it is no leftover.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html
    """
    pages = session.client("cloudformation").get_paginator("list_stacks").paginate()
    summaries = [summary for page in pages for summary in page["StackSummaries"]]
    alive = [item for item in summaries if item["StackStatus"] != "DELETE_COMPLETE"]
    return _ours(session, (item["StackName"] for item in alive))


def _trails(session: Session) -> list[str]:
    return [found["Name"] for found in session.client("cloudtrail").describe_trails()["trailList"]]


def _buckets(session: Session) -> list[str]:
    return [found["Name"] for found in session.client("s3").list_buckets()["Buckets"]]
