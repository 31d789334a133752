"""What a model answers: its class output, logits or probabilities, and its place in the common label space."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from consensus_onnx.arrays import Float64Array
from consensus_onnx.committee.declaration import OutputKind
from consensus_onnx.committee.facts import OutputFacts
from consensus_onnx.committee.sheet import Sheet, describe

_SUM_TOLERANCE = 1e-3  # float16 rows of 1000 probabilities sum to 1 within about 3e-4


def choose_output(sheet: Sheet, model: ModelProto) -> str:
    """Return the name of the output that holds the classes.

    Raises
    ------
    ModelError
        If there are several and none is declared, or the declared one does not exist.
    """
    outputs = list(model.graph.output)
    listing = ", ".join(describe(value) for value in outputs)
    name: str | None = sheet.take("output.name")
    if name is not None:
        if all(value.name != name for value in outputs):
            raise sheet.error(f"has no output {name!r}; its outputs: {listing}")
        return name
    if len(outputs) != 1:
        raise sheet.error(f"has {len(outputs)} outputs: {listing}; declare output.name in committee.yaml")
    return str(outputs[0].name)


def resolve_output(sheet: Sheet, name: str, rows: Float64Array, classes: int | None) -> OutputFacts:
    """Settle kind and label space from what the model answered to a few probe pictures.

    Parameters
    ----------
    sheet : Sheet
        What is declared.
    name : str
        The chosen output.
    rows : float64 (B, L)
        Its answers.
    classes : int, optional
        The common label space, where the committee declares it.

    Raises
    ------
    ModelError
        If the outputs are too few, or more than the common classes without a declared offset that explains it.
    """
    width = rows.shape[1]
    if width < 2:
        raise sheet.error(f"output {name!r} has {width} number per picture, expected one per class")
    offset: int | None = sheet.take("output.class_offset")
    if offset is None:
        background = classes is not None and width == classes + 1
        if background:
            sheet.notices.append(
                f"{width} outputs for {classes} classes: output 0 taken for 'background' (class_offset 1)"
            )
        offset = sheet.settle("output.class_offset", int(background), "convention")
    common = width - offset if classes is None else classes
    if common < 2 or offset + common != width:
        raise sheet.error(
            f"has {width} outputs with class_offset {offset}, but the committee has {common} classes; "
            "declare output.class_offset in committee.yaml, or leave the model out"
        )
    return OutputFacts(name, _kind(sheet, rows), width, offset, common)


def _kind(sheet: Sheet, rows: Float64Array) -> OutputKind:
    declared: OutputKind | None = sheet.take("output.kind")
    sums_to_one = bool(np.all(rows >= 0) and np.all(np.abs(rows.sum(axis=1) - 1) < _SUM_TOLERANCE))
    measured: OutputKind = "probabilities" if sums_to_one else "logits"
    if declared is None:
        return sheet.settle("output.kind", measured, "measured")
    if declared != measured:
        sums = f"{rows.sum(axis=1).min():.3g} to {rows.sum(axis=1).max():.3g}"
        sheet.notices.append(
            f"output.kind is declared {declared}, but it looks like {measured} (its rows sum to {sums})"
        )
    return declared
