"""Operators written by simpler ones: same outputs as ONNX Runtime's own kernels, and the right gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from consensus_onnx.errors import ModelError, UnsupportedOperatorError
from consensus_onnx.gradients import check_gradient, gradient_model, unsupported_operators
from consensus_onnx.gradients.expansion import expanded_operators, expansion
from gradients.graphs import model_of, ops, run

RNG = np.random.default_rng(3)


def noise(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def fused(text: str, opset: int = 17, **constants: np.ndarray) -> ModelProto:
    """Return a model that may use ONNX Runtime's own operators."""
    model = model_of(text, opset, **constants)
    model.opset_import.add(domain="com.microsoft", version=1)
    return model


def checked(model: ModelProto, tolerance: float = 2e-5) -> ModelProto:
    """Return the gradient model, which has to compute the model's own outputs and agree with differences."""
    gradient = gradient_model(model)
    check_gradient(model, gradient).require(tolerance)
    assert {node.domain for node in gradient.graph.node} <= {""}
    return gradient


W = {"w": noise(4, 3, 3, 3), "b": noise(4)}
TOKENS = "g (float[N,5,8] x) => (float[N,5,8] y)"
WIDE = {"w": noise(8, 24), "b": noise(24), "gamma": noise(8), "beta": noise(8), "skip": noise(1, 5, 8)}
FUSED = [
    ("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.Gelu(x) }", ()),
    ("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.BiasGelu(x, b) }", ("b",)),
    ("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.FastGelu(x) }", ()),
    ("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.FastGelu(x, b) }", ("b",)),
    ("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.QuickGelu <alpha = 1.5> (x) }", ()),
    *(
        (f"g (float[N,3,6,6] x) => (float[N,4,3,3] y) {{ y = com.microsoft.FusedConv <activation = \"{name}\", "
         f"kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]{parameters}> (x, w, b) }}", ("w", "b"))
        for name, parameters in (
            ("Relu", ""),
            ("Sigmoid", ""),
            ("Tanh", ""),
            ("LeakyRelu", ", activation_params = [0.2]"),
            ("Clip", ", activation_params = [-1.0, 1.0]"),
            ("HardSigmoid", ", activation_params = [0.3, 0.4]"),
        )
    ),
    ("g (float[N,2,5] x) => (float[N,2,2] y) { y = com.microsoft.FusedMatMul <transB = 1, alpha = 0.5> (x, x) }", ()),
    ("g (float[N,2,5] x) => (float[N,5,5] y) { y = com.microsoft.FusedMatMul <transA = 1> (x, x) }", ()),
    ("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.FusedGemm <transB = 1, alpha = 0.5, activation = \"Relu\"> (x, square, b) }", ("square", "b")),
    ("g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.FusedGemm <activation = \"LeakyRelu\", activation_alpha = 0.3> (x, square, b) }", ("square", "b")),
]  # fmt: skip
NAMED = {**W, "square": noise(4, 4)}


@pytest.mark.parametrize(("text", "names"), FUSED, ids=lambda value: value[-60:] if isinstance(value, str) else "")
def test_fused_activations_and_products(text: str, names: tuple[str, ...]) -> None:
    checked(fused(text, **{name: NAMED[name] for name in names}))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("y = com.microsoft.Attention <num_heads = 2> (x, w, b)", ("w", "b")),
        ("y = com.microsoft.Attention <num_heads = 4, scale = 0.3> (x, w, b)", ("w", "b")),
        ("p = MatMul(x, w) q, k, v = Split <axis = 2> (p, thirds) "
         "y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, k, v, b)", ("w", "b", "thirds")),
        ("y = com.microsoft.SkipLayerNormalization <epsilon = 1e-5> (x, x, gamma, beta)", ("gamma", "beta")),
        ("y = com.microsoft.SkipLayerNormalization <epsilon = 1e-5> (x, x, gamma, beta, beta)", ("gamma", "beta")),
        ("z, m, i, s = com.microsoft.SkipLayerNormalization <epsilon = 1e-5> (x, x, gamma, beta) y = Add(z, s)",
         ("gamma", "beta")),
        ("y = com.microsoft.SkipSimplifiedLayerNormalization <epsilon = 1e-5> (x, x, gamma)", ("gamma",)),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)  # fmt: skip
def test_attention_and_skip_normalisation(body: str, names: tuple[str, ...]) -> None:
    constants = {**WIDE, "thirds": np.asarray([8, 8, 8])}
    model = fused(f"{TOKENS} {{ {body} }}", **{name: constants[name] for name in names})
    if "z, m, i, s" in body:
        node = model.graph.node[0]
        node.output[1] = node.output[2] = ""
    checked(model)


