"""The maker of nodes, names and constants."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.canonical import canonicalise
from consensus_onnx.gradients.lowering import CpuLowering
from consensus_onnx.gradients.sweep import accumulate
from consensus_onnx.gradients.writer import GraphWriter
from gradients.graphs import model_of, ops, run


@pytest.fixture
def emit() -> GraphWriter:
    model = model_of("g (float[N,3,4] x) => (float[N,3,4] y) { y = Tanh(x) }")
    return GraphWriter(canonicalise(model).facts, {"x", "y", "grad/Exp"}, CpuLowering())


def test_names_are_new_and_under_grad(emit: GraphWriter) -> None:
    assert [emit.op("Exp", "x"), emit.op("Exp", "y")] == ["grad/Exp_1", "grad/Exp_2"]
    emit.scope = "block/conv1"
    assert emit.op("Exp", "x") == "grad/block/conv1/Exp"
    assert emit.op("Exp", "x") == "grad/block/conv1/Exp_1"


def test_operators_on_constants_are_computed_at_once(emit: GraphWriter) -> None:
    weight = emit.constant(np.arange(6.0, dtype=np.float32).reshape(2, 3))
    doubled = emit.op("Add", emit.transpose(weight, [1, 0]), emit.transpose(weight, [1, 0]))
    assert emit.nodes == []
    np.testing.assert_array_equal(emit.constants()[doubled], 2 * np.arange(6.0).reshape(2, 3).T)


def test_equal_constants_are_one(emit: GraphWriter) -> None:
    assert emit.ints([1, 2]) == emit.ints([1, 2])
    assert emit.ints([1, 2]) != emit.constant(np.asarray([1, 2], np.int32))
    assert emit.scalar(0, "x") == emit.scalar(0.0, "y")


def test_shapes_of_what_was_written_are_known(emit: GraphWriter) -> None:
    batch = emit.shape("x")[0]
    assert emit.shape(emit.transpose("x", [2, 0, 1])) == (4, batch, 3)
    assert emit.shape(emit.reshape("x", [batch, 12])) == (batch, 12)
    assert emit.reshape("x", [batch, 3, 4]) == "x"


def test_operators_that_do_not_fit_are_refused_where_they_are_written(emit: GraphWriter) -> None:
    with pytest.raises(
        ModelError, match=r"node 'grad/MatMul' \(MatMul\): its inputs do not fit: float \(\?x5x12, 3, 4\), float"
    ):
        emit.op("MatMul", "x", "y")


def test_unbroadcast(emit: GraphWriter) -> None:
    row = emit.constant(np.ones((1, 4), np.float32))
    assert emit.unbroadcast("x", "y") == "x"
    assert emit.shape(emit.unbroadcast("x", row)) == (1, 4)


def test_negative_padding_crops(emit: GraphWriter) -> None:
    cropped = emit.pad("x", [0, -1, 2], [0, 0, -3])
    assert [node.op_type for node in emit.nodes] == ["Slice", "Slice", "Pad"]
    assert emit.shape(cropped)[1:] == (2, 3)


def test_pieces_that_fill_an_axis_are_joined(emit: GraphWriter) -> None:
    first, second = emit.cut("x", 1, 0, 1), emit.cut("x", 1, 1, 3)
    padded = [emit.embed(second, "x", 1, 1), emit.embed(first, "x", 1, 0)]
    accumulate(padded, emit)
    assert emit.nodes[-1].op_type == "Concat"
    assert list(emit.nodes[-1].input) == [first, second]


def test_pieces_with_a_gap_are_added(emit: GraphWriter) -> None:
    padded = [emit.embed(emit.cut("x", 2, 0, 1), "x", 2, 0), emit.embed(emit.cut("x", 2, 2, 4), "x", 2, 2)]
    accumulate(padded, emit)
    assert emit.nodes[-1].op_type == "Add"


def test_query_key_value_cost_one_concat() -> None:
    """As vision transformers take them: three rows gathered from one tensor."""
    text = """g (float[3,N,4] x) => (float[N,4] y) {
        q = Gather <axis = 0> (x, zero) k = Gather <axis = 0> (x, one) v = Gather <axis = 0> (x, two)
        a = Mul(q, k) b = Tanh(v) y = Mul(a, b)
    }"""
    model = gradient_model(model_of(text, zero=np.asarray(0), one=np.asarray(1), two=np.asarray(2)))
    assert ops(model).count("Concat") == 1
    assert "Pad" not in ops(model)
    x = np.random.default_rng(0).standard_normal((3, 2, 4)).astype(np.float32)
    (gradient,) = run(model, "grad/x", x=x, seed=np.ones((2, 4), np.float32))
    q, k, v = x
    np.testing.assert_allclose(gradient, [k * np.tanh(v), q * np.tanh(v), q * k * (1 - np.tanh(v) ** 2)], atol=1e-6)
