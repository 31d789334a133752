"""Gradients beside those of onnx-ad, which also turns ONNX graphs into ONNX graphs, by rules of its own.

It comes with the dev extra; without it these are skipped. Its graphs want fixed sizes, so the batch is fixed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import RuntimeSettings, open_session
from gradients.operator_cases import CASES
from gradients.oracle import NEWEST_OPSET, STEP, Case, differences, directions, forward, single_node_model
from gradients.test_rules import opset_for, versions_of

onnx_ad = pytest.importorskip("onnx_ad", reason="the second opinion needs onnx-ad (pip install onnx-ad)")

FOLDER = Path(__file__).parent.parent / "data" / "gradients"
NETWORKS = sorted(path.stem for path in FOLDER.glob("*.onnx"))
ONE_THREAD = RuntimeSettings(threads=1)
# Of the largest entry, both in float32. Seen: 4.4e-7 of networks, 6.5e-7 of single nodes.
ALLOWED = 2e-6
# Where onnx-ad 0.3.0 gives other numbers: differences in float64 side with ours there.
ANOTHER_ANSWER = {
    ("Conv[group=2,pads=[0, 1, 2, 0] (2, 4, 5, 7)(6, 2, 3, 2)]", 0): "more padding behind than in front, or less",
    ("Conv[strides=[2, 2],pads=[0, 0, 1, 1] (2, 3, 8, 8)(4, 3, 3, 3)]", 0): "the same",
    ("Conv[strides=[2, 2],dilations=[3, 3],pads=[1, 0, 3, 2] (2, 3, 12, 12)(2, 3, 3, 3)]", 0): "the same",
    ("BatchNormalization[]", 3): "none by the mean",
    ("BatchNormalization[]", 4): "none by the variance",
    ("Clip[crossed]", 1): "a lower bound above the upper",
    ("Clip[crossed]", 2): "the same",
    ("Pad[computed value]", 2): "none by the value that is put around",
    ("OneHot[]", 2): "none by the two values",
    ("OneHot[axis=0]", 2): "the same",
    (
        "Resize[mode=linear,coordinate_transformation_mode=tf_crop_and_resize,extrapolation_value=2.0 "
        "(0, 0, -0.2, 0.1, 1, 1, 0.8, 1.3)]",
        0,
    ): "places outside the picture",
}


@dataclass(frozen=True)
class Pair:
    """One gradient by both; None where onnx-ad says that it cannot."""

    ours: np.ndarray
    other: np.ndarray | None

    @property
    def error(self) -> float:
        assert self.other is not None
        return float(np.abs(self.ours - self.other).max() / max(float(np.abs(self.ours).max()), 1e-2))


def both(model: ModelProto, wrt: str, output: str, x: np.ndarray, weights: np.ndarray) -> Pair:
    ours = open_session(gradient_model(model, output=output, wrt=wrt), ONE_THREAD)
    (gradient,) = ours.run([f"grad/{wrt}"], {wrt: x, SEED: weights})
    declared = onnx.shape_inference.infer_shapes(model, data_prop=True)
    try:
        other = onnx_ad.reverse(declared, inputs=[wrt], outputs=[output], layout="onnx")
        session = open_session(other, ONE_THREAD)
    except (onnx_ad.UnsupportedOperator, ModelError):
        return Pair(gradient, None)
    (value,) = session.run([f"adj_{wrt}"], {wrt: x, f"adj_{output}": weights[..., None]})
    return Pair(gradient, value[..., 0])


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    stored = np.load(FOLDER / f"{name}.npz")
    model = onnx.load(FOLDER / f"{name}.onnx")
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.shape.dim[0].dim_value = len(stored["input"])
    pair = both(model, "input", "logits", stored["input"], stored["weights"])
    if pair.other is None:
        pytest.skip("onnx-ad does not differentiate it")
    assert pair.error <= ALLOWED


@dataclass(frozen=True)
class Node:
    """A case at the newest version that ONNX Runtime runs."""

    case: Case
    opset: int
    wrt: int

    @property
    def key(self) -> tuple[str, int]:
        return self.case.label, self.wrt

    def model(self) -> ModelProto:
        return single_node_model(self.case, self.opset, self.wrt, symbolic=False)

    def x(self) -> np.ndarray:
        return np.asarray(self.case.inputs[self.wrt], np.float32)

    def weights(self) -> np.ndarray:
        (y,) = open_session(self.model(), ONE_THREAD).run(["y0"], {f"x{self.wrt}": self.x()})
        return np.random.default_rng(7).standard_normal(y.shape).astype(y.dtype)


def nodes() -> list[Node]:
    found = []
    for case in CASES:
        opsets = [opset_for(case.op, version) for version in versions_of(case)] if not case.domain else []
        newest = max((opset for opset in opsets if opset <= NEWEST_OPSET), default=None)
        if newest is not None:
            found += [Node(case, newest, wrt) for wrt in case.wrt]
    return found


@pytest.fixture(scope="module")
def pairs() -> Sequence[tuple[Node, Pair]]:
    return [(node, both(node.model(), f"x{node.wrt}", "y0", node.x(), node.weights())) for node in nodes()]


def test_single_nodes(pairs: Sequence[tuple[Node, Pair]]) -> None:
    compared = [(node, pair) for node, pair in pairs if pair.other is not None]
    assert len(compared) >= 400
    assert len({node.case.op for node, _ in compared}) >= 100
    assert {node.key for node, pair in compared if not pair.error <= ALLOWED} <= ANOTHER_ANSWER.keys()


@pytest.mark.parametrize("key", ANOTHER_ANSWER, ids=str)
def test_where_it_answers_otherwise_differences_side_with_ours(
    key: tuple[str, int], pairs: Sequence[tuple[Node, Pair]]
) -> None:
    found = [(node, pair) for node, pair in pairs if node.key == key]
    assert found
    for node, pair in found:
        run = forward(node.model(), exact=node.case.exact)
        expected = differences(run, node.x(), node.weights().astype(np.float64), STEP)
        got = np.asarray([(pair.ours * way).sum() for way in directions(node.x().shape)])
        np.testing.assert_allclose(got, expected, atol=5e-5 * np.abs(expected).max())


def test_a_gradient_wrong_by_a_thousandth_would_be_seen(pairs: Sequence[tuple[Node, Pair]]) -> None:
    pair = next(pair for node, pair in pairs if node.case.op == "Tanh")
    assert pair.error <= ALLOWED
    assert Pair(np.float32(1.001) * pair.ours, pair.other).error > ALLOWED
