"""Explanations as one picture: the photograph, the consensus, members by score; for READMEs, papers and slides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from consensus_onnx.arrays import AnyArray, UInt8Array
from consensus_onnx.engine.run import Run
from consensus_onnx.errors import StoreError
from consensus_onnx.report.overlays import explanation_overlay
from consensus_onnx.report.pictures import paler_grey
from consensus_onnx.report.standings import score_decimals, standings, title_of
from consensus_onnx.report.templating import clean, number

MEMBERS_SHOWN = 6
_CELL, _GAP, _BORDER = 224, 14, 24  # pixels; twice what they are on a page that is half as wide as the picture
_FONT_SIZE, _LINE = 20, 26
_INK, _SOFT, _PAPER = (27, 31, 36), (89, 98, 109), (255, 255, 255)


@dataclass(frozen=True)
class _Cell:
    picture: Image.Image
    title: str
    caption: str


def figure(run: Run, explainer: str, image: int | str, members: Sequence[str] | None = None) -> Image.Image:
    """Draw one image as one explainer sees it through the members: picture, consensus, members by score.

    Parameters
    ----------
    run : Run
        A finished run.
    explainer : str
        Name of the explainer.
    image : int or str
        Index or name of the image.
    members : sequence of str, optional
        Names of members; default six, spread evenly from the highest score on this image to the lowest.

    Returns
    -------
    Image
        RGB on white, 224 pixels a cell.

    Raises
    ------
    KeyError
        If there is no such explainer, image or member, or one of the members has no explanation.
    """
    column = run.image_index(image)
    canvas = run.canvas(column)
    segments = run.segments(explainer, column) if run.kind(explainer) == "superpixel" else None
    decimals = score_decimals(standings(run, explainer))
    scores = run.scores(explainer)[:, column]
    grey = paler_grey(canvas)
    cells = [
        _Cell(Image.fromarray(canvas), title_of(explainer), "picture"),
        _Cell(_under(run.consensus(explainer, column), segments, grey), "Consensus", "of all members"),
    ]
    for index in _chosen(run, scores, members):
        values = run.explanation(explainer, index, column).values
        caption = number(float(scores[index]), decimals)
        cells.append(_Cell(_under(values, segments, grey), run.members[index].name, caption))
    return _row(cells)


def write_figure(
    run: Run,
    path: str | Path,
    image: int | str,
    *,
    explainers: Sequence[str] | None = None,
    members: Sequence[str] | None = None,
) -> Path:
    """Write the rows of several explainers, one below the other, as a picture.

    Parameters
    ----------
    run : Run
        A finished run.
    path : str or Path
        The file; its ending decides the format (.png, .webp, .jpg).
    image : int or str
        Index or name of the image.
    explainers : sequence of str, optional
        Names; default all of the run.
    members : sequence of str, optional
        As for `figure`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    KeyError
        As `figure`.
    StoreError
        If the file cannot be written.
    """
    rows = [figure(run, name, image, members) for name in (run.explainers if explainers is None else explainers)]
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), _PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    target = Path(path)
    try:
        sheet.save(target, optimize=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"{target}: cannot be written ({error}); give a path that ends in .png") from error
    return target


def _chosen(run: Run, scores: AnyArray, members: Sequence[str] | None) -> list[int]:
    """Return the members to draw, highest score first."""
    if members is not None:
        wanted = [run.member_index(name) for name in members]
    else:
        wanted = [index for index in range(len(scores)) if math.isfinite(scores[index])]
    ranked = sorted(wanted, key=lambda index: -scores[index] if math.isfinite(scores[index]) else math.inf)
    if members is not None or len(ranked) <= MEMBERS_SHOWN:
        return ranked
    return [ranked[place] for place in np.linspace(0, len(ranked) - 1, MEMBERS_SHOWN).round().astype(int)]


def _under(values: AnyArray, segments: AnyArray | None, grey: UInt8Array) -> Image.Image:
    """Lay an explanation over the grey picture."""
    below = Image.fromarray(grey).convert("RGBA")
    above = Image.fromarray(explanation_overlay(values, segments)).resize(below.size, Image.Resampling.BILINEAR)
    return Image.alpha_composite(below, above).convert("RGB")


def _row(cells: Sequence[_Cell]) -> Image.Image:
    text_height = 3 * _LINE
    width = 2 * _BORDER + len(cells) * (_CELL + _GAP) - _GAP
    row = Image.new("RGB", (width, _BORDER + _CELL + text_height + _BORDER // 2), _PAPER)
    draw = ImageDraw.Draw(row)
    for place, cell in enumerate(cells):
        left = _BORDER + place * (_CELL + _GAP)
        row.paste(cell.picture.resize((_CELL, _CELL), Image.Resampling.LANCZOS), (left, _BORDER))
        font = ImageFont.load_default(_FONT_SIZE)
        lines = [(line, _INK) for line in _two_lines(cell.title, font)] + [(cell.caption, _SOFT)]
        for number_of_line, (line, colour) in enumerate(lines):
            draw.text((left, _BORDER + _CELL + 7 + number_of_line * _LINE), line, font=font, fill=colour)
    return row


def _two_lines(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Break a name that is wider than a cell, after an underscore or hyphen if there is one; the rest is cut off."""
    whole = clean(text, 80)
    if font.getlength(whole) <= _CELL:
        return [whole]
    longest = next(end for end in range(len(whole), 0, -1) if font.getlength(whole[:end]) <= _CELL or end == 1)
    breaks = [place for place in range(1, longest + 1) if whole[place - 1] in "_- "]
    end = breaks[-1] if breaks else longest
    second = whole[end:]
    while font.getlength(second) > _CELL:
        second = second[:-2] + "…"
    return [whole[:end], second]
