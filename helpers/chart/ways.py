"""Ways through a machine: which states are reached, how far they are, which arrows close loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from helpers.chart.parts import Edge

FAN, ABREAST = 6, 4  # more states than so many that one leads to stand so many to a row
# How much an arrow is to be short and straight: the usual way before the exceptions.
WEIGHTS = {
    "next": 20,
    "enter": 20,
    "trunk": 12,
    "choice": 5,
    "default": 4,
    "join": 8,
    "leave": 1,
    "catch": 1,
    "retry": 1,
}


def reached(start: str | None, leads: Mapping[str | None, set[str]]) -> set[str | None]:
    """The states that the start leads to."""
    found: set[str | None] = {start}
    queue = [start]
    for name in queue:
        for target in sorted(leads.get(name, set()) - found):
            found.add(target)
            queue.append(target)
    return found


def rows(edges: Sequence[Edge], start: str | None) -> dict[str | None, int]:
    """How many rows each state is below the start, errors left aside."""
    after: dict[str | None, list[tuple[str | None, int]]] = {}
    for edge in edges:
        if edge.kind not in ("catch", "retry"):
            for tail, head in edge.steps:
                after.setdefault(tail, []).append((head, edge.rows))
    row: dict[str | None, int] = {start: 0}
    queue = [start]
    for name in queue:
        for following, down in after.get(name, []):
            if following is not None and following not in row:
                row[following] = row[name] + down
                queue.append(following)
    return row


def turn_back(edges: Sequence[Edge], entries: Mapping[str, str]) -> None:
    """Mark the arrows that close a loop, with as many of the usual ways kept forward as can be.

    Graphviz fails on loops through clusters, so it is given those arrows turned round. `entries`
    leads from the node that a container is left by to the one it is entered by.
    """
    after: dict[str, list[Edge]] = {}
    for edge in sorted(edges, key=lambda edge: -WEIGHTS[edge.kind]):
        after.setdefault(entries.get(edge.tail, edge.tail), []).append(edge)
    seen: set[str] = set()
    for start in list(after):
        way = {start: iter(after[start])} if start not in seen else {}
        seen.add(start)
        while way:
            edge = next(way[next(reversed(way))], None)
            if edge is None:
                way.popitem()
            elif edge.head in way:
                edge.back = edge.head != edge.tail
            elif edge.head not in seen:
                seen.add(edge.head)
                way[edge.head] = iter(after.get(edge.head, []))


def fold(
    fan: Sequence[Edge], heights: Mapping[str, int] | None = None
) -> list[tuple[str, str, int]]:
    """Let arrows that fan out from one state to very many lead to several rows of states.

    With all of them side by side the picture would be too wide to be read. `heights` says how
    many rows what begins at a head takes; one, where it is not told. Gives the nodes that are to
    stand below one another: the upper, the lower, and how many rows apart.
    """
    columns: list[tuple[str, str, int]] = []
    if len(fan) <= FAN:
        return columns
    down, apart, above = 1, 0, []
    for first in range(0, len(fan), ABREAST):
        row = fan[first : first + ABREAST]
        for edge in row:
            edge.rows = down
        columns += [(up.head, edge.head, apart) for up, edge in zip(above, row, strict=False)]
        apart = max((heights or {}).get(edge.head, 1) for edge in row)
        down, above = down + apart, row
    return columns


def heights(edges: Sequence[Edge]) -> dict[str, int]:
    """How many arrows the longest way from each node has, loops left aside."""
    after: dict[str, list[str]] = {}
    for edge in edges:
        if edge.head != edge.tail:
            tail, head = (edge.head, edge.tail) if edge.back else (edge.tail, edge.head)
            after.setdefault(tail, []).append(head)
    found: dict[str, int] = {}
    begun: set[str] = set()
    queue = list(after)
    while queue:
        node = queue[-1]
        left = [head for head in after.get(node, []) if head not in found and head not in begun]
        begun.add(node)
        if left:
            queue += left
        else:
            queue.pop()
            found[node] = max((found.get(head, 0) + 1 for head in after.get(node, [])), default=0)
    return found
