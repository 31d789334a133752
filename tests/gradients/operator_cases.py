"""One node each, over the attributes that change a gradient; `test_rules.py` runs every one of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradients.oracle import Case

RNG = np.random.default_rng(20240)


def spread(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Return distinct values in random order, none near another or near 0, so that no kink or tie is close."""
    count = int(np.prod(shape))
    values = np.linspace(low, high, count) + (high - low) / count / 4
    return RNG.permutation(values).reshape(shape)


def ints(*values: int) -> np.ndarray:
    return np.asarray(values, np.int64)


def scalar(value: float) -> np.ndarray:
    return np.asarray(value, np.float64)


X4 = (2, 3, 5, 7)
CASES: list[Case] = []


def add(
    op: str,
    *inputs: Any,
    wrt: tuple[int, ...] = (0,),
    note: str = "",
    outputs: int = 1,
    versions: tuple[int, ...] | None = None,
    symbolic: bool = True,
    exact: bool = True,
    **attributes: Any,
) -> None:
    CASES.append(Case(op, inputs, attributes, wrt, outputs, versions, symbolic, "", note, exact))


# ---- elementwise -----------------------------------------------------------------------------------------------
for name in ("Exp", "Sigmoid", "Tanh", "Erf", "Softplus", "Softsign", "HardSwish", "Mish", "Sin", "Cos", "Neg", "Abs"):
    add(name, spread(2, 3, 4, low=-4, high=4))
for name in ("Tan", "Atan", "Sinh", "Cosh", "Asinh"):
    add(name, spread(2, 3, 4, low=-1, high=1))
for name in ("Asin", "Acos", "Atanh"):
    add(name, spread(2, 3, 4, low=-0.9, high=0.9))
for name in ("Log", "Sqrt", "Reciprocal", "Acosh"):
    add(name, spread(2, 3, 4, low=1.1, high=4))
add("Relu", spread(2, 3, 4))
for bounds in ((0.0, 6.0), (-1.0, 1.0), (None, 0.5), (0.25, None), (0.0, None), (None, 0.0)):
    add(
        "Clip",
        spread(2, 3, 4, low=-3, high=8),
        *(None if bound is None else scalar(bound) for bound in bounds),
        note=f"{bounds}",
    )
add("Clip", spread(2, 3), note="no bounds")
add("Clip", spread(2, 3, 4), scalar(-0.5), scalar(0.7), wrt=(1, 2), symbolic=False)
add("Clip", spread(2, 3, 4), scalar(0.9), scalar(0.2), wrt=(0, 1, 2), symbolic=False, note="crossed")
add("LeakyRelu", spread(2, 3, 4), alpha=0.2)
add("LeakyRelu", spread(2, 3, 4))
add("PRelu", spread(2, 3, 4), spread(3, 1), wrt=(0, 1), symbolic=False)
add("PRelu", spread(2, 3, 4), spread(3, 1, low=0.1, high=0.4))
add("Elu", spread(2, 3, 4), alpha=0.7)
add("Selu", spread(2, 3, 4))
add("Selu", spread(2, 3, 4), alpha=1.2, gamma=0.8)
add("Celu", spread(2, 3, 4), alpha=0.6)
add("ThresholdedRelu", spread(2, 3, 4), alpha=0.6)
add("Shrink", spread(2, 3, 4), lambd=0.7, bias=0.2)
add("HardSigmoid", spread(2, 3, 4, low=-5, high=5))
add("HardSigmoid", spread(2, 3, 4, low=-5, high=5), alpha=1 / 6, beta=0.5)
add("Gelu", spread(2, 3, 4, low=-3, high=3))
add("Gelu", spread(2, 3, 4, low=-3, high=3), approximate="tanh")
add("Swish", spread(2, 3, 4, low=-3, high=3), alpha=1.5)

# ---- arithmetic ------------------------------------------------------------------------------------------------
for name in ("Add", "Sub", "Mul", "Div"):
    add(name, spread(2, 3, 4), spread(2, 3, 4, low=1, high=3), wrt=(0, 1), note="same", symbolic=False)
    add(name, spread(2, 3, 4), spread(3, 1, low=1, high=3), wrt=(0, 1), note="broadcast right", symbolic=False)
    add(name, spread(2, 3, 1), spread(2, 3, 4, low=1, high=3), wrt=(0, 1), note="broadcast left", symbolic=False)
    add(name, spread(4), spread(2, 3, 4, low=1, high=3), wrt=(0,), note="smaller rank", symbolic=False)
    add(name, spread(1, 3, 1), spread(2, 1, 4, low=1, high=3), wrt=(0, 1), note="both", symbolic=False)
