"""Our float64 operators against ONNX's own evaluator and ONNX Runtime, where those are right."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from consensus_onnx.arrays import AnyArray
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
    assert_same(single_node("Conv", feeds, ["y"], **attributes), feeds)


def single_node(op_type: str, feeds: Mapping[str, AnyArray], outputs: list[str], **attributes: object) -> ModelProto:
    node = helper.make_node(op_type, list(feeds), outputs, **attributes)  # type: ignore[arg-type]
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    kinds = {"indices": TensorProto.INT64}
    outs = [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in outputs]
    graph = helper.make_graph([node], "g", infos, outs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def assert_same(model: ModelProto, feeds: dict[str, AnyArray]) -> None:
    """Compare with ONNX Runtime in float32."""
    found = run_in_float64(model)(feeds)
    for name, expected in zip(found, open_session(model).run(None, feeds), strict=True):
        assert found[name].dtype == (np.float64 if expected.dtype == np.float32 else expected.dtype)
        np.testing.assert_allclose(found[name], expected, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.data())
def test_conv_transpose_is_onnx_runtimes(
    case: tuple[dict[str, object], tuple[int, ...], tuple[int, ...]], data: st.DataObject
) -> None:
    attributes, shape, kernel = case
    attributes.pop("auto_pad", None)
    strides = attributes["strides"]
    assert isinstance(strides, list)
    attributes["output_padding"] = [data.draw(st.integers(0, stride - 1)) for stride in strides]
    rng = np.random.default_rng(0)
    group = attributes["group"]
    assert isinstance(group, int)
    feeds = {
        "x": rng.standard_normal((shape[0], kernel[0], *shape[2:])).astype(np.float32),
        "w": rng.standard_normal(kernel).astype(np.float32),
        "b": rng.standard_normal(group * kernel[1]).astype(np.float32),
    }
    assert_same(single_node("ConvTranspose", feeds, ["y"], **attributes), feeds)


@st.composite
def pools(draw: st.DrawFn) -> tuple[dict[str, object], tuple[int, ...]]:
    rank = draw(st.integers(1, 3))
    strides = draw(st.lists(SMALL, min_size=rank, max_size=rank))
    kernel = [draw(st.integers(stride, 4)) for stride in strides]  # ONNX Runtime refuses to pad smaller ones
    attributes: dict[str, object] = {"kernel_shape": kernel, "strides": strides}
    how = draw(st.sampled_from(["pads", "ceil", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if how in ("pads", "ceil"):
        attributes["pads"] = [draw(st.integers(0, size - 1)) for size in (*kernel, *kernel)]
        attributes["ceil_mode"] = int(how == "ceil")
    else:
        attributes["auto_pad"] = how
    return attributes, (2, 3, *(7 + draw(SMALL) for _ in range(rank)))


@settings(max_examples=100, deadline=None)
@given(pools(), st.booleans())
def test_pools_are_onnx_runtimes(case: tuple[dict[str, object], tuple[int, ...]], include: bool) -> None:
    attributes, shape = case
    feeds = {"x": np.random.default_rng(0).integers(-3, 3, shape).astype(np.float32)}  # many equal maxima
    assert_same(single_node("MaxPool", feeds, ["y", "indices"], **attributes), feeds)
    assert_same(single_node("AveragePool", feeds, ["y"], count_include_pad=int(include), **attributes), feeds)


@pytest.mark.parametrize("order", [0, 1])
def test_max_pool_with_gaps_is_onnx_runtimes(order: int) -> None:
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 2, 9, 8)).astype(np.float32)}
    how = {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [2, 1], "pads": [1, 0, 2, 1], "storage_order": order}
    assert_same(single_node("MaxPool", feeds, ["y", "indices"], **how), feeds)


def test_the_evaluators_own_max_pool_is_still_wrong() -> None:
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 2, 9, 9)).astype(np.float32)}
    model = single_node("MaxPool", feeds, ["y", "indices"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    expected = open_session(model).run(None, feeds)[1]
    found = ReferenceEvaluator(model).run(None, feeds)[1]
    assert not np.array_equal(found, expected), "onnx has repaired its MaxPool: ours is needed for its speed only"


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scatter_elements_adds_what_meets(axis: int) -> None:
    rng = np.random.default_rng(0)
    feeds = {
        "x": rng.standard_normal((4, 5, 6)).astype(np.float32),
        "indices": rng.integers(-4, 4, (3, 2, 4)),
        "updates": rng.standard_normal((3, 2, 4)).astype(np.float32),
    }
    assert_same(single_node("ScatterElements", feeds, ["y"], axis=axis, reduction="add"), feeds)


@pytest.mark.parametrize("scales", [(1.0, 1.0, 2.0, 3.0), (1.0, 1.0, 1.5, 0.5)])
def test_resize_repeats(scales: tuple[float, ...]) -> None:
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 2, 4, 6)).astype(np.float32)}
    how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **how)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, feeds["x"].shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(np.asarray(scales, np.float32), "scales")],
    )
    assert_same(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), feeds)


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


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-2, 2), min_size=4, max_size=4),
    st.sampled_from(["constant", "edge", "reflect"]),
    st.booleans(),
)
def test_pad_is_onnx_runtimes_where_it_crops(pads: list[int], mode: str, filled: bool) -> None:
    fill = ", fill" if filled and mode == "constant" else ""
    model = model_of(
        f'g (float[2,6,7] x) => (float[A,B,C] y) {{ y = Pad <mode = "{mode}"> (x, pads{fill}) }}',
        pads=np.asarray([0, *pads[:2], 0, *pads[2:]]),
        fill=np.float32(1.5).reshape(()),
    )
    assert_same(model, {"x": np.random.default_rng(0).standard_normal((2, 6, 7)).astype(np.float32)})
