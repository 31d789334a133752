"""Numbers to compare gradients with: every partial derivative by central differences in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.float64 import run_in_float64
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import RuntimeSettings, open_session

STEP = 1e-6
# ONNX Runtime 1.31 loads models up to this opset; later versions are run by the reference evaluator only.
NEWEST_OPSET = 26


@dataclass(frozen=True)
class Case:
    """One node, its inputs, and by which of them it is differentiated."""

    op: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] = (0,)
    outputs: int = 1
    versions: tuple[int, ...] | None = None
    batch: bool = True
    domain: str = ""
    note: str = ""
    # False: ONNX's reference evaluator lacks or miscomputes the node; ONNX Runtime in float32 gives the differences.
    exact: bool = True

    @property
    def label(self) -> str:
        shown = ",".join(f"{key}={value}" for key, value in self.attributes.items() if not isinstance(value, bytes))
        return f"{self.op}[{shown}{' ' if shown and self.note else ''}{self.note}]"


def single_node_model(case: Case, opset: int, wrt: int, *, symbolic: bool) -> ModelProto:
    """Return the case as a model whose only input is the differentiated one."""
    names, initialisers, inputs = [], [], []
    for position, value in enumerate(case.inputs):
        if value is None:
            names.append("")
            continue
        name = f"x{position}"
        names.append(name)
        array = np.asarray(value)
        if position == wrt:
            shape = list(array.shape)
            if symbolic and shape:
                shape[0] = "N"
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        else:
            kept = array.astype(np.float32) if array.dtype == np.float64 else array
            initialisers.append(numpy_helper.from_array(kept, name))
    outputs = [f"y{position}" for position in range(case.outputs)]
    node = helper.make_node(case.op, names, outputs, name="tested", domain=case.domain, **case.attributes)
    made = [helper.make_empty_tensor_value_info("y0")]
    graph = helper.make_graph([node], "case", inputs, made, initialisers)
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(case.domain, 1)] if case.domain else [])
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    model.graph.output[0].CopyFrom(inferred.graph.output[0])
    if not model.graph.output[0].type.tensor_type.HasField("elem_type"):
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def directions(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return what to move along: every entry of a small tensor, a dozen entries of a larger one and three mixtures."""
    rng = np.random.default_rng(11)
    size = int(np.prod(shape))
    single = np.eye(size)[np.arange(size) if size <= 24 else rng.choice(size, 12, replace=False)]
    ways = [*single, *rng.standard_normal((0 if size <= 24 else 3, size))]
    return [way.reshape(shape) for way in ways]


def forward(model: ModelProto, *, exact: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return a model as a function from its input to its output, in float64 or as ONNX Runtime computes it."""
    name = model.graph.input[0].name
    if exact:
        run = run_in_float64(model)
        return lambda x: run({name: x})["y0"]
    session = open_session(model, RuntimeSettings(threads=1))
    return lambda x: session.run(["y0"], {name: x.astype(np.float32)})[0].astype(np.float64)


def differences(run: Callable[[np.ndarray], np.ndarray], x: np.ndarray, weights: np.ndarray, step: float) -> np.ndarray:
    """Return the derivative of the weighted sum of the output along each direction."""

    def loss(point: np.ndarray) -> float:
        return float((run(point) * weights).sum())

    wide = x.astype(np.float64)
    return np.asarray([(loss(wide + step * way) - loss(wide - step * way)) / (2 * step) for way in directions(x.shape)])


def compare(case: Case, opset: int, wrt: int, *, symbolic: bool, lowering: str = "cpu") -> None:
    """Assert that the gradient model agrees with the differences, run by ONNX Runtime where it knows the opset."""
    model = single_node_model(case, opset, wrt, symbolic=symbolic)
    x = np.asarray(case.inputs[wrt], np.float32)
    run = forward(model, exact=case.exact)
    reference = run(x)
    weights = np.random.default_rng(7).standard_normal(reference.shape)
    expected = differences(run, x, weights, STEP if case.exact else 5e-3)
    gradient = gradient_model(model, output="y0", wrt=f"x{wrt}", lowering=lowering)
    onnx.shape_inference.infer_shapes(gradient, strict_mode=True, check_type=True, data_prop=True)
    assert {node.domain for node in gradient.graph.node} <= {""}, "only standard operators"
    kind = helper.tensor_dtype_to_np_dtype(gradient.graph.input[-1].type.tensor_type.elem_type)
    feeds = {f"x{wrt}": x, SEED: weights.astype(kind)}
    result = f"grad/x{wrt}"
    if opset <= NEWEST_OPSET:
        session = open_session(gradient, RuntimeSettings(threads=1))
        value, got = session.run(["y0", result], feeds)
        np.testing.assert_allclose(
            value, reference, atol=1e-4, err_msg=f"{case.label}: the reference disagrees with ORT"
        )
    else:
        got = run_in_float64(gradient)(feeds)[result]
    assert got.shape == x.shape
    along = np.asarray([(got * way).sum() for way in directions(x.shape)])
    scale = max(float(np.abs(expected).max()), 1e-2)
    np.testing.assert_allclose(along / scale, expected / scale, atol=5e-5 if case.exact else 3e-3, err_msg=case.label)