for name in ("Sum", "Mean", "Max", "Min"):
    add(name, spread(2, 3, 4), spread(2, 1, 4) * 0.7, spread(1, 3, 4) * 1.3, wrt=(0, 1), symbolic=False)
    add(name, spread(2, 3, 4), note="one")
add("Pow", spread(2, 3, low=0.5, high=3), scalar(2.0))
add("Pow", spread(2, 3, low=0.5, high=3), scalar(0.5))
add("Pow", spread(2, 3), scalar(3.0))
add("Pow", spread(2, 3), np.asarray(2, np.int64), note="int")
add("Pow", spread(2, 3, low=0.5, high=3), spread(3, low=0.5, high=2), wrt=(0, 1), symbolic=False)
add("Mod", spread(2, 3, low=0.3, high=5), spread(2, 3, low=1, high=2), wrt=(0, 1), fmod=1, symbolic=False)
add("Where", np.asarray([[True, False, True]]), spread(2, 3), spread(2, 1), wrt=(1, 2), symbolic=False)

# ---- linear algebra --------------------------------------------------------------------------------------------
add("MatMul", spread(2, 3), spread(3, 4), wrt=(0, 1), symbolic=False)
add("MatMul", spread(2, 5, 3), spread(3, 4), wrt=(0,))
add("MatMul", spread(2, 3, 5, 4), spread(2, 3, 4, 6), wrt=(0, 1), symbolic=False)
add("MatMul", spread(2, 1, 5, 4), spread(3, 4, 6), wrt=(0, 1), symbolic=False)
add("MatMul", spread(4), spread(4, 3), wrt=(0, 1), symbolic=False)
add("MatMul", spread(2, 3, 4), spread(4), wrt=(0, 1), symbolic=False)
add("MatMul", spread(4), spread(4), wrt=(0, 1), symbolic=False)
for trans_a in (0, 1):
    for trans_b in (0, 1):
        a = spread(3, 2) if trans_a else spread(2, 3)
        b = spread(4, 3) if trans_b else spread(3, 4)
        add("Gemm", a, b, spread(4), wrt=(0, 1, 2), transA=trans_a, transB=trans_b, alpha=0.7, beta=1.3, symbolic=False)
add("Gemm", spread(2, 3), spread(3, 4), note="no C")
for equation, shapes in (
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))),
    ("bhwc,hkc->bhwk", ((2, 3, 4, 5), (3, 6, 5))),
    ("ij,j->i", ((2, 3), (3,))),
    ("bij->bi", ((2, 3, 4),)),
    ("ij,jk", ((2, 3), (3, 4))),
    ("bi,bj,bk->bijk", ((2, 2), (2, 3), (2, 4))),
    ("...ij,...jk->...ik", ((2, 3, 4), (2, 4, 5))),
    ("...ij,jk", ((2, 3, 3, 4), (4, 5))),
    ("b...,b...->...", ((2, 3, 4), (2, 3, 4))),
    ("bii->b", ((2, 3, 3),)),
    ("ii->i", ((3, 3),)),
    ("iij,i->j", ((3, 3, 2), (3,))),
):
    add(
        "Einsum",
        *(spread(*shape) for shape in shapes),
        wrt=tuple(range(len(shapes))),
        equation=equation,
        symbolic=False,
    )

