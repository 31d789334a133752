"""A model with LIME's masking inside: rows of bits go in, the target's probabilities come out.

On a GPU the canvas, what hides it and the labels of its pixels go over once; a row then costs K bytes of transfer
instead of a picture's 600 KB, and its answer one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from consensus_onnx.arrays import AnyArray, Float64Array, UInt8Array
from consensus_onnx.committee import Classifier, ModelFacts
from consensus_onnx.committee.classifier import whole_pieces
from consensus_onnx.errors import ModelError
from consensus_onnx.explainers.masking import Masking
from consensus_onnx.runtime import on_device, open_session
from consensus_onnx.runtime.text import first_line

_PREFIX = "lime/"
ROWS = f"{_PREFIX}rows"
LABELS = f"{_PREFIX}labels"
SHOWN = f"{_PREFIX}shown"
HIDDEN = f"{_PREFIX}hidden"
OUTPUT = f"{_PREFIX}output"
ANSWER = f"{_PREFIX}answer"

_FIRST_OPSET = 9  # Where came with it
_FEWEST = 2  # as for every pass: a picture alone takes another path through some operators


def can_mask_inside(classifier: Classifier) -> bool:
    """Whether a member's graph can take the masking in: any number of pictures at once, and operators for it."""
    return classifier.facts.input.batch == 0 and classifier.facts.opset >= _FIRST_OPSET


def masked_model(model: ModelProto, facts: ModelFacts) -> ModelProto:
    """Return a model that masks its own input.

    Parameters
    ----------
    model : ModelProto
        A classifier with a symbolic batch.
    facts : ModelFacts
        Its input and output.

    Returns
    -------
    ModelProto
        Inputs: "lime/rows" uint8 (B, K), 1 where a superpixel is kept; "lime/labels" int32 (n,), the superpixel of each
        pixel (NCHW) or number (NHWC); "lime/shown" and "lime/hidden" (planes, n), the picture and what hides it, in the
        model's own numbers; "lime/output" int64 (), which of the model's outputs. Output: "lime/answer" float64 (B,),
        the probability of that output.
    """
    masked = ModelProto()
    masked.CopyFrom(model)
    graph = masked.graph
    height, width = facts.input.size
    chosen = next(value for value in graph.input if value.name == facts.input.name)
    kind = chosen.type.tensor_type.elem_type
    if facts.input.layout == "NCHW":
        planes, numbers, picture = facts.input.channels, height * width, [-1, facts.input.channels, height, width]
    else:
        planes, numbers, picture = 1, height * width * facts.input.channels, [-1, height, width, facts.input.channels]
    inside = [
        helper.make_node("Gather", [ROWS, LABELS], [f"{_PREFIX}bits"], axis=1),
        helper.make_node("Cast", [f"{_PREFIX}bits"], [f"{_PREFIX}kept"], to=TensorProto.BOOL),
        helper.make_node("Reshape", [f"{_PREFIX}kept", f"{_PREFIX}one_plane"], [f"{_PREFIX}kept_on_planes"]),
        helper.make_node("Where", [f"{_PREFIX}kept_on_planes", SHOWN, HIDDEN], [f"{_PREFIX}planes"]),
        helper.make_node("Reshape", [f"{_PREFIX}planes", f"{_PREFIX}picture"], [facts.input.name]),
    ]
    answer = [
        helper.make_node("Reshape", [facts.output.name, f"{_PREFIX}flat"], [f"{_PREFIX}flat_outputs"]),
        helper.make_node("Cast", [f"{_PREFIX}flat_outputs"], [f"{_PREFIX}outputs"], to=TensorProto.DOUBLE),
    ]
    probabilities = f"{_PREFIX}outputs"
    if facts.output.kind == "logits":
        probabilities = f"{_PREFIX}probabilities"
        answer.append(helper.make_node("Softmax", [f"{_PREFIX}outputs"], [probabilities], axis=1))
    answer.append(helper.make_node("Gather", [probabilities, OUTPUT], [ANSWER], axis=1))
    nodes = [*inside, *graph.node, *answer]
    del graph.node[:]
    graph.node.extend(nodes)
    for name, shape in (
        ("one_plane", [-1, 1, numbers]),
        ("picture", picture),
        ("flat", [-1, facts.output.width]),
    ):
        graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), f"{_PREFIX}{name}"))
    graph.input.remove(chosen)
    graph.input.extend(
        helper.make_tensor_value_info(name, element, shape)
        for name, element, shape in (
            (ROWS, TensorProto.UINT8, ["rows", "superpixels"]),
            (LABELS, TensorProto.INT32, [numbers]),
            (SHOWN, kind, [planes, numbers]),
            (HIDDEN, kind, [planes, numbers]),
            (OUTPUT, TensorProto.INT64, []),
        )
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(ANSWER, TensorProto.DOUBLE, ["rows"]))
    return masked


@dataclass(frozen=True)
class MaskedSession:
    """An open session that masks its own input."""

    classifier: Classifier
    session: Any

    def probabilities(self, masking: Masking, rows: UInt8Array, target: int) -> Float64Array:
        """Return the probability of a common class for every row, float64 (P,).

        Passes become smaller where there is not the memory; the answers are the same.

        Raises
        ------
        ModelError
            If the run fails, or answers NaN or infinity.
        """
        path = self.classifier.member.path
        try:
            found = self.classifier.ceiling.run(
                self.classifier.batch, _FEWEST, lambda size: self._in_passes_of(size, masking, rows, target)
            )
        except Exception as error:  # the runtime's own classes, MemoryError, ValueError alike
            raise ModelError(f"{path}: fails while running: {first_line(error)}") from error
        if not np.isfinite(found).all():
            raise ModelError(f"{path}: answers NaN or infinity; the model or its preprocessing is broken")
        return found

    def _in_passes_of(self, size: int, masking: Masking, rows: UInt8Array, target: int) -> Float64Array:
        binding = self.session.io_binding()
        output = np.array(self.classifier.facts.output.class_offset + target, np.int64)
        kept: dict[str, AnyArray] = {
            LABELS: masking.labels,
            SHOWN: masking.shown,
            HIDDEN: masking.hidden,
            OUTPUT: output,
        }
        there = {name: on_device(array, self.classifier.provider) for name, array in kept.items()}
        for name, value in there.items():
            binding.bind_ortvalue_input(name, value)
        found = []
        for piece in whole_pieces(rows, size):
            binding.bind_cpu_input(ROWS, np.ascontiguousarray(piece))
            binding.bind_output(ANSWER, "cpu")
            self.session.run_with_iobinding(binding)
            found.append(np.array(binding.copy_outputs_to_cpu()[0]))
        answers: Float64Array = np.concatenate(found)[: len(rows)]
        return answers


def masked_session(classifier: Classifier) -> MaskedSession:
    """Open a classifier's graph with the masking inside; made once per classifier and kept with it.

    Raises
    ------
    ModelError
        If ONNX Runtime cannot load it.
    """
    return classifier.derived(
        "masked_graph",
        lambda: MaskedSession(
            classifier, open_session(masked_model(classifier.load(), classifier.facts), classifier.runtime)
        ),
    )
