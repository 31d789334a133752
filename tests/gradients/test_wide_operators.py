"""Our float64 operators against ONNX's own evaluator and ONNX Runtime, where those are right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from consensus_onnx.gradients.float64 import run_in_float64
from consensus_onnx.runtime import open_session
from gradients.graphs import model_of

SMALL = st.integers(1, 3)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[dict[str, object], tuple[int, ...], tuple[int, ...]]:
    rank = draw(st.integers(1, 3))
    group, inputs, outputs = draw(SMALL), draw(SMALL), draw(SMALL)
    each = st.lists(SMALL, min_size=rank, max_size=rank)
    kernel, gaps = draw(each), draw(each)
    attributes: dict[str, object] = {"group": group, "strides": draw(each), "dilations": gaps}
    how = draw(st.sampled_from(["pads", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if how == "pads":
        attributes["pads"] = draw(st.lists(st.integers(0, 2), min_size=2 * rank, max_size=2 * rank))
    else:
        attributes["auto_pad"] = how
        if how != "VALID":
            attributes["dilations"] = [1] * rank  # the evaluator forgets them there
    sizes = [7 + draw(SMALL) for _ in range(rank)]
    return attributes, (2, group * inputs, *sizes), (group * outputs, inputs, *kernel)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_conv_is_onnx_runtimes(case: tuple[dict[str, object], tuple[int, ...], tuple[int, ...]]) -> None:
    attributes, shape, kernel = case
    rng = np.random.default_rng(0)
    feeds = {
        "x": rng.standard_normal(shape).astype(np.float32),
        "w": rng.standard_normal(kernel).astype(np.float32),
        "b": rng.standard_normal(kernel[0]).astype(np.float32),
    }
    node = helper.make_node("Conv", list(feeds), ["y"], **attributes)
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in feeds.items()]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))
    graph = helper.make_graph([node], "g", infos, [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = run_in_float64(model)(feeds)["y"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, open_session(model).run(None, feeds)[0], atol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_lrn_reaches_every_channel(size: int) -> None:
    text = f"g (float[2,7,3,1] x) => (float[2,7,3,1] y) {{ y = LRN <size={size}, alpha=0.5, beta=0.6, bias=1.5> (x) }}"
    model = model_of(text)
    x = np.random.default_rng(0).standard_normal((2, 7, 3, 1)).astype(np.float32)
    found = run_in_float64(model)({"x": x})["y"]
    np.testing.assert_allclose(found, open_session(model).run(None, {"x": x})[0], atol=1e-6)
    own = ReferenceEvaluator(model).run(None, {"x": x})[0]
    assert not np.allclose(own, found, atol=1e-3), "onnx has repaired its LRN: ours can go"


def test_erf_keeps_float64() -> None:
    model = model_of("g (float[1] x) => (float[1] y) { y = Erf(x) }")
    (value,) = run_in_float64(model)({"x": np.asarray([0.5])})["y"]
    assert value == pytest.approx(0.5204998778130465, abs=1e-16)