# ---- convolution -----------------------------------------------------------------------------------------------
for shape, weight, attributes in (
    ((2, 3, 5, 7), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    ((2, 3, 5, 7), (4, 3, 3, 3), {}),
    ((2, 3, 6, 7), (4, 3, 1, 1), {"pads": [1, 1, 1, 1]}),
    ((2, 4, 5, 7), (6, 2, 3, 2), {"group": 2, "pads": [0, 1, 2, 0]}),
    ((2, 4, 9, 9), (4, 1, 3, 3), {"group": 4, "pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    ((2, 3, 7, 8), (4, 3, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((2, 3, 8, 8), (4, 3, 3, 3), {"strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ((2, 3, 8, 9), (4, 3, 2, 2), {"strides": [3, 3]}),
    ((2, 3, 9, 10), (4, 3, 5, 3), {"strides": [2, 3], "pads": [2, 1, 2, 1]}),
    ((2, 3, 8, 7), (4, 3, 1, 1), {"strides": [2, 2]}),
    ((2, 3, 8, 7), (4, 3, 1, 1), {"strides": [2, 1]}),
    ((2, 3, 8, 8), (4, 3, 4, 4), {"strides": [4, 4]}),
    ((2, 4, 9, 9), (4, 1, 3, 3), {"group": 4, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((2, 4, 9, 8), (8, 1, 5, 5), {"group": 4, "strides": [2, 2], "pads": [2, 2, 2, 2]}),
    ((2, 4, 9, 9), (6, 2, 3, 3), {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((2, 3, 11, 11), (4, 3, 3, 3), {"strides": [2, 2], "dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    ((2, 3, 12, 12), (2, 3, 3, 3), {"strides": [2, 2], "dilations": [3, 3], "pads": [1, 0, 3, 2]}),
    ((2, 3, 7, 7), (4, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((2, 3, 8, 7), (4, 3, 3, 4), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((2, 3, 8, 7), (4, 3, 3, 4), {"auto_pad": "SAME_UPPER"}),
    ((2, 3, 8, 7), (4, 3, 3, 3), {"auto_pad": "VALID"}),
    ((2, 3, 9), (4, 3, 3), {"strides": [2], "pads": [1, 1]}),
    ((2, 3, 9), (4, 3, 3), {"pads": [1, 1]}),
    ((2, 2, 4, 5, 6), (3, 2, 3, 3, 3), {"pads": [1, 1, 1, 1, 1, 1]}),
    ((2, 2, 4, 5, 6), (3, 2, 3, 3, 3), {"pads": [1, 1, 1, 1, 1, 1], "strides": [2, 2, 2]}),
    ((1, 2, 3, 3), (3, 2, 1, 1), {"strides": [3, 3]}),
):
    add("Conv", spread(*shape), spread(*weight), spread(weight[0]), note=f"{shape}{weight}", **attributes)
add("Conv", spread(2, 3, 4, 4), spread(2, 3, 3, 3), spread(2), wrt=(2,), symbolic=False)
for shape, weight, attributes in (
    ((2, 3, 5, 6), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    ((2, 4, 7, 8), (6, 2, 3, 2), {"group": 2, "strides": [2, 2], "pads": [1, 0, 1, 2]}),
    ((1, 4, 9, 9), (4, 1, 3, 3), {"group": 4, "dilations": [2, 2], "strides": [2, 1], "pads": [2, 2, 2, 2]}),
    ((2, 3, 8, 9), (2, 3, 2, 2), {"strides": [3, 3]}),
    ((2, 3, 7, 7), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((2, 3, 9), (4, 3, 3), {"strides": [2], "pads": [1, 1]}),
):
    add("Conv", spread(*shape), spread(*weight), wrt=(1,), symbolic=False, note=f"kernel{shape}{weight}", **attributes)
for shape, weight, attributes in (
    ((2, 3, 4, 5), (3, 4, 3, 3), {"strides": [2, 2]}),
    ((2, 3, 4, 5), (3, 4, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((2, 4, 4, 5), (4, 2, 2, 2), {"strides": [2, 2], "group": 2}),
    ((2, 3, 4, 5), (3, 2, 3, 3), {"dilations": [2, 2], "pads": [1, 0, 1, 0]}),
    ((2, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((2, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 3], "output_padding": [2, 2]}),
    ((2, 3, 5), (3, 2, 3), {"strides": [2]}),
):
    add(
        "ConvTranspose",
        spread(*shape),
        spread(*weight),
        note=f"{shape}{weight}",
        exact="group" not in attributes,
        **attributes,
    )

for attributes in (
    {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    {"dilations": [2, 2], "pads": [1, 0, 1, 0]},
    {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
):
    add("ConvTranspose", spread(2, 3, 4, 5), spread(3, 2, 3, 3), wrt=(1,), symbolic=False, note="kernel", **attributes)
add("ConvTranspose", spread(2, 4, 4, 5), spread(4, 2, 2, 2), wrt=(1,), group=2, symbolic=False, exact=False)

# ---- pooling ---------------------------------------------------------------------------------------------------
for attributes in (
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 2], "strides": [1, 1]},
    {"kernel_shape": [2, 2], "dilations": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
):
    add("MaxPool", spread(2, 3, 6, 7), **attributes)
add("MaxPool", spread(2, 3, 9), kernel_shape=[3], strides=[2])
add("MaxPool", spread(1, 2, 4, 5, 4), kernel_shape=[2, 2, 2], strides=[2, 2, 2])
for attributes in (
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2]},
    {"kernel_shape": [6, 7]},
    {"kernel_shape": [3, 2], "strides": [3, 3]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
):
    add("AveragePool", spread(2, 3, 6, 7), **attributes)
add("AveragePool", spread(2, 3, 6, 8), kernel_shape=[2, 2], strides=[2, 2], note="exact")
add("AveragePool", spread(2, 3, 7, 7), kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, versions=(19, 22))
add("AveragePool", spread(2, 3, 8, 8), kernel_shape=[2, 2], strides=[1, 1], dilations=[2, 2], versions=(19, 22))
add("AveragePool", spread(2, 3, 8), kernel_shape=[3], strides=[2])
for order in (1, 2, 3):
    add("LpPool", spread(2, 3, 6, 6), kernel_shape=[3, 2], strides=[2, 2], p=order)
    add("GlobalLpPool", spread(2, 3, 4, 5), p=order, exact=False)
add("GlobalAveragePool", spread(2, 3, 4, 5))
add("GlobalMaxPool", spread(2, 3, 4, 5))

# ---- softmax and normalisation ---------------------------------------------------------------------------------
for name in ("Softmax", "LogSoftmax"):
    for axis in (1, -1):
        add(name, spread(2, 3, 4), axis=axis)
    add(name, spread(2, 3))
add("BatchNormalization", spread(2, 3, 4, 5), spread(3), spread(3), spread(3), spread(3, low=0.5, high=2), epsilon=1e-3)
add("BatchNormalization", spread(2, 3), spread(3), spread(3), spread(3), spread(3, low=0.5, high=2))
add(
    "BatchNormalization",
    spread(2, 3, 4),
    spread(3),
    spread(3),
    spread(3),
    spread(3, low=0.5, high=2),
    wrt=(1, 2, 3, 4),
    symbolic=False,
)
add("LayerNormalization", spread(2, 3, 4), spread(4), spread(4))
add("LayerNormalization", spread(2, 3, 4), spread(4), note="no bias")
add("LayerNormalization", spread(2, 3, 4), spread(3, 4), spread(3, 4), axis=1, epsilon=1e-2)
add("LayerNormalization", spread(2, 3, 4), spread(4), spread(4), wrt=(1, 2), symbolic=False)
add("InstanceNormalization", spread(2, 3, 4, 5), spread(3), spread(3), epsilon=1e-3)
add("InstanceNormalization", spread(2, 3, 4, 5), spread(3), spread(3), wrt=(1, 2), symbolic=False)
for order in (1, 2):
    for axis in (1, -1):
        add("LpNormalization", spread(2, 3, 4), p=order, axis=axis, exact=order == 2)
add("LRN", spread(2, 5, 3, 3), size=3, alpha=0.3, beta=0.6, bias=1.5, exact=False)
add("LRN", spread(2, 3, 2, 2), size=5, alpha=0.3, exact=False)

# ---- reductions ------------------------------------------------------------------------------------------------
for name in (
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
    "ReduceLogSum",
):
    values = spread(2, 3, 4, low=0.5, high=3) if name == "ReduceLogSum" else spread(2, 3, 4)
    for axes, keep in (((2,), 1), ((1, 2), 0), ((-1,), 0), ((), 1)):
        late = {"keepdims": keep}
        if name == "ReduceSum":
            add(name, values, *([ints(*axes)] if axes else []), note=f"{axes}", **late)
            continue
        first = {"ReduceMax": 18, "ReduceMin": 18}.get(name, 18)
        newer = tuple(
            v
            for v in {
                "ReduceMax": (18, 20),
                "ReduceMin": (18, 20),
                "ReduceLogSum": (18, 28),
                "ReduceLogSumExp": (18, 28),
            }.get(name, (first,))
        )
        add(name, values, *([ints(*axes)] if axes else []), note=f"{axes}", versions=newer, **late)
        add(name, values, note=f"{axes} attribute", versions=(13,), **late, **({"axes": list(axes)} if axes else {}))
add("ReduceSum", spread(2, 3), note="nothing to do", noop_with_empty_axes=1)
add("ReduceProd", spread(2, 3, 4), axes=[1], versions=(13,))
add("ReduceProd", spread(2, 3, 2), axes=[1, 2], versions=(13,))
add("ReduceProd", spread(2, 3), versions=(13, 18), symbolic=False, note="all")
add("ReduceProd", spread(2, 3, 4), ints(-1), keepdims=0, versions=(18,))

# ---- moving ----------------------------------------------------------------------------------------------------
add("Reshape", spread(2, 3, 4), ints(0, -1))
add("Reshape", spread(2, 3, 4), ints(-1, 6, 2))
add("Reshape", spread(2, 3, 4), ints(4, 6), symbolic=False)
add("Flatten", spread(2, 3, 4))
add("Flatten", spread(2, 3, 4), axis=2)
add("Flatten", spread(2, 3, 4), axis=0, symbolic=False)
add("Squeeze", spread(2, 1, 3, 1), ints(1, -1))
add("Squeeze", spread(2, 1, 3, 1), note="all", symbolic=False)
add("Unsqueeze", spread(2, 3), ints(0, 3))
add("Identity", spread(2, 3))
add("Dropout", spread(2, 3))
add("Cast", spread(2, 3), to=1)
add("Cast", spread(2, 3), to=11)
add("Transpose", spread(2, 3, 4), perm=[2, 0, 1])
add("Transpose", spread(2, 3, 4))
add("Expand", spread(2, 1, 3), ints(2, 4, 1), symbolic=False)
add("Expand", spread(3, 1), ints(2, 1, 4), symbolic=False)
add("Tile", spread(2, 3, 4), ints(1, 2, 3))
add("DepthToSpace", spread(2, 8, 2, 3), blocksize=2)
add("DepthToSpace", spread(2, 8, 2, 3), blocksize=2, mode="CRD")
add("SpaceToDepth", spread(2, 2, 4, 6), blocksize=2)
add("SpaceToDepth", spread(2, 2, 4, 6), blocksize=2, mode="CRD", versions=(28,))
add("ReverseSequence", spread(4, 3, 2), ints(4, 1, 3), symbolic=False)
add("ReverseSequence", spread(3, 4), ints(2, 4, 1), batch_axis=0, time_axis=1, symbolic=False)

# ---- joining and cutting ---------------------------------------------------------------------------------------
add("Concat", spread(2, 3), spread(2, 2), spread(2, 4), wrt=(0, 1, 2), axis=1, symbolic=False)
add("Concat", spread(2, 3), spread(4, 3), wrt=(0, 1), axis=-2, symbolic=False)
add("Concat", spread(2, 3), axis=0, note="one")
add("Split", spread(2, 6), ints(1, 2, 3), axis=1, outputs=3)
add("Split", spread(2, 6), axis=-1, outputs=2, versions=(13,))
add("Split", spread(2, 5), axis=1, outputs=2, num_outputs=2, versions=(18,))
for starts, ends, axes, steps in (
    ((1,), (3,), (1,), None),
    ((0, 1), (2, 6), (1, 2), (1, 2)),
    ((-1,), (-100,), (2,), (-1,)),
    ((5,), (0,), (2,), (-2,)),
    ((1, 1), (4, 100), (1, 2), (1, 3)),
    ((-3,), (-1,), (2,), None),
    ((0,), (2**62,), (1,), None),
):
    add(
        "Slice",
        spread(2, 4, 7),
        ints(*starts),
        ints(*ends),
        ints(*axes),
        *([ints(*steps)] if steps else []),
        note=f"{starts}{ends}{axes}{steps}",
    )
add("Slice", spread(2, 4), ints(0, 1), ints(2, 3), note="no axes", symbolic=False)
for mode in ("constant", "edge", "reflect"):
    add("Pad", spread(2, 3, 4), ints(0, 1, 2, 0, 2, 1), mode=mode)
add("Pad", spread(2, 3, 5), ints(0, -1, 2, 0, 1, -2), note="negative", exact=False)
add("Pad", spread(2, 3, 5), ints(0, 0, 1, 0, 0, 2), scalar(1.5), note="value")
add("Pad", spread(2, 3, 5), ints(0, 1, 1, 0, 0, 2), scalar(1.5), wrt=(2,), symbolic=False, note="computed value")
add("Pad", spread(2, 3, 5), ints(1, 2), None, ints(2), note="axes", versions=(18, 19, 21, 23, 24, 25))
add("Pad", spread(2, 3, 5), ints(0, 2, 1, 0, 1, 3), mode="wrap", versions=(19, 21, 23, 24, 25))

# ---- picking ---------------------------------------------------------------------------------------------------
add("Gather", spread(2, 5, 3), np.asarray(1), axis=1, note="scalar")
add("Gather", spread(2, 5, 3), np.asarray(-1), axis=1, note="negative")
add("Gather", spread(2, 5, 3), ints(1, 2, 3), axis=1, note="range")
add("Gather", spread(2, 5, 3), ints(4, 0, 2), axis=1, note="permuted")
add("Gather", spread(2, 5, 3), ints(0, 2, 4, 1, 3), axis=1, note="permutation")
add("Gather", spread(2, 5, 3), ints(1, 1, 3, 1), axis=1, note="repeated")
add("Gather", spread(4, 3), ints(0, 2, 2, 3).reshape(2, 2), axis=0, note="table", symbolic=False)
add("Gather", spread(2, 5, 3), ints(0, 2, 2, 3).reshape(2, 2), axis=2 - 1, note="table inside")
add("GatherElements", spread(2, 4), ints(0, 3, 3, 1, 1, 1).reshape(2, 3), axis=1, symbolic=False)
add("GatherND", spread(3, 4, 2), ints(0, 1, 2, 3, 0, 1).reshape(3, 2), symbolic=False)
add("GatherND", spread(2, 4, 3), ints(1, 3).reshape(2, 1), batch_dims=1, symbolic=False)
add("GatherND", spread(2, 3, 4), ints(1, 3, 0, 2, 2, 1).reshape(2, 3, 1), batch_dims=2, symbolic=False)
add("Compress", spread(4, 3), np.asarray([True, False, True, True]), axis=0, symbolic=False)
add("Compress", spread(2, 3), np.asarray([False, True, True, False, True]), symbolic=False, note="flat")
add("ScatterND", spread(3, 4), ints(0, 2).reshape(2, 1), spread(2, 4), wrt=(0, 2), symbolic=False)
for reduction in ("mul", "max", "min"):
    picked = ints(0, 0, 2).reshape(3, 1)
    options = {"reduction": reduction, "symbolic": False, "wrt": (0, 2), "versions": (18,)}
    add("ScatterND", spread(3, 4), picked, spread(3, 4) * 0.7, **options)
    add("ScatterElements", spread(3, 4), picked, spread(3, 1) * 0.7, axis=1, **options)
add("ScatterND", spread(3, 4), ints(0, 0).reshape(2, 1), spread(2, 4), wrt=(0, 2), reduction="add", symbolic=False)
add("ScatterElements", spread(3, 4), ints(0, 1, 3, 2).reshape(2, 2), spread(2, 2), wrt=(0, 2), axis=1, symbolic=False)
add(
    "ScatterElements",
    spread(3, 4),
    ints(0, 0, 3, 2).reshape(2, 2),
    spread(2, 2),
    wrt=(0, 2),
    axis=1,
    reduction="add",
    symbolic=False,
)
add("TopK", spread(2, 6), ints(3), outputs=2)
add("TopK", spread(2, 3, 4), ints(2), outputs=2, axis=1, largest=0)
for attributes in ({}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}):
    add("CumSum", spread(2, 4), np.asarray(1), **attributes)
    add("CumProd", spread(2, 4), np.asarray(1), **attributes)
add("OneHot", ints(0, 2, 5), np.asarray(4), spread(2), wrt=(2,), symbolic=False)
add("OneHot", ints(0, 2, 1), np.asarray(3), spread(2), wrt=(2,), axis=0, symbolic=False)
add("Range", scalar(0.3), scalar(2.4), scalar(0.5), wrt=(0, 2), symbolic=False)
add("Trilu", spread(2, 3, 4))
add("Trilu", spread(2, 3, 4), np.asarray(1), upper=0)

# ---- unfolding -------------------------------------------------------------------------------------------------
for attributes in ({}, {"strides": [2, 1], "pads": [1, 0, 1, 2]}, {"dilations": [2, 1]}):
    steps = {"": 12, "strides": 18, "dilations": 8}[next(iter(attributes), "")]
    add("Col2Im", spread(2, 3 * 4, steps), ints(4, 5), ints(2, 2), **attributes)
add("MaxUnpool", spread(1, 2, 2, 2), ints(5, 7, 12, 14, 17, 18, 28, 31).reshape(1, 2, 2, 2), kernel_shape=[2, 2],
    strides=[2, 2], symbolic=False, exact=False)  # fmt: skip
for attributes in ({}, {"onesided": 1}, {"inverse": 1}):
    for parts in (1, 2):
        if not (attributes.get("onesided") and parts == 2) and not (attributes.get("inverse") and parts == 1):
            add("DFT", spread(2, 5, 3, parts), axis=1, versions=(17,), **attributes)
            add("DFT", spread(2, 3, 5, parts), None, np.asarray(2), versions=(20,), **attributes)
add("DFT", spread(2, 5, 1), np.asarray(7), np.asarray(1), versions=(20,), note="longer")
add("DFT", spread(2, 5, 1), np.asarray(4), np.asarray(1), versions=(20,), note="shorter")

# ---- resizing --------------------------------------------------------------------------------------------------
for attributes, sizes in (
    ({"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, (2, 3, 8, 12)),
    ({"mode": "nearest"}, (2, 3, 7, 9)),
    ({"mode": "nearest", "nearest_mode": "ceil"}, (2, 3, 3, 4)),
    ({"mode": "nearest", "nearest_mode": "round_prefer_ceil"}, (2, 3, 5, 3)),
    ({"mode": "linear"}, (2, 3, 8, 9)),
    ({"mode": "linear"}, (2, 3, 3, 4)),
    ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, (2, 3, 7, 11)),
    ({"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, (2, 3, 8, 1)),
    ({"mode": "linear", "coordinate_transformation_mode": "asymmetric"}, (2, 3, 8, 9)),
    ({"mode": "cubic"}, (2, 3, 8, 9)),
    ({"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}, (2, 3, 7, 5)),
    ({"mode": "cubic", "coordinate_transformation_mode": "align_corners"}, (2, 3, 7, 9)),
):
    add("Resize", spread(2, 3, 4, 6), None, None, ints(*sizes), symbolic=False, note=f"{sizes}", **attributes)
add("Resize", spread(2, 3, 4, 6), None, np.asarray([1, 1, 2, 2.5], np.float32), mode="linear")
add("Resize", spread(2, 3, 4, 6), None, np.asarray([1, 1, 2, 2], np.float32), mode="nearest")
add("Resize", spread(2, 3, 9, 8), None, None, ints(4, 5), mode="linear", antialias=1, axes=[2, 3], versions=(18, 19))
add("Resize", spread(2, 3, 9, 8), None, None, ints(4, 5), mode="cubic", antialias=1, axes=[2, 3], versions=(18, 19))
add(
    "Resize",
    spread(2, 3, 9, 8),
    None,
    np.asarray([1, 1, 0.6, 1.7], np.float32),
    mode="linear",
    coordinate_transformation_mode="half_pixel_symmetric",
    versions=(19,),
)
for region in ((0, 0, 0.2, 0.1, 1, 1, 0.7, 0.9), (0, 0, -0.2, 0.1, 1, 1, 0.8, 1.3)):
    add(
        "Resize",
        spread(2, 3, 6, 7),
        np.asarray(region, np.float32),
        None,
        ints(2, 3, 4, 5),
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=2.0,
        symbolic=False,
        note=f"{region}",
    )
