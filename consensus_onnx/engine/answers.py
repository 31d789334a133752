"""What a worker may answer: its word is checked here, field by field, before the run takes it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from consensus_onnx.arrays import AnyArray, Float32Array
from consensus_onnx.committee import ModelFacts
from consensus_onnx.committee.pacing import Paces
from consensus_onnx.engine.pace_memory import paces_from
from consensus_onnx.engine.supervisor import WorkerError
from consensus_onnx.engine.wire import Message
from consensus_onnx.explainers import Explainer
from consensus_onnx.images import canvas_digest
from consensus_onnx.runtime.text import printable


def facts_in(answer: Message) -> tuple[ModelFacts, str]:
    """Return facts and provider of a member that was opened.

    Raises
    ------
    WorkerError
        If they are not all there; so do the other functions of this file.
    """
    try:
        return ModelFacts.from_json(answer.header["facts"]), str(answer.header["provider"])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerError("bad_output", f"its opening is incomplete: {error}") from error


def probabilities_in(answer: Message, images: int, classes: int) -> Float32Array:
    """Return the probabilities (I, L) of some images."""
    return _array(answer, "probabilities", np.float32, (images, classes))


def explanation_in(
    answer: Message, explainer: Explainer, superpixels: int | None
) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Return numbers and arrays of an explanation, of so many superpixels or, with None, of pixels."""
    shape: tuple[int | str, ...] = ("h", "w") if superpixels is None else (superpixels,)
    values = answer.arrays.get("values")
    if superpixels is None and values is not None and values.ndim == 2 and values.size > 0:
        shape = values.shape
    dtype = np.float32 if explainer.kind == "pixel" else np.float64
    what = f"its {explainer.name} explanation: "
    arrays = {
        "values": _array(answer, "values", dtype, shape, what),
        # An error that is not known is NaN.
        "standard_error": _array(answer, "standard_error", dtype, shape, what, finite=False),
    }
    numbers = {
        "target": _number(answer, "target", (int,), what),
        "predicted": _number(answer, "predicted", (int,), what),
        "probability": _number(answer, "probability", (int, float), what),
        "samples": _number(answer, "samples", (int,), what),
        "split_half": _number(answer, "split_half", (int, float, type(None)), what),
        "r2": _number(answer, "r2", (int, float, type(None)), what),
    }
    return numbers, arrays


def paces_in(answer: Message) -> Paces:
    """Return how a member's passes were found to be quickest, by the worker that explained with it."""
    try:
        return paces_from(answer.header["paces"])
    except (KeyError, ValueError) as error:
        raise WorkerError("bad_output", f"its way to make passes is not told: {printable(str(error))}") from error


def image_in(
    answer: Message, side: int, segmented: Iterable[str], mask: bool
) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Return digest and superpixel counts, and the arrays, of a picture on a square canvas."""
    shape = (side, side)
    arrays: dict[str, AnyArray] = {"canvas": _array(answer, "canvas", np.uint8, (*shape, 3))}
    if mask:
        arrays["mask"] = _array(answer, "mask", np.bool_, shape)
    counts: dict[str, int] = {}
    for name in segmented:
        labels = _array(answer, f"segments/{name}", np.uint16, shape)
        arrays[f"segments/{name}"] = labels
        counts[name] = int(labels.max()) + 1
    return {"digest": canvas_digest(arrays["canvas"]), "superpixels": counts}, arrays


@dataclass(frozen=True)
class Trouble:
    """What a worker says went wrong.

    Attributes
    ----------
    kind : str
        'unsupported' for an operator without a rule, 'rejected' for a file that was refused, 'oom' where memory ran
        out, 'error' for all else.
    text : str
        In words, printable.
    """

    kind: Literal["unsupported", "rejected", "oom", "error"]
    text: str


def trouble_in(answer: Message) -> Trouble | None:
    """Return what the worker says went wrong, None if nothing."""
    error = answer.header.get("error")
    match error:
        case None:
            return None
        case {"kind": "unsupported" | "rejected" | "oom" | "error" as kind, "text": str(text)}:
            return Trouble(kind, printable(text, 2000))
    raise WorkerError("bad_output", f"it tells of an error without saying which: {printable(str(error))}")


def containment_in(opening: Message) -> dict[str, str]:
    """Return what a worker says it was kept from, by what it was."""
    match opening.header.get("contained"):
        case dict(report) if all(
            isinstance(word, str) and word.isprintable() for item in report.items() for word in item
        ):
            return {name[:40]: word[:40] for name, word in report.items()}
    return {}


def _array(
    answer: Message,
    name: str,
    dtype: npt.DTypeLike,
    shape: tuple[int | str, ...],
    what: str = "",
    *,
    finite: bool = True,
) -> AnyArray:
    array = answer.arrays.get(name)
    wanted = f"{np.dtype(dtype)} ({', '.join(map(str, shape))})"
    if array is None or array.dtype != dtype or array.shape != shape:
        got = "nothing" if array is None else f"{array.dtype} {array.shape}"
        raise WorkerError("bad_output", f"{what}{name} must be {wanted}, got {got}")
    if finite and not np.isfinite(array).all():
        raise WorkerError("bad_output", f"{what}{name} holds NaN or infinity")
    return array


def _number(answer: Message, name: str, kinds: tuple[type, ...], what: str) -> Any:
    value = answer.header.get(name)
    if type(value) not in kinds or (value is not None and not math.isfinite(value)):
        raise WorkerError("bad_output", f"{what}{name} must be a number, got {value!r:.40}")
    return value
