"""A good member again, with fewer bits: what deployment does to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from consensus_onnx.runtime import open_session
from consensus_onnx_zoo.training.data import Labels, Pictures
from consensus_onnx_zoo.training.fit import as_input

ORIGINAL = "resnet"
_BATCH = 50


@dataclass(frozen=True)
class Twin:
    """A member made from `ORIGINAL`.

    Attributes
    ----------
    name : str
        Of the member.
    make : function
        From the original's file and calibration pictures to the twin.
    """

    name: str
    make: Callable[[Path, Pictures], onnx.ModelProto]


class _Calibration(CalibrationDataReader):
    def __init__(self, pictures: Pictures) -> None:
        starts = range(0, len(pictures), _BATCH)
        self._batches = iter([_input(pictures[start : start + _BATCH]) for start in starts])

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"input": batch}


def int8(original: Path, pictures: Pictures) -> onnx.ModelProto:
    """Return the member quantised to int8 with QuantizeLinear and DequantizeLinear pairs, weights per channel."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "int8.onnx"
        quantize_static(
            original,
            file,
            _Calibration(pictures),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
        return onnx.load(file)


def float16(original: Path, pictures: Pictures) -> onnx.ModelProto:
    """Return the member with float16 weights, input and output."""
    model: onnx.ModelProto = convert_float_to_float16(onnx.load(original), keep_io_types=False)
    return model


TWINS = (Twin(f"{ORIGINAL}-int8", int8), Twin(f"{ORIGINAL}-float16", float16))


def measured(model: onnx.ModelProto, pictures: Pictures, labels: Labels) -> float:
    """Return a twin's accuracy, by ONNX Runtime."""
    session = open_session(model)
    kind = model.graph.input[0].type.tensor_type.elem_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    right = 0
    for start in range(0, len(pictures), _BATCH):
        batch = _input(pictures[start : start + _BATCH]).astype(dtype)
        answers = session.run(None, {"input": batch})[0]
        right += int((answers.argmax(axis=1) == labels[start : start + _BATCH]).sum())
    return right / len(pictures)


def _input(pictures: Pictures) -> np.ndarray:
    batch: np.ndarray = np.ascontiguousarray(as_input(pictures, pictures.shape[1]).numpy())
    return batch
