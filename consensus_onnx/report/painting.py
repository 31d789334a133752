"""The plots of figures.py as pixels: a painter for the few SVG elements they are made of, with the same style sheet.

No SVG library: they bring Cairo or a browser along, for lines, circles and text.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from PIL import Image, ImageColor, ImageDraw, ImageFont

SCALE = 2  # pixels of the picture for one unit of the SVG
_FINER = 2  # drawn so many times larger still, then shrunk: Pillow's lines have no smooth edges
_NARROWER = 0.94  # Pillow's own font is wider than those that names were placed for
_PAPER = (255, 255, 255)
_TURNED = re.compile(r"translate\(([-\d.]+) ([-\d.]+)\) rotate\(-90\)")
_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")


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


def paint_svg(text: str) -> Image.Image:
    """Paint one of our own standalone SVG plots.

    Parameters
    ----------
    text : str
        From `standalone_svg`; elements other than line, circle, rect, polyline, polygon, text and straight paths are
        passed over.

    Returns
    -------
    Image
        RGB on white, two pixels for a unit.
    """
    root = ElementTree.fromstring(text)
    rules = tuple(_rules(next(element.text or "" for element in root.iter() if _tag(element) == "style")))
    zoom = SCALE * _FINER
    box = [float(number) for number in _NUMBERS.findall(root.attrib["viewBox"])]
    image = Image.new("RGB", (round(box[2] * zoom), round(box[3] * zoom)), _PAPER)
    for chain in _chains((root,)):
        _paint(image, chain, _style(rules, chain), zoom)
    size = (round(box[2] * SCALE), round(box[3] * SCALE))
    return image.resize(size, Image.Resampling.LANCZOS)


def _paint(image: Image.Image, chain: Sequence[ElementTree.Element], style: Mapping[str, str], zoom: int) -> None:
    element = chain[-1]
    draw = ImageDraw.Draw(image)
    fill, stroke = _colour(style, "fill", "#000"), _colour(style, "stroke", "none")
    width = max(1, round(float(style.get("stroke-width", "1").removesuffix("px")) * zoom))
    at = {key: float(value) * zoom for key, value in element.attrib.items() if _NUMBERS.fullmatch(value)}
    tag = _tag(element)
    if tag == "line":
        _line(draw, [(at["x1"], at["y1"]), (at["x2"], at["y2"])], stroke, width, style, zoom)
    elif tag == "circle":
        x, y, r = at["cx"], at["cy"], at["r"]
        if fill or stroke:  # without either Pillow would take white
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=stroke, width=width)
    elif tag == "rect" and "x" in at:
        draw.rectangle((at["x"], at["y"], at["x"] + at["width"], at["y"] + at["height"]), fill=fill)
    elif tag in ("polyline", "polygon"):
        numbers = [float(number) * zoom for number in _NUMBERS.findall(element.attrib["points"])]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if tag == "polygon" and len(points) > 1:
            draw.polygon(points, fill=fill)
        else:
            _line(draw, points, stroke, width, style, zoom)
    elif tag == "path":  # a diamond: M x y l dx dy ...
        numbers = [float(number) * zoom for number in _NUMBERS.findall(element.attrib["d"])]
        points = [(numbers[0], numbers[1])]
        for dx, dy in zip(numbers[2::2], numbers[3::2], strict=True):
            points.append((points[-1][0] + dx, points[-1][1] + dy))
        draw.polygon(points, fill=fill)
    elif tag == "text" and element.text:
        _write(image, element, at, fill, float(style.get("font-size", "11px").removesuffix("px")) * zoom, zoom)


def _line(
    draw: ImageDraw.ImageDraw,
    points: Sequence[tuple[float, float]],
    colour: tuple[int, int, int] | None,
    width: int,
    style: Mapping[str, str],
    zoom: int,
) -> None:
    """Draw a line, dashed where the style says so."""
    dashes = [float(number) * zoom for number in _NUMBERS.findall(style.get("stroke-dasharray", ""))]
    if not dashes:
        draw.line(list(points), fill=colour, width=width, joint="curve")
        return
    on, off = dashes[0], dashes[-1]
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        start = 0.0
        while start < length:
            ends = (start / length, min(start + on, length) / length)
            places = [(x1 + share * (x2 - x1), y1 + share * (y2 - y1)) for share in ends]
            draw.line(places, fill=colour, width=width)
            start += on + off


def _write(
    image: Image.Image,
    element: ElementTree.Element,
    at: Mapping[str, float],
    colour: tuple[int, int, int] | None,
    size: float,
    zoom: int,
) -> None:
    """Write a text at its anchor; axis titles may be turned upwards."""
    font = ImageFont.load_default(_NARROWER * size)
    anchor = {"middle": "ms", "end": "rs"}.get(element.attrib.get("text-anchor", ""), "ls")
    turned = _TURNED.fullmatch(element.attrib.get("transform", ""))
    text = element.text or ""
    if turned is None:
        ImageDraw.Draw(image).text((at["x"], at["y"]), text, font=font, fill=colour, anchor=anchor)
        return
    x, y = (float(number) * zoom for number in turned.groups())
    length, height = round(font.getlength(text)) + 2, round(1.4 * size)
    strip = Image.new("RGB", (length, height), _PAPER)
    ImageDraw.Draw(strip).text((length / 2, size), text, font=font, fill=colour, anchor="ms")
    upwards = strip.rotate(90, expand=True)
    image.paste(upwards, (round(x - size), round(y - length / 2)))


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


def _colour(style: Mapping[str, str], name: str, otherwise: str) -> tuple[int, int, int] | None:
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
