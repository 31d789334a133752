"""The report: a finished run as one HTML file that works offline."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from consensus_onnx.engine.folder import write_text
from consensus_onnx.engine.run import Run
from consensus_onnx.engine.seal import REPORT_FILE, seal_report
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.section import ReportOptions
from consensus_onnx.report.sections import SECTIONS
from consensus_onnx.report.templating import environment


def write_report(
    run: Run,
    path: Path | None = None,
    *,
    images: int = 8,
    external: Mapping[str, Mapping[str, float]] | None = None,
) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    run : Run
        A finished run.
    path : Path, optional
        The HTML file, replaced if it exists; default report.html in the run's folder.
    images : int
        How many images are shown with all explanations; 18 members and two explainers take about 300 kB an image.
    external : mapping of str to (mapping of str to float), optional
        Scores from elsewhere by member, by the name of their source; compared by rank.

    Returns
    -------
    Path
        The file. It is the same, byte for byte, for the same run and versions.

    Raises
    ------
    ValueError
        If `images` is negative.
    StoreError
        If the run's stored arrays are damaged, or the file cannot be written.

    Notes
    -----
    The page asks for nothing outside itself and forbids itself to: its content security policy allows pictures in
    data URIs, and the one style sheet and the one script whose digests it names.
    """
    if images < 0:
        raise ValueError(f"images: must be >= 0, got {images}")
    options = ReportOptions(images, external or {})
    experiments = Experiments(run)
    sections = [section for build in SECTIONS if (section := build(experiments, options)) is not None]
    here = Path(__file__).parent
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    page = environment().get_template("page.html")
    text = page.render(
        name=run.name,
        sections=sections,
        version=str(run.settings.get("versions", {}).get("consensus-onnx", "")),
        style=Markup(style),
        script=Markup(script),
        style_digest=Markup(digest_of(style)),
        script_digest=Markup(digest_of(script)),
    )
    target = run.path / REPORT_FILE if path is None else path
    write_text(target, text)
    if path is None:
        seal_report(run.path)
    return target


def digest_of(text: str) -> str:
    """Return what a content security policy calls a style sheet or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
