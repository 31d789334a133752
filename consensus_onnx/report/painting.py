"""The plots of figures.py as pixels, painted with Pillow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFont

from consensus_onnx.report.shapes import Area, Disc, Drawing, Line, Places, Words

SCALE = 2  # pixels of the picture for one unit of the drawing
_ZOOM = 2 * SCALE  # painted twice as large, then shrunk: Pillow's lines have no smooth edges
_NARROWER = 0.94  # Pillow's own font is wider than those that names were placed for
_PAPER = (255, 255, 255)
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def paint(drawing: Drawing) -> Image.Image:
    """Return a drawing as an RGB picture on white, two pixels for a unit."""
    image = Image.new("RGB", (round(drawing.width * _ZOOM), round(drawing.height * _ZOOM)), _PAPER)
    draw = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        match shape:
            case Line():
                _line(draw, shape)
            case Disc(x, y, radius):
                box = tuple(_ZOOM * edge for edge in (x - radius, y - radius, x + radius, y + radius))
                draw.ellipse(box, fill=shape.fill, outline=shape.edge, width=_width(shape.width))
            case Area():
                draw.polygon(_zoomed(shape.places), fill=shape.fill)
            case Words():
                _write(image, draw, shape)
    size = (round(drawing.width * SCALE), round(drawing.height * SCALE))
    return image.resize(size, Image.Resampling.LANCZOS)


def _zoomed(places: Places) -> list[tuple[float, float]]:
    return [(_ZOOM * x, _ZOOM * y) for x, y in places]


def _width(units: float) -> int:
    return max(1, round(_ZOOM * units))


def _line(draw: ImageDraw.ImageDraw, line: Line) -> None:
    parts = [line.places] if line.dashes is None else _dashed(line.places, *line.dashes)
    for part in parts:
        draw.line(_zoomed(part), fill=line.colour, width=_width(line.width), joint="curve")


def _dashed(places: Places, on: float, off: float) -> Iterator[Places]:
    """Yield the strokes of a dashed line; every corner begins a new one."""
    for (x1, y1), (x2, y2) in itertools.pairwise(places):
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        start = 0.0
        while start < length:
            ends = (start / length, min(start + on, length) / length)
            yield tuple((x1 + share * (x2 - x1), y1 + share * (y2 - y1)) for share in ends)
            start += on + off


def _write(image: Image.Image, draw: ImageDraw.ImageDraw, words: Words) -> None:
    size = _ZOOM * words.size
    font = ImageFont.load_default(_NARROWER * size)
    x, y = _ZOOM * words.x, _ZOOM * words.y
    if not words.upwards:
        draw.text((x, y), words.text, font=font, fill=words.colour, anchor=_ANCHORS[words.anchor])
        return
    length, height = round(font.getlength(words.text)) + 2, round(1.4 * size)
    strip = Image.new("RGB", (length, height), _PAPER)
    ImageDraw.Draw(strip).text((length / 2, size), words.text, font=font, fill=words.colour, anchor="ms")
    image.paste(strip.rotate(90, expand=True), (round(x - size), round(y - length / 2)))
