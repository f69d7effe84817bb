"""What a picture shows, read from its SVG alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
Rect = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass
class Box:
    """A state's box: its tooltip, the lines in it, its place and its colours."""

    title: str
    lines: list[str]
    place: Rect
    fill: str
    stroke: str
    drawings: list[str]


class Picture:
    """A parsed picture. What holds for every one is checked at once."""

    def __init__(self, svg: str) -> None:
        self.root = ET.fromstring(svg)  # noqa: S314, it is ours
        assert self.root.tag == f"{SVG}svg"
        assert self.root.get("role") == "img"
        title, desc, self.drawn = self.root
        assert (title.tag, desc.tag) == (f"{SVG}title", f"{SVG}desc")
        self.title, self.desc = title.text or "", desc.text or ""
        assert self.root.attrib.pop("class") == "mathjax_ignore tex2jax_ignore"
        style = self.root.attrib.pop("style")
        assert re.fullmatch(r"(max-width:100%|min-width:\d+px);height:auto", style)
        for element in self.root.iter():
            assert element.tag.removeprefix(SVG) in "svg title desc g rect circle path text".split()
            assert not {"style", "class", "id", "href", "onclick"} & set(element.attrib)
            for value in element.attrib.values():
                assert "nan" not in value
                assert "url(" not in value

    @property
    def boxes(self) -> list[Box]:
        """The boxes: of states, and of what is missing."""
        return [
            Box(
                title=group.findtext(f"{SVG}title") or "",
                lines=[text.text or "" for text in group.findall(f"{SVG}text")],
                place=_place(group.find(f"{SVG}rect")),
                fill=group.find(f"{SVG}rect").attrib["fill"],
                stroke=group.find(f"{SVG}rect").attrib["stroke"],
                drawings=[path.attrib["d"] for path in group.findall(f"{SVG}path")],
            )
            for group in self.drawn.findall(f"{SVG}g")
            if not group.attrib
        ]

    def box(self, name: str) -> Box:
        """The one box of a state."""
        (found,) = [box for box in self.boxes if box.title.startswith(f"{name} (")]
        return found

    @property
    def titles(self) -> list[str]:
        """The tooltips of the boxes: `Name (Type · more): status`."""
        return [box.title for box in self.boxes]

    @property
    def labels(self) -> list[ET.Element]:
        """The groups of the labels at arrows."""
        return [g for g in self.drawn.findall(f"{SVG}g") if "font-size" in g.attrib]

    @property
    def frames(self) -> list[Rect]:
        """What is drawn around Parallel and Map states."""
        return [_place(rect) for rect in self.drawn.findall(f"{SVG}rect")]

    @property
    def texts(self) -> list[str]:
        """Every line of text in it."""
        return [text.text or "" for text in self.root.iter(f"{SVG}text")]

    def faults(self) -> list[str]:
        """What lies over something else, or beyond the edge. Frames hold others, or are apart."""
        places = [box.place for box in self.boxes]
        places += [_place(label.find(f"{SVG}rect")) for label in self.labels]
        places += [_around(c) for c in self.drawn.findall(f"{SVG}circle") if c.get("r") != "4"]
        found = [f"{a} over {b}" for a, b in combinations(places, 2) if _meet(a, b)]
        boxes = [box.place for box in self.boxes]
        pairs = [*combinations(self.frames, 2), *((f, b) for f in self.frames for b in boxes)]
        found += [
            f"{a} across {b}"
            for a, b in pairs
            if _meet(a, b) and not _holds(a, b) and not _holds(b, a)
        ]
        width, height = map(float, self.root.attrib["viewBox"].split()[2:])
        whole = (0.0, 0.0, width, height)
        return found + [f"{a} outside" for a in [*places, *self.frames] if not _holds(whole, a)]


def _place(rect: ET.Element | None) -> Rect:
    assert rect is not None
    x, y, width, height = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _around(circle: ET.Element) -> Rect:
    x, y, r = (float(circle.attrib[key]) for key in ("cx", "cy", "r"))
    return x - r, y - r, x + r, y + r


def _meet(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] - 1 and b[0] < a[2] - 1 and a[1] < b[3] - 1 and b[1] < a[3] - 1


def _holds(outer: Rect, inner: Rect) -> bool:
    return (
        outer[0] <= inner[0] + 1
        and outer[1] <= inner[1] + 1
        and outer[2] >= inner[2] - 1
        and outer[3] >= inner[3] - 1
    )
