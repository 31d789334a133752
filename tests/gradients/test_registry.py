"""The table of rules, and what happens when a rule is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest

from consensus_onnx.errors import GradientCheckError, ModelError
from consensus_onnx.gradients import (
    check_gradient,
    gradient_model,
    gradient_rule,
    no_gradient,
    registry,
    supported_operators,
)
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, flat_operators, nearest
from consensus_onnx.gradients.writer import GraphWriter
from gradients.graphs import model_of

MODEL = "g (float[N,4] x) => (float[N,3] y) { h = Tanh(x) y = MatMul(h, w) }"
WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3) / 10


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Callable[[registry.Rule], None]:
    """Put another rule in the place of Tanh's, for one test."""
    supported_operators()
    return lambda rule: monkeypatch.setitem(registry._rules, ("", "Tanh", 13), rule)


def test_a_second_rule_is_refused() -> None:
    supported_operators()
    with pytest.raises(ValueError, match="Relu-14 has a gradient rule already"):
        gradient_rule("Relu", (14,))(lambda *_: [])
    with pytest.raises(ValueError, match="Relu has a gradient rule already"):
        no_gradient("Relu")
    with pytest.raises(ValueError, match="Shape-15 has a gradient rule already"):
        gradient_rule("Shape", (15,))(lambda *_: [])


def test_every_declared_operator_exists() -> None:
    known = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    assert set(flat_operators()) <= known


def test_nearest() -> None:
    assert nearest("HardSwosh")[0] == "HardSwish"
    assert nearest("Qqqq") == ()


def wrong_by_a_thousandth(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    y = node.outputs[0]
    slope = emit.op("Sub", emit.scalar(1, y), emit.op("Mul", y, y))
    return [emit.scaled(emit.op("Mul", first(grads), slope), 1.001)]


def test_a_rule_wrong_by_a_thousandth_is_caught(replace: Callable[[registry.Rule], None]) -> None:
    model = model_of(MODEL, w=WEIGHT)
    assert check_gradient(model, gradient_model(model)).max_relative_error < 1e-6
    replace(wrong_by_a_thousandth)
    with pytest.raises(
        GradientCheckError,
        match=r"the gradient disagrees with differences of the model: along direction \d differences give [-\d.e]+, "
        r"the gradient [-\d.e]+; relative error 0.001, allowed 0.0001",
    ):
        check_gradient(model, gradient_model(model)).require(1e-4)


def test_a_gradient_of_the_wrong_shape_is_named_at_its_node(replace: Callable[[registry.Rule], None]) -> None:
    replace(lambda node, grads, emit: [emit.transpose(first(grads), [1, 0])])
    with pytest.raises(
        ModelError,
        match=r"the gradient rule of Tanh-13 \(node 'h'\) gave float \(4, \?x5x12\) for its input 'x', which is float \(\?x5x12, 4\)",
    ):
        gradient_model(model_of(MODEL, w=WEIGHT))


def test_a_gradient_of_the_wrong_type_is_named_at_its_node(replace: Callable[[registry.Rule], None]) -> None:
    replace(lambda node, grads, emit: [emit.op("Cast", first(grads), to=11)])
    with pytest.raises(ModelError, match=r"Tanh-13 \(node 'h'\) gave double .* for its input 'x', which is float"):
        gradient_model(model_of(MODEL, w=WEIGHT))


def test_too_many_gradients_are_named_at_their_node(replace: Callable[[registry.Rule], None]) -> None:
    replace(lambda node, grads, emit: [grads[0], None])
    with pytest.raises(
        ModelError, match=r"the gradient rule of Tanh-13 \(node 'h'\) answered 2 gradients for 1 inputs"
    ):
        gradient_model(model_of(MODEL, w=WEIGHT))


def test_a_user_can_add_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    supported_operators()
    monkeypatch.setattr(registry, "_rules", dict(registry._rules))

    @gradient_rule("Det", (11, 22))
    def det(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
        """Return dx = g det(x) x^-T, here for 1x1 matrices."""
        return [emit.reshape_like(first(grads), node.inputs[0])]

    model = model_of("g (float[N,1,1] x) => (float[N] y) { y = Det(x) }")
    check_gradient(model, gradient_model(model)).require(1e-6)
