"""The plots of figures.py as PDF: one page of vectors, as journals take them.

Written out here, after PDF 1.4 (ISO 32000-1): a page of lines, circles and words needs none of a library's fonts or
images. Text is Helvetica, one of the fourteen fonts that every reader has; what it lacks becomes a question mark.
"""

from __future__ import annotations

import zlib

from consensus_onnx.report.shapes import Area, Colour, Disc, Drawing, Line, Places, Shape, Words

_POINTS = 0.75  # of a unit: 72 to the inch where the drawing has 96
_ROUND = 0.5523  # length of a Bezier's handle that draws a quarter of a circle, 4 (sqrt(2) - 1) / 3
_OTHERS = 556  # width of characters beyond ASCII; most letters have it
# Widths of Helvetica's characters from space to tilde in thousandths of the size, from Adobe's font metrics.
_WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)


def pdf_document(drawing: Drawing) -> bytes:
    """Return a PDF of one page with the drawing; the same drawing gives the same bytes."""
    width, height = drawing.width * _POINTS, drawing.height * _POINTS
    upside = f"{_POINTS} 0 0 -{_POINTS} 0 {_number(height)} cm 1 j"  # PDF counts upwards
    painted = "\n".join([upside, *map(_operators, drawing.shapes)])
    content = zlib.compress(painted.encode("latin-1"), 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {_number(width)} {_number(height)}]/Contents 4 0 R"
        "/Resources<</Font<</F 5 0 R>>>>>>".encode(),
        f"<</Length {len(content)}/Filter/FlateDecode>>\nstream\n".encode() + content + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    return _file(objects)


def _file(objects: list[bytes]) -> bytes:
    """Return the objects, numbered from 1, with the table of where each begins."""
    written, starts = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, start=1):
        starts.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    count = len(objects) + 1
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(written))
    return written + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + trailer


def _operators(shape: Shape) -> str:
    match shape:
        case Line(places, colour, width, dashes):
            pattern = f"[{_number(dashes[0])} {_number(dashes[1])}]" if dashes else "[]"
            return f"{_ink(colour, 'RG')} {_number(width)} w {pattern} 0 d {_way(places)} S"
        case Area(places, fill):
            return f"{_ink(fill, 'rg')} {_way(places)} f"
        case Disc():
            return _disc(shape)
        case Words():
            return _words(shape)


def _disc(disc: Disc) -> str:
    x, y, r, h = disc.x, disc.y, disc.radius, disc.radius * _ROUND
    quarters = (
        ((x + r, y + h), (x + h, y + r), (x, y + r)),
        ((x - h, y + r), (x - r, y + h), (x - r, y)),
        ((x - r, y - h), (x - h, y - r), (x, y - r)),
        ((x + h, y - r), (x + r, y - h), (x + r, y)),
    )
    curves = " ".join(" ".join(_place(place) for place in quarter) + " c" for quarter in quarters)
    way = f"{_place((x + r, y))} m {curves} h"
    edge = f"{_ink(disc.edge, 'RG')} {_number(disc.width)} w [] 0 d" if disc.edge else ""
    fill = _ink(disc.fill, "rg") if disc.fill else ""
    operator = "B" if fill and edge else "f" if fill else "S"
    return " ".join(part for part in (fill, edge, way, operator) if part)


def _words(words: Words) -> str:
    data = words.text.encode("cp1252", "replace")
    back = {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor] * _length(data, words.size)
    if words.upwards:
        matrix = f"0 -1 -1 0 {_place((words.x, words.y + back))}"
    else:
        matrix = f"1 0 0 -1 {_place((words.x - back, words.y))}"
    escaped = data.decode("latin-1").replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT {_ink(words.colour, 'rg')} /F {_number(words.size)} Tf {matrix} Tm ({escaped}) Tj ET"


def _length(data: bytes, size: float) -> float:
    """Return how long a text is in units of the drawing."""
    widths = [int(width) for width in _WIDTHS.split()]
    return size / 1000 * sum(widths[byte - 32] if 32 <= byte < 127 else _OTHERS for byte in data)


def _way(places: Places) -> str:
    first, *others = places
    return " ".join([f"{_place(first)} m", *(f"{_place(place)} l" for place in others)])


def _place(place: tuple[float, float]) -> str:
    return f"{_number(place[0])} {_number(place[1])}"


def _ink(colour: Colour, operator: str) -> str:
    return " ".join(_number(part / 255) for part in colour) + f" {operator}"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
