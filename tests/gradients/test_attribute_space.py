"""Random attributes: convolution, pooling, reductions, cutting, broadcasting and resizing against differences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from consensus_onnx.gradients import registry, supported_operators
from gradients.operator_cases import CASES, ints, spread
from gradients.oracle import Case, compare
from gradients.test_rules import opset_for, versions_of

# Every example builds two models and a session: 30 ms on an idle core.
few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def run(op: str, *inputs: Any, wrt: int = 0, symbolic: bool = True, opset: int = 22, **attributes: Any) -> None:
    compare(Case(op, inputs, attributes, exact=True), opset, wrt, symbolic=symbolic)


@st.composite
def windows(draw: st.DrawFn, kernels: bool = True) -> tuple[list[int], dict[str, Any]]:
    """Return spatial sizes and window attributes whose output has at least one entry."""
    rank = draw(st.integers(1, 2))
    kernel = [draw(st.integers(1, 3)) for _ in range(rank)]
    dilations = [draw(st.integers(1, 2)) for _ in range(rank)]
    strides = [draw(st.integers(1, 3)) for _ in range(rank)]
    extent = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilations, strict=True)]
    # ONNX Runtime's pools refuse padding as wide as the kernel
    pads = [draw(st.integers(0, min(size - 1, 2))) for size in kernel * 2]
    sizes = [draw(st.integers(max(reach, 2), 7)) for reach in extent]
    return sizes, {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}


@few
@given(windows(), st.sampled_from([(2, 2, 1), (2, 4, 2), (3, 3, 3)]), st.sampled_from([0, 1]))
def test_convolution(shape: tuple[list[int], dict[str, Any]], channels: tuple[int, int, int], wrt: int) -> None:
    sizes, attributes = shape
    inputs, outputs, group = channels
    weight = spread(outputs, inputs // group, *attributes["kernel_shape"])
    run("Conv", spread(2, inputs, *sizes), weight, wrt=wrt, symbolic=wrt == 0, group=group, **attributes)


@few
@given(windows(), st.booleans(), st.booleans())
def test_average_pooling(shape: tuple[list[int], dict[str, Any]], include: bool, ceil: bool) -> None:
    sizes, attributes = shape
    assume(not (ceil and any(attributes["pads"])))  # ONNX Runtime and the reference count differently there
    run("AveragePool", spread(2, 2, *sizes), count_include_pad=int(include), ceil_mode=int(ceil), **attributes)


@few
@given(windows(), st.booleans())
def test_max_pooling(shape: tuple[list[int], dict[str, Any]], ceil: bool) -> None:
    sizes, attributes = shape
    run("MaxPool", spread(2, 2, *sizes), ceil_mode=int(ceil), **attributes)


REDUCTIONS = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare",
              "ReduceLogSumExp", "ReduceProd")  # fmt: skip


@few
@given(st.sampled_from(REDUCTIONS), st.sets(st.integers(-3, 2), max_size=3), st.booleans())
def test_reductions(op: str, axes: set[int], keep: bool) -> None:
    assume(len({axis % 3 for axis in axes}) == len(axes))
    given_axes = [ints(*sorted(axes))] if axes else []
    all_static = not axes or 0 in {axis % 3 for axis in axes}
    run(op, spread(2, 3, 4), *given_axes, symbolic=not all_static, keepdims=int(keep))


@st.composite
def cuts(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    """Return a shape, and starts, ends, axes and steps that leave something."""
    shape = [2, draw(st.integers(1, 6)), draw(st.integers(1, 6))]
    axes = draw(st.lists(st.sampled_from([1, 2, -1, -2]), min_size=1, max_size=2, unique_by=lambda axis: axis % 3))
    columns: list[list[int]] = [[], [], [], []]
    for axis in axes:
        size = shape[axis]
        start, end = draw(st.integers(-size - 1, size + 1)), draw(st.integers(-size - 2, size + 2))
        step = draw(st.sampled_from([1, 2, 3, -1, -2]))
        # ONNX clamps, and a negative end beyond the front with a negative step means up to the front
        stop = None if step < 0 and end < -size else end
        assume(len(range(size)[slice(start, stop, step)]) > 0)
        for column, value in zip(columns, (start, end, axis, step), strict=True):
            column.append(value)
    return shape, columns


@few
@given(cuts())
def test_slicing(cut: tuple[list[int], list[list[int]]]) -> None:
    shape, columns = cut
    run("Slice", spread(*shape), *(ints(*column) for column in columns), opset=17)


@st.composite
def broadcast(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Return two shapes that broadcast together."""
    rank = draw(st.integers(1, 4))
    whole = [draw(st.integers(1, 3)) for _ in range(rank)]
    sides = []
    for _ in range(2):
        side = [size if draw(st.booleans()) else 1 for size in whole]
        sides.append(side[draw(st.integers(0, rank - 1)) :])
    return sides[0], sides[1]


@few
@given(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"]), broadcast(), st.sampled_from([0, 1]))
def test_broadcasting(op: str, shapes: tuple[list[int], list[int]], wrt: int) -> None:
    a, b = spread(*shapes[0], low=0.6, high=2.9), spread(*shapes[1], low=0.5, high=3.1)
    run(op, a, b, wrt=wrt, symbolic=False, opset=17)


MODES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")


@few
@given(
    st.sampled_from(["nearest", "linear", "cubic"]),
    st.sampled_from(MODES),
    st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]),
    st.tuples(st.integers(2, 6), st.integers(2, 6)),
    st.tuples(st.integers(1, 9), st.integers(2, 9)),
)
def test_resizing(mode: str, place: str, rounding: str, sizes: tuple[int, int], out: tuple[int, int]) -> None:
    rounding = rounding if mode == "nearest" else "round_prefer_floor"
    # a place of float32 that lies on the edge between two pixels may fall to either side
    assume(mode != "nearest" or all(new % old == 0 or old % new == 0 for old, new in zip(sizes, out, strict=True)))
    run(
        "Resize",
        spread(2, 2, *sizes),
        None,
        None,
        ints(2, 2, *out),
        symbolic=False,
        opset=19,
        mode=mode,
        coordinate_transformation_mode=place,
        nearest_mode=rounding,
    )


# One case each of rules that are formulas, products, windows, shares and moves.
LOUD = ("Tanh", "Gelu", "Relu", "Div", "Pow", "MatMul", "Gemm", "Einsum", "Conv", "ConvTranspose", "MaxPool",
        "AveragePool", "Softmax", "LayerNormalization", "BatchNormalization", "ReduceMean", "ReduceL2", "Reshape",
        "Concat", "Slice", "Gather", "Resize", "CumSum", "Where")  # fmt: skip


@pytest.mark.parametrize("op", LOUD)
def test_a_rule_wrong_by_a_thousandth_is_caught(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in CASES if case.op == op and case.exact)
    version = versions_of(case)[-1]
    supported_operators()
    right = registry._rules["", op, version]

    def wrong(node: Any, grads: Any, emit: Any) -> Any:
        return [None if grad is None else emit.scaled(grad, 1.001) for grad in right(node, grads, emit)]

    compare(case, opset_for(op, version), case.wrt[0], symbolic=case.batch)
    monkeypatch.setitem(registry._rules, ("", op, version), wrong)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        compare(case, opset_for(op, version), case.wrt[0], symbolic=case.batch)
