"""Models whose nodes are in any order, which ONNX Runtime runs and ONNX's checker does not let through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, helper

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import check_gradient, gradient_model, unsupported_operators
from consensus_onnx.gradients.model import SEED
from consensus_onnx.gradients.ordering import sort_nodes
from consensus_onnx.runtime import RuntimeSettings, open_session
from gradients.graphs import model_of, run

FOLDER = Path(__file__).parent.parent / "data" / "gradients"
NETWORKS = sorted(path.stem for path in FOLDER.glob("*.onnx"))
# Three gradients meet at a tensor there, and are added in the order of the nodes: last bits.
MEETING = ("high_resolution", "inception", "scaled")


def shuffled(model: ModelProto, seed: int) -> ModelProto:
    """Return a copy with its nodes in another order, the last first for seed 0."""
    nodes = list(model.graph.node)
    order = np.random.default_rng(seed).permutation(len(nodes)) if seed else np.arange(len(nodes))[::-1]
    return with_nodes(model, [nodes[at] for at in order])


def with_nodes(model: ModelProto, nodes: list[NodeProto]) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def sorted_by_hand(model: ModelProto) -> ModelProto:
    """Return a copy sorted the slow way: again and again the first node whose inputs are all there."""
    left = list(model.graph.node)
    there = {""} | {info.name for info in model.graph.input} | {tensor.name for tensor in model.graph.initializer}
    nodes = []
    while left:
        node = next(node for node in left if there.issuperset(node.input))
        left.remove(node)
        nodes.append(node)
        there.update(node.output)
    return with_nodes(model, nodes)


def answers(model: ModelProto, name: str) -> list[np.ndarray]:
    stored = np.load(FOLDER / f"{name}.npz")
    feeds = {"input": stored["input"], SEED: stored["weights"]}
    found: list[np.ndarray] = open_session(gradient_model(model), RuntimeSettings(threads=1)).run(
        ["logits", "grad/input"], feeds
    )
    return found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_is_that_of_the_sorted_model(name: str, seed: int) -> None:
    original = onnx.load(FOLDER / f"{name}.onnx")
    mixed = shuffled(original, seed)
    with pytest.raises(onnx.checker.ValidationError, match="topologically sorted"):
        onnx.checker.check_model(mixed)
    got = answers(mixed, name)
    for value, expected in zip(got, answers(sorted_by_hand(mixed), name), strict=True):
        assert value.tobytes() == expected.tobytes()
    for value, expected in zip(got, answers(original, name), strict=True):
        allowed = 2e-7 * np.abs(expected).max() if name in MEETING else 0
        np.testing.assert_allclose(value, expected, rtol=0, atol=allowed)


def test_differences_confirm_it() -> None:
    mixed = shuffled(onnx.load(FOLDER / "residual.onnx"), 2)
    feeds = {"input": np.load(FOLDER / "residual.npz")["input"][:1]}
    assert unsupported_operators(mixed) == ()
    check_gradient(mixed, gradient_model(mixed), feeds=feeds).require(1e-4)


@st.composite
def graphs(draw: st.DrawFn) -> list[NodeProto]:
    """Draw nodes in order, each of which adds two tensors that are there."""
    names, nodes = ["x"], []
    for at in range(draw(st.integers(1, 12))):
        read = [draw(st.sampled_from(names)) for _ in range(2)]
        names.append(f"t{at}")
        nodes.append(helper.make_node("Add", read, [names[-1]]))
    return nodes


@settings(max_examples=100, deadline=None)
@given(graphs(), st.randoms())
def test_any_order_is_sorted_and_a_sorted_one_stays(nodes: list[NodeProto], random: object) -> None:
    model = model_of("g (float[N] x) => (float[N] x) { y = Neg(x) }")
    straight, mixed = with_nodes(model, nodes), list(nodes)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    before = straight.SerializeToString()
    sort_nodes(straight.graph, "model")
    assert straight.SerializeToString() == before
    crooked = with_nodes(model, mixed)
    expected = sorted_by_hand(crooked)
    sort_nodes(crooked.graph, "model")
    assert crooked.SerializeToString() == expected.SerializeToString()


def test_what_a_branch_takes_from_around_it_comes_first() -> None:
    text = """g (float[N,2] x) => (float[N,2] y) {{
        y = Tanh(r)
        r = If (c) <
            then_branch = a () => (float[N,2] o) {{ o = Mul({0}, h) }},
            else_branch = b () => (float[N,2] o) {{ o = Identity(h) }}
        >
        k = Sub(h, w)
        h = Exp(x)
    }}"""
    constants = {"w": np.float32([2, 3]), "c": np.asarray(True)}
    x = np.float32([[0.1, -0.2]])
    (got,) = run(gradient_model(model_of(text.format("k"), **constants)), "grad/x", x=x, seed=np.ones_like(x))
    h = np.exp(x)
    np.testing.assert_allclose(got, (2 * h - [2, 3]) * h / np.cosh((h - [2, 3]) * h) ** 2, rtol=1e-5)


def test_a_name_a_branch_makes_itself_is_not_waited_for() -> None:
    text = """g (float[N,2] x) => (float[N,2] y) {
        q = If (c) <
            then_branch = a () => (float[N,2] o) { k = Exp(x) o = Neg(k) },
            else_branch = b () => (float[N,2] o) { o = Identity(x) }
        >
        k = Tanh(q)
        y = Neg(k)
    }"""
    model = model_of(text, c=np.asarray(True))
    before = [node.output[0] for node in model.graph.node]
    sort_nodes(model.graph, "model")
    assert [node.output[0] for node in model.graph.node] == before


def test_a_circle() -> None:
    text = "g (float[N,3] x) => (float[N,3] y) { y = Tanh(h) h = Relu(z) z = Add(h, x) }"
    with pytest.raises(
        ModelError,
        match=r"^model: not a valid ONNX model: nodes wait for each other: 'h' \(Relu\) reads 'z' \(Add\) reads "
        r"'h' \(Relu\); what repeats has to be a Loop or a Scan$",
    ):
        gradient_model(model_of(text))


def test_what_nothing_makes(tmp_path: Path) -> None:
    model = model_of("g (float[N,3] x) => (float[N,3] y) { y = Tanh(h) h = Relu(z) }")
    with pytest.raises(ModelError, match=r"^model: not a valid ONNX model: node 'h' \(Relu\) reads 'z', which nothing"):
        gradient_model(model)
    model.graph.node[1].name = "the relu"
    path = tmp_path / "torn.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"torn.onnx: not a valid ONNX model: node 'the relu' \(Relu\) reads 'z', whi"):
        gradient_model(path)