def test_an_unknown_fused_activation_is_named() -> None:
    model = fused(
        'g (float[N,4] x) => (float[N,4] y) { y = com.microsoft.FusedGemm <activation = "Swoosh"> (x, square, b) }',
        square=NAMED["square"],
        b=NAMED["b"],
    )
    with pytest.raises(
        ModelError, match=r"node 'y' \(FusedGemm\): activation 'Swoosh' is not known; expected one of Relu"
    ):
        gradient_model(model)


def test_forms_that_cannot_be_written_by_others_stay_missing() -> None:
    model = fused(f"{TOKENS} {{ y = com.microsoft.Attention <num_heads = 2, unidirectional = 1> (x, w, b) }}",
                  w=WIDE["w"], b=WIDE["b"])  # fmt: skip
    with pytest.raises(UnsupportedOperatorError, match=r"no gradient rule for com.microsoft.Attention-1 \(node 'y'"):
        gradient_model(model)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("operator", "gates", "states"), [("LSTM", 4, 2), ("GRU", 3, 1), ("RNN", 1, 1)])
@pytest.mark.parametrize("given", [True, False])
def test_recurrent_layers(operator: str, gates: int, states: int, direction: str, given: bool) -> None:
    ways, size, width = (2 if direction == "bidirectional" else 1), 3, 4
    constants = {"w": noise(ways, gates * size, width), "r": noise(ways, gates * size, size)}
    inputs = "x, w, r"
    if given:
        constants["b"] = noise(ways, 2 * gates * size)
        initial = {f"s{at}": noise(ways, 2, size) for at in range(states)}
        inputs += ", b, , " + ", ".join(initial)
        constants |= initial
    batch = 2 if given else "N"
    extra = ", linear_before_reset = 1" if operator == "GRU" and given else ""
    model = model_of(
        f"""g (float[5,{batch},{width}] x) => (float[5,{ways},{batch},{size}] y) {{
            a, h = {operator} <hidden_size = {size}, direction = "{direction}"{extra}> ({inputs})
            e = Unsqueeze(h, first) y = Add(a, e)
        }}""",
        first=np.asarray([0]),
        **constants,
    )
    gradient = gradient_model(model)
    check_gradient(model, gradient, feeds={"x": noise(5, 2, width)}).require(2e-5)
    assert operator not in ops(gradient)


def test_peepholes() -> None:
    constants = {"w": noise(1, 12, 4), "r": noise(1, 12, 3), "b": noise(1, 24), "p": noise(1, 9)}
    checked_model = model_of(
        "g (float[5,2,4] x) => (float[5,1,2,3] y) { y = LSTM <hidden_size = 3> (x, w, r, b, , , , p) }", **constants
    )
    check_gradient(checked_model, gradient_model(checked_model)).require(2e-5)


@pytest.mark.parametrize(
    "functions", ["", ', activations = ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Softsign", "Relu"]']
)
def test_both_directions_with_peepholes(functions: str) -> None:
    constants = {"w": noise(2, 12, 4), "r": noise(2, 12, 3), "b": noise(2, 24), "p": noise(2, 9)}
    attributes = f'hidden_size = 3, direction = "bidirectional"{functions}'
    model = model_of(
        f"g (float[5,2,4] x) => (float[5,2,2,3] y) {{ y = LSTM <{attributes}> (x, w, r, b, , , , p) }}", **constants
    )
    gradient = gradient_model(model)
    check_gradient(model, gradient).require(2e-5)
    # Directions with other functions take their steps apart.
    assert ops(gradient).count("Sigmoid") == 3 * 5 * (2 if functions else 1)


def test_both_directions_of_a_recurrent_layer_take_each_step_together() -> None:
    constants = {"w": noise(2, 12, 4), "r": noise(2, 12, 3)}
    model = model_of(
        """g (float[8,2,4] x) => (float[8,2,2,3] y) {
            y = LSTM <hidden_size = 3, direction = "bidirectional"> (x, w, r)
        }""",
        **constants,
    )
    assert ops(gradient_model(model)).count("Sigmoid") == 8


def test_functions_with_numbers_of_their_own_stay_missing() -> None:
    model = model_of(
        """g (float[3,2,4] x) => (float[3,1,2,3] y) {
            y = RNN <hidden_size = 3, activations = ["LeakyRelu"], activation_alpha = [0.3]> (x, w, r)
        }""",
        w=noise(1, 3, 4),
        r=noise(1, 3, 3),
    )
    with pytest.raises(UnsupportedOperatorError, match=r"no gradient rule for RNN-14"):
        gradient_model(model)


