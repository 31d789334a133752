"""Plots as PDF, read back by pypdf: text where it belongs, the page's size, the same bytes each time."""

from __future__ import annotations

import io
import zlib

import pypdf
import pytest

from consensus_onnx.report.figures import standalone_svg
from consensus_onnx.report.pdf import pdf_document
from consensus_onnx.report.scatter import Point, lay_out
from consensus_onnx.report.shapes import Area, Disc, Drawing, Line, Words, read_svg

BLACK = (0, 0, 0)


def _page(drawing: Drawing) -> pypdf.PageObject:
    return pypdf.PdfReader(io.BytesIO(pdf_document(drawing)), strict=True).pages[0]


def _painted(drawing: Drawing) -> str:
    return _page(drawing).get_contents().get_data().decode("latin-1")  # type: ignore[union-attr]


def test_a_plot_is_one_page_of_its_size_with_its_names() -> None:
    points = [Point(f"model_{i} (x{i})", float(i), float(i * i), i, i, "") for i in range(3)]
    plot = lay_out(points, "text", ("accuracy", "number"), ("score", "number"), fitted=True)
    drawing = read_svg(standalone_svg(plot))
    page = _page(drawing)
    assert [float(edge) for edge in page.mediabox] == pytest.approx([0, 0, 0.75 * plot.width, 0.75 * plot.height])
    text = page.extract_text()
    for name in ("model_0 (x0)", "model_1 (x1)", "model_2 (x2)", "accuracy", "score"):
        assert name in text
    assert pdf_document(drawing) == pdf_document(drawing)


def test_words_stand_where_their_anchor_says() -> None:
    words = [Words("iii", 100.0, 50.0, 10.0, BLACK, anchor, False) for anchor in ("start", "middle", "end")]  # type: ignore[arg-type]
    found: list[tuple[float, float]] = []

    def visit(text: str, _user: object, matrix: list[float], _font: object, _size: float) -> None:
        if text.strip():
            found.append((matrix[4], matrix[5]))

    _page(Drawing(200, 100, tuple(words))).extract_text(visitor_text=visit)
    long = 3 * 0.222 * 10  # Helvetica's i is 222 thousandths wide
    assert [x for x, _ in found] == pytest.approx([100, 100 - long / 2, 100 - long], abs=0.01)


@pytest.mark.parametrize(
    ("shape", "operators"),
    [
        (Line(((0, 0), (10, 5)), (255, 0, 0), 2.0, None), "1 0 0 RG 2 w [] 0 d 0 0 m 10 5 l S"),
        (Line(((0, 0), (10, 5)), BLACK, 1.0, (5, 4)), "0 0 0 RG 1 w [5 4] 0 d 0 0 m 10 5 l S"),
        (Area(((0, 0), (4, 0), (4, 4)), (0, 255, 0)), "0 1 0 rg 0 0 m 4 0 l 4 4 l f"),
        (Words("a(b\\c)", 1, 2, 10, BLACK, "start", False), "(a\\(b\\\\c\\)) Tj"),
        (Words("\u2192", 1, 2, 10, BLACK, "start", False), "(?) Tj"),
        (Words("up", 20, 40, 10, BLACK, "start", True), "0 -1 -1 0 20 40 Tm"),
    ],
)
def test_shapes_as_operators(shape: Line | Area | Words, operators: str) -> None:
    assert operators in _painted(Drawing(50, 50, (shape,)))


def test_a_disc_touches_its_four_ends_and_is_round() -> None:
    painted = _painted(Drawing(50, 50, (Disc(20, 30, 10, (0, 0, 255), None, 1),)))
    line = painted.splitlines()[-1]
    assert line.startswith("0 0 1 rg 30 30 m ")
    assert line.endswith("h f")
    numbers = [float(word) for word in line.partition(" m ")[2].replace("c", "").split()[:-2]]
    curves = [numbers[start : start + 6] for start in range(0, 24, 6)]
    start = (30.0, 30.0)
    for curve in curves:
        places = [start, *zip(curve[::2], curve[1::2], strict=True)]
        x, y = (
            sum(share * place[axis] for share, place in zip((1, 3, 3, 1), places, strict=True)) / 8 for axis in (0, 1)
        )
        assert ((x - 20) ** 2 + (y - 30) ** 2) ** 0.5 == pytest.approx(10, abs=0.01)
        start = places[-1]
    assert start == (30, 30)


def test_the_reader_would_notice_a_wrong_table() -> None:
    data = pdf_document(Drawing(10, 10, (Area(((0, 0), (4, 0), (4, 4)), BLACK),)))
    with pytest.raises((pypdf.errors.PdfReadError, zlib.error, ValueError, KeyError)):
        pypdf.PdfReader(io.BytesIO(data[:60] + data[70:]), strict=True).pages[0].get_contents().get_data()  # type: ignore[union-attr]
