"""The frozen pictures, from the baseline or, frozen by reference, from the folder that holds their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from consensus_onnx.arrays import UInt8Array
from consensus_onnx.engine.events import Listener
from consensus_onnx.engine.failures import Failure
from consensus_onnx.engine.keys import file_digest
from consensus_onnx.engine.provenance import software_versions
from consensus_onnx.engine.questioning import decode_pictures
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import BaselineError, ConfigError, ImageError
from consensus_onnx.gate.baseline import Baseline
from consensus_onnx.images import Item, canvas_digest


def frozen_canvases(
    baseline: Baseline, folder: Path | None, scratch: Path, settings: AuditSettings, listen: Listener
) -> UInt8Array:
    """Return the canvases of a baseline.

    Parameters
    ----------
    baseline : Baseline
        Whose.
    folder : Path or None
        Where the files of pictures frozen by reference lie; not looked at where the baseline holds them itself.
    scratch : Path
        A new folder for the worker that decodes them.
    settings : AuditSettings
        Limits of that worker.
    listen : callable
        Is told `Event` objects.

    Returns
    -------
    uint8 (I, H, W, 3)
        Exactly what was frozen.

    Raises
    ------
    ConfigError, ImageError, BaselineError
        If they are not to be had, or are others than were frozen.
    """
    if baseline.canvases is not None:
        return baseline.canvases
    if folder is None:
        raise ConfigError("the baseline holds no pictures, only their digests: give their folder with --images")
    items = [Item(image.name, folder / image.name) for image in baseline.images]
    missing = [item.name for item in items if not item.path.is_file()]
    if missing:
        raise ImageError(
            f"{folder}: {len(missing)} of the baseline's {len(items)} pictures are missing, the first: {missing[0]}; "
            "give the folder that was audited with --images"
        )
    found = decode_pictures(scratch, items, settings, listen)
    canvases = []
    for item, image, canvas in zip(items, baseline.images, found, strict=True):
        if isinstance(canvas, Failure):
            raise ImageError(f"{item.path}: {canvas.reason}")
        if canvas_digest(canvas) != image.canvas_digest:
            raise BaselineError(_why_other(baseline, item, image.file_digest))
        canvases.append(canvas)
    return np.stack(canvases)


def _why_other(baseline: Baseline, item: Item, digest: str) -> str:
    if file_digest(item.path) != digest:
        return f"{item.path}: is another file than the one that was frozen (its digest differs); restore the picture"
    before, now = baseline.versions.get("pillow", "unknown"), software_versions().get("pillow", "unknown")
    return (
        f"{item.path}: the same file decodes to another canvas than was frozen (pillow {before} then, {now} now); "
        "freeze the run again, with its pictures inside"
    )
