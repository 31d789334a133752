"""Writing models of any size."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.graphs import LARGEST_MESSAGE, weight_bytes

# Smaller tensors stay inside: shapes and axes have to be readable without the other file.
_SMALLEST_OUTSIDE = 1_024


def save_model(model: ModelProto, path: Path, largest: int = LARGEST_MESSAGE) -> tuple[Path, ...]:
    """Write a model, its weights beside it where one file cannot hold them.

    Parameters
    ----------
    model : ModelProto
        The model; where weights go into another file, its tensors point there afterwards.
    path : Path
        The file. Weights go to the same name with ".data" appended.
    largest : int
        Bytes from which on weights are written beside it.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    ModelError
        If a file cannot be written.
    """
    beside = path.with_name(f"{path.name}.data")
    outside = weight_bytes(model) > largest
    try:
        if not outside:
            onnx.save(model, path)
            return (path,)
        beside.unlink(missing_ok=True)  # onnx would append
        onnx.save(model, path, save_as_external_data=True, location=beside.name, size_threshold=_SMALLEST_OUTSIDE)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    return path, beside
