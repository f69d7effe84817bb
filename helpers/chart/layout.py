"""Where everything goes: Graphviz places the nodes and routes the arrows.

It is only ever given sizes and numbers, so no name has to be escaped for it.

Source: Graphviz attributes (https://graphviz.org/doc/info/attrs.html) and its output as JSON
(https://graphviz.org/docs/outputs/json/).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from threading import Lock
from typing import Any

import pygraphviz

from helpers.chart.parts import ROUND, Chart, Edge, Frame, Node
from helpers.chart.ways import WEIGHTS

MARGIN = 14.0
_GRAPHVIZ = Lock()  # libgraphviz keeps global state: it is not thread-safe

Point = tuple[float, float]


def place(chart: Chart) -> None:
    """Give every part of a chart its place, in pixels from the upper left."""
    text = dot(chart)
    with _GRAPHVIZ:
        graph = pygraphviz.AGraph(string=text)
        placed = json.loads(graph.draw(format="json0", prog="dot"))
    _read(chart, placed)


def dot(chart: Chart) -> str:
    """The sizes and ties of everything, in Graphviz's language."""
    nodes = {node.key: node for node in chart.nodes}
    children: dict[str, list[Frame]] = {}
    for frame in chart.frames:
        children.setdefault(frame.parent, []).append(frame)

    def declare(key: str) -> str:
        node = nodes[key]
        shape = "circle" if node.kind in ROUND else "box"
        return f"{key} [shape={shape} width={node.width / 72:.4f} height={node.height / 72:.4f}]\n"

    def cluster(frame: Frame) -> str:
        inner = "".join(map(cluster, children.get(frame.key, [])))
        return f"subgraph cluster_{frame.key} {{\n{''.join(map(declare, frame.members))}{inner}}}\n"

    framed = {key for frame in chart.frames for key in frame.members}
    free = "".join(declare(node.key) for node in chart.nodes if node.key not in framed)
    edges = "".join(_dot_edge(number, edge) for number, edge in enumerate(chart.edges))
    edges += "".join(
        f"{upper} -> {lower} [style=invis weight=50 minlen={apart}]\n"
        for upper, lower, apart in chart.columns
    )
    return (
        "digraph {\n"
        "nodesep=0.32 ranksep=0.42 margin=0\n"
        'graph [margin=14] node [fixedsize=true label=""] edge [arrowsize=0.8]\n'
        f"{free}{''.join(map(cluster, children.get('', [])))}{edges}}}"
    )


def _dot_edge(number: int, edge: Edge) -> str:
    attributes = [f"number={number}"]
    if edge.lines:
        width, height = edge.label_size
        size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"'
        table = f'<TABLE BORDER="0" CELLBORDER="0" {size}><TR><TD></TD></TR></TABLE>'
        attributes.append(f"label=<{table}>")
    if not edge.pointed:
        attributes.append("arrowhead=none arrowtail=none")
    attributes.append(f"weight={WEIGHTS['trunk' if edge.trunk else edge.kind]}")
    if edge.rows > 1:
        attributes.append(f"minlen={edge.rows}")
    if edge.back:
        return f"{edge.head} -> {edge.tail} [dir=back {' '.join(attributes)}]\n"
    return f"{edge.tail} -> {edge.head} [{' '.join(attributes)}]\n"


def _read(chart: Chart, placed: Mapping[str, Any]) -> None:
    """Read Graphviz's answer: points, with y upwards from the bottom."""
    left, bottom, right, top = map(float, placed["bb"].split(","))

    def point(text: str) -> Point:
        x, y = text.split(",")[-2:]
        return float(x) - left + MARGIN, top - float(y) + MARGIN

    chart.width = right - left + 2 * MARGIN
    chart.height = top - bottom + 2 * MARGIN
    objects = {found["name"]: found for found in placed.get("objects", [])}
    nodes = {node.key: node for node in chart.nodes}
    for node in chart.nodes:
        node.x, node.y = point(objects[node.key]["pos"])
    for frame in chart.frames:
        x0, y0, x1, y1 = objects[f"cluster_{frame.key}"]["bb"].split(",")
        (x, y), (end_x, end_y) = point(f"{x0},{y1}"), point(f"{x1},{y0}")
        frame.bounds = (x, y, end_x - x, end_y - y)
    for found in placed.get("edges", []):
        if "number" not in found:  # one of `columns`
            continue
        edge = chart.edges[int(found["number"])]
        if "pos" in found:
            edge.path, edge.arrow = _curve([point(text) for text in _points(found["pos"])])
        else:
            way = _straight(nodes[edge.tail], nodes[edge.head])
            edge.path, edge.arrow = _curve(way)
            edge.x, edge.y = (way[0][0] + way[-1][0]) / 2, (way[0][1] + way[-1][1]) / 2
        if "lp" in found:
            edge.x, edge.y = point(found["lp"])
    _part([edge for edge in chart.edges if edge.lines])


def _part(labelled: Sequence[Edge]) -> None:
    """Move labels apart that lie over one another, as Graphviz lets those of a loop of two."""
    sized = [(edge, *edge.label_size) for edge in labelled]
    for (one, width, height), (other, other_width, other_height) in combinations(sized, 2):
        across = (width + other_width) / 2 - abs(one.x - other.x)
        if across > 0 and (height + other_height) / 2 > abs(one.y - other.y):
            left, right = sorted((one, other), key=lambda edge: edge.x)
            left.x -= across / 2
            right.x += across / 2


def _straight(tail: Node, head: Node) -> list[Point]:
    """The points of a straight arrow, for the rare one that Graphviz finds no way for."""
    start, end = (tail.x, tail.y + tail.height / 2), (head.x, head.y - head.height / 2)
    short = (end[0] + (start[0] - end[0]) * 0.05, end[1] + (start[1] - end[1]) * 0.05)
    return [start, start, short, short, end]


def _points(pos: str) -> list[str]:
    """The control points of an edge from its tail on, and last the tip of its arrow.

    Graphviz puts the tip in front: `e,x,y`, or `s,x,y` where it was given the edge turned round.
    """
    points = pos.split(";", maxsplit=1)[0].split()
    curve = [point for point in points if point[0] not in "es"]
    tips = [point for point in points if point[0] in "es"]
    return curve[:: -1 if pos.startswith("s") else 1] + tips


def _curve(points: Sequence[Point]) -> tuple[str, str]:
    """The path of an arrow, and the triangle at its end (a path without one has 3n + 1 points)."""
    *curve, tip = points
    if len(points) % 3 == 1:
        curve, triangle = list(points), ""
    else:
        (x0, y0), (x1, y1) = curve[-1], tip
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
        dx, dy = (x1 - x0) / length * 3.6, (y1 - y0) / length * 3.6
        triangle = f"M{x1:.1f} {y1:.1f}L{x0 - dy:.1f} {y0 + dx:.1f}L{x0 + dy:.1f} {y0 - dx:.1f}Z"
    start, *rest = [f"{x:.1f} {y:.1f}" for x, y in curve]
    return f"M{start}C{' '.join(rest)}", triangle
