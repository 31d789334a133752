"""Gradients against differences of the forward pass: the oracle that needs nothing but the model itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto, helper

from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.errors import GradientCheckError, ModelError
from consensus_onnx.gradients.float64 import run_in_float64
from consensus_onnx.gradients.graphs import LARGEST_MESSAGE, inputs_of, prune, reads, weight_bytes
from consensus_onnx.gradients.model import OF_KEY, SEED, WRT_KEY
from consensus_onnx.gradients.writer import PREFIX
from consensus_onnx.runtime import RuntimeSettings, open_session

# Steps as a share of the input's norm. In float64 they can be so small that networks of Relus are straight lines
# between them; two of them tell how far the differences can be believed.
_STEPS = (2e-8, 1e-8)
# Size of a symbolic axis that is not the batch, in feeds made here.
_SIDE = 64


@dataclass(frozen=True)
class GradientCheck:
    """Directional derivatives by differences and by the gradient.

    The first half of the directions are the gradient itself under random weights between 0 and 2, which decides small
    errors where it is large; the second half are noise, which shows where it is zero and should not be.

    Parameters
    ----------
    expected : ndarray of shape (D,), float64
        Derivative along each direction, by central differences of the forward pass in float64.
    got : ndarray of shape (D,), float64
        Derivative along each direction, by the gradient model.
    max_relative_error : float
        The largest |expected - got| of the first half, relative to the largest |expected| there.
    noise_error : float
        The same of the second half. One unit that float32 puts on the other side of a kink shows here (1e-3).
    resolution : float
        How far differences at two steps disagree, relative in the same way; smaller errors go unnoticed.
    output_error : float
        Largest difference between the outputs of the original in float32, the gradient model, and the forward pass in
        float64, relative to the largest output.
    """

    expected: Float64Array
    got: Float64Array
    max_relative_error: float
    noise_error: float
    resolution: float
    output_error: float

    def require(self, tolerance: float = 1e-3, *, noise_tolerance: float = 2e-2) -> None:
        """Raise unless gradient and outputs agree.

        Parameters
        ----------
        tolerance : float
            Largest relative error allowed, of the first half and of the outputs.
        noise_tolerance : float
            Largest relative error allowed of the second half.

        Raises
        ------
        GradientCheckError
            If they do not, with both numbers of the worst direction.
        """
        if not self.output_error <= tolerance:
            raise GradientCheckError(
                f"the gradient model computes other outputs than the model: relative error {self.output_error:.2g}, "
                f"allowed {tolerance:.2g}"
            )
        half = _half(self.expected)
        for error, allowed, part in (
            (self.max_relative_error, tolerance, slice(0, half)),
            (self.noise_error, noise_tolerance, slice(half, None)),
        ):
            if not error <= allowed:
                worst = part.start + int(np.argmax(np.abs(self.expected - self.got)[part]))
                raise GradientCheckError(
                    f"the gradient disagrees with differences of the model: along direction {worst} differences give "
                    f"{self.expected[worst]:.8g}, the gradient {self.got[worst]:.8g}; relative error {error:.2g}, "
                    f"allowed {allowed:.2g}"
                )


def check_gradient(
    model: ModelProto | str | os.PathLike[str],
    gradient: ModelProto,
    *,
    feeds: Mapping[str, AnyArray] | None = None,
    directions: int = 4,
    seed: int = 0,
    settings: RuntimeSettings | None = None,
) -> GradientCheck:
    """Compare a gradient model with central differences of the forward pass.

    Parameters
    ----------
    model : ModelProto or path
        The original model.
    gradient : ModelProto
        What `gradient_model` returned for it.
    feeds : mapping, optional
        The model's inputs; default: normal noise, one sample.
    directions : int
        Number of directions D, at least 2.
    seed : int
        Of the directions, the weights of the outputs, and the default feeds (NumPy's default generator).
    settings : RuntimeSettings, optional
        How ONNX Runtime runs both models.

    Returns
    -------
    GradientCheck
        Both derivatives and their disagreement; `.require(tolerance)` turns it into an error.

    Raises
    ------
    ModelError
        If `gradient` is no gradient model, has more than 2 GB of weights, or ONNX's reference evaluator cannot run its
        forward half.
    ValueError
        If there are fewer than two directions.

    Notes
    -----
    The gradient runs in ONNX Runtime in the model's type, the differences in ONNX's reference evaluator in float64, so
    what remains is the gradient's own rounding: 1e-6 to 1e-4 in float32. Costs 4 slow forward passes per direction
    (0.1 to 1 s each for mobile networks at 224 x 224).
    """
    if directions < 2:
        raise ValueError(f"directions: expected at least 2, got {directions}")
    original = model if isinstance(model, ModelProto) else onnx.load(os.fspath(model))
    size = max(weight_bytes(original), weight_bytes(gradient))
    if size > LARGEST_MESSAGE:
        raise ModelError(
            f"a gradient of {size / 1e9:.1f} GB of weights cannot be checked here: ONNX Runtime takes models from "
            "memory up to 2 GB only; write it with save_model and compare the file's outputs at two points along the "
            "gradient"
        )
    properties = {entry.key: entry.value for entry in gradient.metadata_props}
    wrt, tensor = properties.get(WRT_KEY), properties.get(OF_KEY)
    if tensor is None or wrt is None:
        raise ModelError("expected a model made by gradient_model")
    rng = np.random.default_rng(seed)
    feeds = dict(feeds) if feeds is not None else _random_feeds(inputs_of(original.graph), rng)
    start = _forward(gradient, wrt, given=wrt if wrt in feeds else None)(feeds)
    forward = _forward(gradient, tensor, given=wrt)
    exact = forward({**feeds, wrt: start})
    weights = rng.standard_normal(exact.shape)
    single = weights.astype(_type_of(gradient, SEED))
    session = open_session(gradient, settings)
    values = dict(
        zip((info.name for info in session.get_outputs()), session.run(None, {**feeds, SEED: single}), strict=True)
    )
    slope = values[f"{PREFIX}{wrt}"].astype(np.float64)
    reference = open_session(original, settings)
    for info, value in zip(reference.get_outputs(), reference.run(None, dict(feeds)), strict=True):
        values[f"original {info.name}"] = value
    output_error = max(
        _difference(exact, values[tensor]),
        *(_difference(values[f"original {info.name}"], values[info.name]) for info in reference.get_outputs()),
    )
    weights = single.astype(np.float64)

    def loss(point: Float64Array) -> float:
        return float((forward({**feeds, wrt: point}) * weights).sum())

    half = directions - directions // 2
    estimates, got = np.empty((len(_STEPS), directions)), np.empty(directions)
    for index in range(directions):
        way = slope * rng.uniform(0, 2, slope.shape) if index < half else rng.standard_normal(slope.shape)
        way *= max(float(np.linalg.norm(start)), 1.0) / (float(np.linalg.norm(way)) or 1.0)
        got[index] = (slope * way).sum()
        estimates[:, index] = [(loss(start + h * way) - loss(start - h * way)) / (2 * h) for h in _STEPS]
    expected = estimates[-1]
    first, second = slice(0, half), slice(half, None)
    return GradientCheck(
        expected,
        got,
        _relative(expected[first] - got[first], expected[first]),
        _relative(expected[second] - got[second], expected[second]),
        max(_relative(estimates[0][part] - expected[part], expected[part]) for part in (first, second)),
        output_error,
    )


def _half(directions: Float64Array) -> int:
    return len(directions) - len(directions) // 2


def _relative(errors: Float64Array, expected: Float64Array) -> float:
    """Return the largest |error| over the largest |expected|; an error where nothing was expected is infinite."""
    error, largest = float(np.abs(errors).max()), float(np.abs(expected).max())
    return error / largest if largest > 0 else (np.inf if error > 0 else 0.0)


def _difference(left: AnyArray, right: AnyArray) -> float:
    """Return the largest difference relative to the largest entry, 0 for what is not floating point."""
    if left.dtype.kind != "f" or not left.size:
        return 0.0
    return float(np.abs(left.astype(np.float64) - right).max() / (np.abs(left).max() or 1.0))


def _forward(gradient: ModelProto, tensor: str, given: str | None) -> Callable[[Mapping[str, AnyArray]], Float64Array]:
    """Return the forward pass up to a tensor, from the inputs or from a given tensor, as a function in float64."""
    if tensor == given:
        return lambda feeds: feeds[tensor].astype(np.float64)
    model = ModelProto()
    model.CopyFrom(gradient)
    graph = model.graph
    if given is not None and given not in inputs_of(graph):
        graph.input.append(helper.make_empty_tensor_value_info(given))
    prune(graph, [node for node in graph.node if given not in node.output], [tensor])
    read = {name for node in graph.node for name in reads(node)}
    inputs = [info for info in graph.input if info.name in read]
    del graph.input[:], graph.output[:]
    graph.input.extend(inputs)
    graph.output.append(helper.make_empty_tensor_value_info(tensor))
    run = run_in_float64(model)
    return lambda feeds: run({info.name: feeds[info.name] for info in inputs})[tensor]


def _type_of(model: ModelProto, name: str) -> np.dtype[np.generic]:
    """Return the dtype of a model's input."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(inputs_of(model.graph)[name].type.tensor_type.elem_type))


def _random_feeds(inputs: Mapping[str, ValueInfoProto], rng: np.random.Generator) -> dict[str, AnyArray]:
    """Return normal noise for every input, one sample where the batch is symbolic."""
    feeds = {}
    for name, info in inputs.items():
        tensor = info.type.tensor_type
        shape = [dim.dim_value or (1 if axis == 0 else _SIDE) for axis, dim in enumerate(tensor.shape.dim)]
        feeds[name] = rng.standard_normal(shape).astype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return feeds
