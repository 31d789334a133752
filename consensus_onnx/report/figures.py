"""The report's plots as files of their own, as the paper shows them: SVG, PDF and PNG; explanations as PNG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from consensus_onnx.engine.folder import write_bytes, write_text
from consensus_onnx.errors import StoreError
from consensus_onnx.report.choosing import choose_images
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.explanation_row import write_figure
from consensus_onnx.report.heatmap import Heatmap
from consensus_onnx.report.lines import Lines
from consensus_onnx.report.painting import paint
from consensus_onnx.report.pdf import pdf_document
from consensus_onnx.report.scatter import Scatter
from consensus_onnx.report.section import ReportOptions
from consensus_onnx.report.sections import accuracy, committees, explainers, objects, structure
from consensus_onnx.report.shapes import read_svg
from consensus_onnx.report.templating import environment

_TEMPLATES = {Scatter: "scatter.html", Lines: "lines.html", Heatmap: "heatmap.html"}


def write_figures(experiments: Experiments, folder: Path, *, images: int = 3) -> list[Path]:
    """Write every plot of the report as SVG, PDF and PNG, and a few images with their explanations as PNG.

    Parameters
    ----------
    experiments : Experiments
        Of a finished run.
    folder : Path
        Made if it is missing; files of the same names are replaced.
    images : int
        Images whose explanations are drawn, from the most to the least agreed on.

    Returns
    -------
    list of Path
        The files, in the order of the paper's figures.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from error
    written = []
    for number, image in enumerate(choose_images(experiments.run, images), start=1):
        written.append(write_figure(experiments.run, folder / f"explanations_{number}.png", image))
    for name, plot in _plots(experiments):
        drawn = standalone_svg(plot)
        write_text(folder / f"{name}.svg", drawn)
        drawing = read_svg(drawn)
        write_bytes(folder / f"{name}.pdf", pdf_document(drawing))
        _save(paint(drawing), folder / f"{name}.png")
        written += [folder / f"{name}.{kind}" for kind in ("svg", "pdf", "png")]
    return written


def _save(image: Image.Image, target: Path) -> None:
    try:
        image.save(target, optimize=True)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error}); free space or choose another --out") from error


def standalone_svg(plot: Scatter | Lines | Heatmap) -> str:
    """Return a plot as a whole SVG document, in the colours of the light page."""
    page = environment().from_string(f"{{% import '{_TEMPLATES[type(plot)]}' as plots %}}{{{{ plots.draw(plot) }}}}")
    found = re.search(r"<svg (.*?)>(.*)</svg>", page.render(plot=plot), re.DOTALL)
    assert found is not None, "the template draws one <svg>"
    style = (Path(__file__).parent / "figure.css").read_text(encoding="utf-8")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{plot.width:.0f}" height="{plot.height:.0f}" {found[1]}>\n'
        f'<style>{style}</style>\n<rect class="paper" width="100%" height="100%"/>{found[2]}</svg>\n'
    )


def _plots(experiments: Experiments) -> Iterator[tuple[str, Scatter | Lines | Heatmap]]:
    """Yield the plots with the names of their files."""
    options = ReportOptions()
    if (section := objects.build(experiments, options)) is not None:
        for panel in section.content.panels:
            number = "fig4" if "accuracy" in panel.title else "fig8"
            yield f"{number}_{_file_name(panel.title)}", panel.scatter
    if (section := accuracy.build(experiments, options)) is not None:
        for panel in section.content.panels:
            yield f"fig5_accuracy_{_file_name(panel.title)}", panel.scatter
    if (section := explainers.build(experiments, options)) is not None:
        for pair in section.content.pairs:
            yield f"fig5_{_file_name(pair.title)}", pair.scatter
    if (section := committees.build(experiments, options)) is not None:
        for part in section.content.growth:
            for heading, plot in part.plots:
                yield f"fig6_{_file_name(part.title)}_{'mask_ap' if 'object' in heading else 'agreement'}", plot
        for family in section.content.families:
            yield f"fig9_{_file_name(family.title)}", family.scatter
    if (section := structure.build(experiments, options)) is not None:
        for matrix in section.content.matrices:
            yield f"similarity_{_file_name(matrix.title)}", matrix.plot


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60]