LOOP = """g (float[N,3] x) => (float[N,3] y, float[4,N,3] z) {
    y, z = Loop (trips, , x) <body = round (int64 i, bool c, float[N,3] s) => (bool d, float[N,3] t, float[N,3] u) {
        d = Identity(c) f = Cast <to = 1> (i) a = Tanh(s) t = Mul(a, factor) u = Add(a, f)
    }>
}"""


def test_a_loop_with_a_known_number_of_rounds_is_unrolled() -> None:
    model = model_of(LOOP, trips=np.asarray(4), factor=np.float32(1.5).reshape(()))
    for output in ("y", "z"):
        gradient = gradient_model(model, output=output)
        check_gradient(model, gradient).require(1e-5)
        assert ops(gradient).count("Tanh") == 4
        assert "Loop" not in ops(gradient)


def test_a_loop_that_stops_by_a_known_condition() -> None:
    text = """g (float[N,3] x) => (float[N,3] y) {
        y = Loop (, going, x) <body = round (int64 i, bool c, float[N,3] s) => (bool d, float[N,3] t) {
            d = Less(i, last) t = Tanh(s)
        }>
    }"""
    model = model_of(text, going=np.asarray(True), last=np.asarray(2))
    assert ops(checked(model)).count("Tanh") == 3


def test_a_loop_whose_condition_depends_on_the_input_stays() -> None:
    text = """g (float[1,1] x) => (float[1,1] y) {
        y = Loop (trips, going, x) <body = round (int64 i, bool c, float[1,1] s) => (bool d, float[1,1] t) {
            t = Tanh(s) b = Less(t, half) d = Squeeze(b)
        }>
    }"""
    constants = {"trips": np.asarray(4), "going": np.asarray(True), "half": np.float32([[0.5]])}
    with pytest.raises(UnsupportedOperatorError, match="no gradient rule for Loop-16"):
        gradient_model(model_of(text, **constants))


@pytest.mark.parametrize("direction", [0, 1])
def test_a_scan_is_unrolled(direction: int) -> None:
    text = f"""g (float[2,4,3] x) => (float[2,4,3] y) {{
        s, y = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
                     scan_input_directions = [{direction}], scan_output_directions = [{direction}],
                     body = step (float[2,3] a, float[2,3] r) => (float[2,3] b, float[2,3] o) {{
            m = Mul(a, r) b = Tanh(m) o = Identity(b)
        }}> (start, x)
    }}"""
    assert "Scan" not in ops(checked(model_of(text, start=noise(2, 3))))


def test_subgraphs_in_subgraphs_keep_their_names_apart() -> None:
    text = """g (float[N,3] x) => (float[N,3] y) {
        a = Tanh(x)
        y = If (yes) <then_branch = one () => (float[N,3] o) {
            a1 = Sigmoid(a)
            o = If (no) <then_branch = two () => (float[N,3] p) { p = Exp(a1) },
                         else_branch = three () => (float[N,3] p) { a2 = Mul(a1, a) p = Tanh(a2) }>
        }, else_branch = four () => (float[N,3] o) { o = Exp(a) }>
    }"""
    gradient = checked(model_of(text, yes=np.asarray(True), no=np.asarray(False)))
    assert "Exp" not in ops(gradient)
    assert "If" not in ops(gradient)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("aligned", [0, 1])
def test_grid_sample_by_image_and_by_grid(mode: str, padding: str, aligned: int) -> None:
    attributes = f'mode = "{mode}", padding_mode = "{padding}", align_corners = {aligned}'
    grid = np.random.default_rng(1).uniform(-1.3, 1.3, (2, 3, 4, 2)).astype(np.float32)
    model = model_of(
        f"g (float[2,3,5,6] x, float[2,3,4,2] at) => (float[2,3,3,4] y) {{ y = GridSample <{attributes}> (x, at) }}"
    )
    feeds = {"x": noise(2, 3, 5, 6), "at": grid}
    check_gradient(model, gradient_model(model, wrt="x"), feeds=feeds).require(2e-5)
    if mode != "nearest":
        check_gradient(model, gradient_model(model, wrt="at"), feeds=feeds).require(2e-4)


