"""Reads the SVG of our own plots as plain shapes with resolved colours, for whoever paints them.

No SVG library: they bring Cairo or a browser along, for lines, circles and text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from xml.etree import ElementTree

from PIL import ImageColor

Colour: TypeAlias = tuple[int, int, int]
Places: TypeAlias = tuple[tuple[float, float], ...]

_TURNED = re.compile(r"translate\(([-\d.]+) ([-\d.]+)\) rotate\(-90\)")
_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
_ANCHORS: Mapping[str, Literal["start", "middle", "end"]] = {"middle": "middle", "end": "end"}


@dataclass(frozen=True)
class Line:
    """A line through places, dashed where `dashes` holds the lengths of a stroke and of the gap after it."""

    places: Places
    colour: Colour
    width: float
    dashes: tuple[float, float] | None


@dataclass(frozen=True)
class Disc:
    """A circle, filled, with an edge, or both."""

    x: float
    y: float
    radius: float
    fill: Colour | None
    edge: Colour | None
    width: float


@dataclass(frozen=True)
class Area:
    """A filled polygon."""

    places: Places
    fill: Colour


@dataclass(frozen=True)
class Words:
    """A line of text; `x`, `y` is its start, middle or end on the base line, and it may run upwards."""

    text: str
    x: float
    y: float
    size: float
    colour: Colour
    anchor: Literal["start", "middle", "end"]
    upwards: bool


Shape: TypeAlias = Line | Disc | Area | Words


@dataclass(frozen=True)
class Drawing:
    """Width and height in units of the SVG (96 to the inch, y downwards), and shapes from back to front."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def read_svg(text: str) -> Drawing:
    """Read one of our own standalone SVG plots, its style sheet applied.

    Parameters
    ----------
    text : str
        From `standalone_svg`; elements other than line, circle, rect, polyline, polygon, text and straight paths are
        passed over.

    Returns
    -------
    Drawing
        Colours are those on white paper, opacity included.
    """
    root = ElementTree.fromstring(text)
    rules = tuple(_rules(next(element.text or "" for element in root.iter() if _tag(element) == "style")))
    _, _, width, height = (float(number) for number in _NUMBERS.findall(root.attrib["viewBox"]))
    found = (_shape(chain[-1], _style(rules, chain)) for chain in _chains((root,)))
    return Drawing(width, height, tuple(shape for shape in found if shape is not None))


def _shape(element: ElementTree.Element, style: Mapping[str, str]) -> Shape | None:
    fill, edge = _colour(style, "fill", "#000"), _colour(style, "stroke", "none")
    width = _length(style.get("stroke-width", "1"))
    at = {key: float(value) for key, value in element.attrib.items() if _NUMBERS.fullmatch(value)}
    match _tag(element):
        case "line" if edge:
            return Line(((at["x1"], at["y1"]), (at["x2"], at["y2"])), edge, width, _dashes(style))
        case "polyline" if edge:
            return Line(_pairs(element.attrib["points"]), edge, width, _dashes(style))
        case "circle" if fill or edge:
            return Disc(at["cx"], at["cy"], at["r"], fill, edge, width)
        case "rect" if fill and "x" in at:
            left, top, right, bottom = at["x"], at["y"], at["x"] + at["width"], at["y"] + at["height"]
            return Area(((left, top), (right, top), (right, bottom), (left, bottom)), fill)
        case "polygon" if fill:
            return Area(_pairs(element.attrib["points"]), fill)
        case "path" if fill:  # a diamond: M x y l dx dy ...
            places = list(_pairs(element.attrib["d"]))
            for place, (dx, dy) in enumerate(places[1:], start=1):
                places[place] = (places[place - 1][0] + dx, places[place - 1][1] + dy)
            return Area(tuple(places), fill)
        case "text" if element.text and fill:
            turned = _TURNED.fullmatch(element.attrib.get("transform", ""))
            x, y = (float(turned[1]), float(turned[2])) if turned else (at["x"], at["y"])
            anchor = _ANCHORS.get(element.attrib.get("text-anchor", ""), "start")
            size = _length(style.get("font-size", "11px"))
            return Words(element.text, x, y, size, fill, anchor, turned is not None)
    return None


def _pairs(text: str) -> Places:
    numbers = [float(number) for number in _NUMBERS.findall(text)]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _length(text: str) -> float:
    return float(text.removesuffix("px"))


def _dashes(style: Mapping[str, str]) -> tuple[float, float] | None:
    lengths = [float(number) for number in _NUMBERS.findall(style.get("stroke-dasharray", ""))]
    return (lengths[0], lengths[-1]) if lengths else None


@dataclass(frozen=True)
class _Rule:
    """One rule of a style sheet: a selector of tags and classes, each inside the one before."""

    parts: tuple[str, ...]
    values: Mapping[str, str]

    def applies(self, chain: Sequence[ElementTree.Element]) -> bool:
        """Whether it is meant for the last element of a chain from the root."""
        if not _matches(chain[-1], self.parts[-1]):
            return False
        above = iter(chain[:-1])
        return all(any(_matches(element, part) for element in above) for part in self.parts[:-1])


def _rules(sheet: str) -> Iterator[_Rule]:
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet):
        values = dict(entry.split(":", 1) for entry in body.split(";") if ":" in entry)
        clean = {key.strip(): value.strip() for key, value in values.items()}
        for selector in selectors.split(","):
            yield _Rule(tuple(selector.split()), clean)


def _style(rules: Sequence[_Rule], chain: Sequence[ElementTree.Element]) -> dict[str, str]:
    """Return what the rules say of an element; `color` comes from above, attributes hold where no rule speaks."""
    found: dict[str, str] = {key: chain[-1].attrib[key] for key in ("fill", "stroke") if key in chain[-1].attrib}
    for depth in range(1, len(chain) + 1):
        for rule in rules:
            if rule.applies(chain[:depth]):
                if depth == len(chain):
                    found.update(rule.values)
                elif "color" in rule.values:
                    found["color"] = rule.values["color"]
    return found


def _colour(style: Mapping[str, str], name: str, otherwise: str) -> Colour | None:
    """Return a colour as it looks on white under the element's opacity."""
    value = style.get(name, otherwise)
    value = style.get("color", "#000") if value == "currentColor" else value
    if value in ("none", "transparent"):
        return None
    red, green, blue = ImageColor.getrgb(value)[:3]
    opacity = float(style.get("opacity", "1"))
    mixed = [round(opacity * part + (1 - opacity) * 255) for part in (red, green, blue)]
    return mixed[0], mixed[1], mixed[2]


def _chains(chain: tuple[ElementTree.Element, ...]) -> Iterator[tuple[ElementTree.Element, ...]]:
    for child in chain[-1]:
        yield (*chain, child)
        yield from _chains((*chain, child))


def _matches(element: ElementTree.Element, part: str) -> bool:
    if part.startswith("."):
        return part[1:] in element.attrib.get("class", "").split()
    return _tag(element) == part


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
