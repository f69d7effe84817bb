"""A chart that has its place, as SVG.

Presentation attributes only: no style sheet, script, id or outside reference, which is what
JupyterLab, nbviewer and GitHub all show.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from xml.sax.saxutils import escape

from helpers import history
from helpers.chart import signs, text
from helpers.chart.machine import Machine
from helpers.chart.parts import LABEL_LINE, NAME_LINE, ROUND, Chart, Edge, Frame, Node
from helpers.chart.signs import NOT_STARTED, RETRIED, SIGNS
from helpers.history import Event, Status
from helpers.markup import NO_MATHS

WIDEST = 840  # pixels; a notebook's column in a window of 1280
LEAST_SCALE = 0.6  # smaller, letters cannot be read
# Lines and the signs in them are seen on white and on black alike: at least 3:1 on either.
LINE, TAKEN, CAUGHT = "#858d97", "#2f81f7", "#e5534b"
PLAIN, INK, FAINT_INK, ERROR, ERROR_FILL = "#f6f8fa", "#1f2328", "#57606a", "#d1242f", "#fff0f0"
CAUGHT_INK = "#a40e26"
_DASHES = ' stroke-dasharray="5 4"'
_CORNERS = {"Choice": 22}
_FOLLOWS = {"next": "then", "choice": "then", "default": "then", "catch": "on error"}

Statuses = Mapping[str, Status]
Taken = tuple[str | None, str | None, bool]  # as `history.transitions` says it


def draw(machine: Machine, events: Sequence[Event]) -> str:
    """The picture of a machine, with statuses where there are events."""
    statuses = history.statuses(events)
    words = title(machine, statuses), description(machine, statuses)
    return picture(machine, words, statuses, history.transitions(events))


def picture(
    chart: Chart, words: tuple[str, str], statuses: Statuses, taken: Collection[Taken]
) -> str:
    """A chart that has its place, as SVG; ``words`` are its title and what it shows at length."""
    # Not every viewer fits a picture to its column: a wide one is made smaller here.
    scale = max(LEAST_SCALE, min(1.0, WIDEST / chart.width))
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="{NO_MATHS}" '
            f'width="{chart.width * scale:.0f}" height="{chart.height * scale:.0f}" '
            f'viewBox="0 0 {chart.width:.0f} {chart.height:.0f}" style="{style(chart)}">',
            f"<title>{clean(words[0])}</title>",
            f"<desc>{clean(words[1])}</desc>",
            f'<g font-family="{text.FONT}" text-anchor="middle">',
            *(_frame(frame, statuses.get(frame.name)) for frame in chart.frames),
            *(_edge(edge, _went(edge, statuses, taken)) for edge in chart.edges),
            *(_label(edge) for edge in chart.edges if edge.lines),
            *(_node(node, statuses) for node in chart.nodes if node.kind != "meeting"),
            "</g></svg>",
        ]
    )


def page(chart: Chart, picture: str) -> str:
    """The picture for a notebook's page: inline, so that it shrinks and has tooltips.

    A viewer that strips SVG and keeps images shows the image in the description instead, and none
    of the letters in the picture. JupyterLab does so in a notebook that it does not trust
    (https://github.com/jupyterlab/jupyterlab/issues/10464).
    """
    source = base64.b64encode(picture.encode()).decode()
    words = re.search("<title>(.*?)</title>", picture, re.DOTALL)[1].replace('"', "&quot;")
    image = f'<img src="data:image/svg+xml;base64,{source}" alt="{words}" style="{style(chart)}"/>'
    whole = picture.replace("</desc>", f"{image}</desc>", 1)
    return f'<div class="{NO_MATHS}" style="font-size:0;overflow-x:auto">{whole}</div>'


def style(chart: Chart) -> str:
    """Lets the picture shrink with its column; one too wide to be read in it is scrolled."""
    least = chart.width * LEAST_SCALE
    return f"{f'min-width:{least:.0f}px' if least > WIDEST else 'max-width:100%'};height:auto"


def clean(words: str) -> str:
    """Text for XML: escaped, and without the characters that XML cannot hold."""
    held = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", words)
    return escape(held, {"\r": "&#13;"})


def title(machine: Machine, statuses: Statuses) -> str:
    """What the picture shows, in a few words."""
    names = [node.name for node in machine.nodes if node.name is not None]
    now = [n for n in names if n in statuses and statuses[n].status in signs.PRESENT]
    at = f", now at {', '.join(now)}" if now else ""
    return f"State machine with {len(names)} state{'' if len(names) == 1 else 's'}{at}"


def description(machine: Machine, statuses: Statuses) -> str:
    """Every state, how it stands and what follows it, for who cannot see the picture."""
    following: dict[str | None, dict[str, list[str]]] = {}
    for edge in machine.edges:
        if edge.kind in _FOLLOWS and not edge.trunk:
            for name, target in edge.steps:
                after = following.setdefault(name, {}).setdefault(_FOLLOWS[edge.kind], [])
                after.append(target or "nowhere")
    return "; ".join(
        f"{node.name} ({node.subtitle}){_told(node, statuses)}"
        + "".join(f", {way} {' or '.join(to)}" for way, to in following.get(node.name, {}).items())
        for node in machine.nodes
        if node.name is not None
    )


def _told(node: Node, statuses: Statuses) -> str:
    if node.name in statuses:
        return f": {signs.words(statuses[node.name])}"
    return f": {NOT_STARTED.word}" if statuses and node.name is not None else ""


def _frame(frame: Frame, status: Status | None) -> str:
    x, y, width, height = frame.bounds
    stroke = SIGNS[status.status].strong if status else LINE
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="12" '
        f'fill="{LINE}" fill-opacity="0.1" stroke="{stroke}" stroke-opacity="0.7"/>'
    )


def _went(edge: Edge, statuses: Statuses, taken: Collection[Taken]) -> bool:
    """Whether the execution went along an arrow."""
    if edge.kind == "retry":
        return any(name in statuses and statuses[name].retries for name, _ in edge.steps)
    return any((*step, edge.kind == "catch") in taken for step in edge.steps)


def _edge(edge: Edge, went: bool) -> str:
    colour = CAUGHT if edge.kind == "catch" else TAKEN if went else LINE
    thin = 1 if edge.kind in ("catch", "retry") else 1.3
    dashed = edge.kind in ("catch", "default", "retry") and not went
    triangle = f'<path d="{edge.arrow}" fill="{colour}" stroke-linejoin="round"/>'
    return (
        f'<g stroke="{colour}">'
        f'<path d="{edge.path}" fill="none" stroke-width="{2.2 if went else thin}"'
        f"{_DASHES if dashed else ''}/>{triangle if edge.arrow else ''}</g>"
    )


def _label(edge: Edge) -> str:
    width, height = edge.label_size
    x, y = edge.x - width / 2, edge.y - height / 2
    rows = "".join(
        f'<text x="{edge.x:.1f}" y="{y + 12.5 + number * LABEL_LINE:.1f}">{clean(line)}</text>'
        for number, line in enumerate(edge.lines)
    )
    told = "; ".join(edge.labels)
    return (
        f'<g font-size="{text.LABEL}" fill="{CAUGHT_INK if edge.kind == "catch" else FAINT_INK}">'
        f"<title>{clean(f'retries {told}' if edge.kind == 'retry' else told)}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8" '
        f'fill="#ffffff" stroke="#d0d7de"/>{rows}</g>'
    )


def _node(node: Node, statuses: Statuses) -> str:
    if node.kind in ROUND:
        return _disc(node)
    status = statuses.get(node.name or "")
    sign = SIGNS[status.status] if status else None
    fill, stroke = (sign.fill, sign.strong) if sign else (PLAIN, LINE)
    if node.broken:
        fill, stroke = ERROR_FILL, ERROR
    x, y = node.x - node.width / 2, node.y - node.height / 2
    rows = "".join(
        f'<text x="{node.x:.1f}" y="{y + 20 + number * NAME_LINE:.1f}" font-size="{text.NAME}" '
        f'font-weight="bold" fill="{INK}">{clean(line)}</text>'
        for number, line in enumerate(node.lines)
    )
    name = "".join(node.lines) if node.name is None else node.name
    return (
        f"<g><title>{clean(f'{name} ({node.subtitle}){_told(node, statuses)}')}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{node.width:.1f}" height="{node.height:.1f}" '
        f'rx="{_CORNERS.get(node.kind, 9)}" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="{2 if status else 1.3}"{_DASHES if node.broken else ""}/>'
        f"{rows}"
        f'<text x="{node.x:.1f}" y="{y + node.height - 10:.1f}" font-size="{text.SUBTITLE}" '
        f'fill="{ERROR if node.broken else FAINT_INK}">{clean(node.subtitle)}</text>'
        f"{_pill(node, status) if statuses and node.name is not None else ''}</g>"
    )


def _disc(node: Node) -> str:
    if node.kind == "join":
        return f'<circle cx="{node.x:.1f}" cy="{node.y:.1f}" r="4" fill="{LINE}"/>'
    return (
        f'<circle cx="{node.x:.1f}" cy="{node.y:.1f}" r="{node.width / 2}" fill="#57606a"/>'
        f'<text x="{node.x:.1f}" y="{node.y + 3.8:.1f}" font-size="11" fill="#ffffff">'
        f"{node.lines[0]}</text>"
    )


def _pill(node: Node, status: Status | None) -> str:
    """The sign of a status on the upper right corner of its box, with what can be counted."""
    sign = SIGNS[status.status] if status else NOT_STARTED
    ink, paper = ("#ffffff", sign.strong) if status else (sign.strong, "#ffffff")
    said = " ".join(filter(None, [sign.word, signs.counts(status)])) if status else ""
    retries = f"{status.retries}" if status and status.retries else ""
    said_width = text.width(said, text.PILL, bold=True)
    width = 18 + (said_width + 7 if said else 0)
    width += text.width(retries, text.PILL, bold=True) + 16 if retries else 0
    x, y = node.x + node.width / 2 - width + 8, node.y - node.height / 2 - 10
    edge = "#ffffff" if status else LINE
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="18" rx="9" '
        f'fill="{paper}" stroke="{edge}" stroke-width="1.2"/>',
        _drawing(sign.drawing, x + 4, y + 4, sign.solid, ink),
    ]
    after = x + 18
    if said:
        parts.append(_pill_text(said, after, y))
        after += said_width + 5
    if retries:
        parts.append(_drawing(RETRIED, after, y + 4, False, ink))
        parts.append(_pill_text(retries, after + 12, y))
    return "".join(parts)


def _drawing(path: str, x: float, y: float, solid: bool, ink: str) -> str:
    line = f'fill="none" stroke="{ink}" stroke-width="1.6" stroke-linecap="round"'
    paint = f'fill="{ink}"' if solid else line
    return f'<path transform="translate({x:.1f} {y:.1f})" d="{path}" {paint}/>'


def _pill_text(words: str, x: float, y: float) -> str:
    return (
        f'<text x="{x:.1f}" y="{y + 12.4:.1f}" font-size="{text.PILL}" font-weight="bold" '
        f'text-anchor="start" fill="#ffffff">{words}</text>'
    )