@pytest.mark.parametrize(
    ("attributes", "kernel", "size", "out", "offsets"),
    [
        ("pads = [1, 1, 1, 1]", (2, 4, 3, 3), 5, 5, 18),
        ("group = 2, strides = [2, 2]", (4, 2, 3, 2), 6, (2, 3), 12),
        ("offset_group = 2, dilations = [2, 1], pads = [0, 1, 2, 0]", (2, 4, 2, 3), 5, (5, 4), 24),
    ],
)
@pytest.mark.parametrize("masked", [False, True])
def test_deform_conv_by_image_offset_and_mask(
    attributes: str, kernel: tuple[int, ...], size: int, out: Any, offsets: int, masked: bool
) -> None:
    """Against ONNX's evaluator, which samples point by point; places lie in the image, on its border and outside."""
    high, wide = (out, out) if isinstance(out, int) else out
    shapes = {"x": (2, 4, size, size), "o": (2, offsets, high, wide)}
    shapes |= {"m": (2, offsets // 2, high, wide)} if masked else {}
    inputs = ", ".join(f"float[{','.join(map(str, shape))}] {name}" for name, shape in shapes.items())
    model = model_of(
        f"g ({inputs}) => (float[2,{kernel[0]},{high},{wide}] y) {{ "
        f"y = DeformConv <{attributes}> (x, w, o, b{', m' if masked else ''}) }}",
        19, w=noise(*kernel), b=noise(kernel[0]),
    )  # fmt: skip
    feeds = {name: 0.8 * noise(*shape) for name, shape in shapes.items()}
    for name in shapes:
        check_gradient(model, gradient_model(model, wrt=name), feeds=feeds).require(2e-4)


def test_deform_conv_of_many_pixels_in_float16() -> None:
    """4,096 places: float16 counts to 2,048."""
    model = model_of(
        "g (float16[N,1,64,64] x) => (float16[N,1,64,64] y) { y = DeformConv(x, w, o) }",
        19, w=np.full((1, 1, 1, 1), 2, np.float16), o=np.zeros((1, 2, 64, 64), np.float16),
    )  # fmt: skip
    x, seed = np.zeros((1, 1, 64, 64), np.float16), noise(1, 1, 64, 64).astype(np.float16)
    np.testing.assert_array_equal(run(gradient_model(model), "grad/x", x=x, seed=seed)[0], 2 * seed)


def test_a_deform_conv_of_unknown_sizes_is_left_alone_off_the_way() -> None:
    text = """g (float[N,1,4,4] x, float[M] moves, int64[R] shape) => (float[N,1,4,4] y, float[a,b,c,d] z) {
        y = Tanh(x) o = Reshape(moves, shape) z = DeformConv(x, w, o)
    }"""
    model = model_of(text, 19, w=noise(1, 1, 1, 1))
    assert "DeformConv" in ops(gradient_model(model, output="y", wrt="x"))


def test_a_spatial_transformer() -> None:
    model = model_of(
        """g (float[N,3,6,6] x) => (float[N,3,4,4] y) {
            p = ReduceMean <axes = [1, 3], keepdims = 0> (x) t = MatMul(p, w) theta = Reshape(t, shape)
            s = Shape(x) n = Slice(s, zero, one) size = Concat <axis = 0> (n, rest)
            grid = AffineGrid(theta, size)
            y = GridSample <mode = "linear"> (x, grid)
        }""",
        17, w=noise(6, 6) / 3, shape=np.asarray([-1, 2, 3]), zero=np.asarray([0]), one=np.asarray([1]),
        rest=np.asarray([3, 4, 4]),
    )  # fmt: skip
    model.opset_import[0].version = 20
    for node in model.graph.node:
        if node.op_type == "ReduceMean":
            node.attribute.remove(next(attribute for attribute in node.attribute if attribute.name == "axes"))
            node.input.append("axes")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray([1, 3]), "axes"))
    check_gradient(model, gradient_model(model), feeds={"x": noise(2, 3, 6, 6)}).require(1e-4)


def test_a_row_that_attends_to_nothing_has_gradient_zero() -> None:
    mask = np.asarray([[True, True, False], [False, False, False], [True, True, True]])
    model = model_of("g (float[1,1,3,4] x) => (float[1,1,3,4] y) { y = Attention(x, x, x, mask) }", 23, mask=mask)
    assert np.isfinite(check_gradient(model, gradient_model(model)).got).all()
    check_gradient(model, gradient_model(model)).require(2e-5)


def test_a_second_expansion_is_refused() -> None:
    assert ("com.microsoft", "BiasGelu") in expanded_operators()
    with pytest.raises(ValueError, match="BiasGelu has an expansion already"):
        expansion("BiasGelu", domain="com.microsoft")(lambda *_: [])


def test_every_expansion_of_onnx_is_one_of_its_operators() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}
    assert {operator for domain, operator in expanded_operators() if not domain} <= known


def test_nothing_is_missing_where_everything_expands() -> None:
    assert unsupported_operators(fused(FUSED[0][0])) == ()
