"""Convolution and its transpose."""

from __future__ import annotations

from collections.abc import Sequence

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.convolution import Convolution
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.windows import Windows, windows_of
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("Conv", (11, 22))
def conv(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dX: the transposed convolution of g with W, as the lowering writes it; dW: x correlated with g.

    dbias sums g per channel.
    """
    g = first(grads)
    x, weight = node.inputs[:2]
    dx = dw = db = None
    windows = windows_of(node, _static(node, weight), node.shape(x)[2:])
    group = node.integer("group", 1)
    if 0 in node.wanted:
        dx = emit.lowering.convolution(emit, g, Convolution(weight, x, group, windows))
    if 1 in node.wanted:
        dw = kernel_gradient(node, emit, x, g, group, windows)
    if 2 in node.wanted:
        db = emit.reduce("ReduceSum", g, [0, *range(2, emit.rank(g))], keepdims=False)
    return [dx, dw, db][: len(node.inputs)]


@gradient_rule("ConvTranspose", (11, 22))
def conv_transpose(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dX: the convolution of g with W at the same stride, dilation and padding; dW: g correlated with x."""
    g = first(grads)
    x, weight = node.inputs[:2]
    dx = dw = db = None
    kernel, inputs, outputs = (_static(node, name) for name in (weight, x, node.outputs[0]))
    rank = len(kernel)
    group = node.integer("group", 1)
    strides = node.integers("strides") or (1,) * rank
    dilations = node.integers("dilations") or (1,) * rank
    before = _padding_before(node, inputs, outputs, kernel, strides, dilations)
    if 1 in node.wanted:
        windows = Windows(tuple(kernel), strides, dilations, tuple(before), (0,) * rank)
        dw = kernel_gradient(node, emit, g, x, group, windows)
    if 2 in node.wanted:
        db = emit.reduce("ReduceSum", g, [0, *range(2, emit.rank(g))], keepdims=False)
    if 0 in node.wanted:
        # What is left after `before` is chosen so that the convolution has exactly the input's size.
        after = [
            (size - 1) * stride + (width - 1) * gap + 1 - out - front
            for size, stride, width, gap, out, front in zip(
                inputs, strides, kernel, dilations, outputs, before, strict=True
            )
        ]
        crop = [min(pad, 0) for pad in after]
        g = emit.pad(g, [0] * (rank + 2), [0, 0, *crop])
        pads = [*before, *(max(pad, 0) for pad in after)]
        dx = emit.op("Conv", g, weight, group=group, strides=list(strides), dilations=list(dilations), pads=pads)
    return [dx, dw, db][: len(node.inputs)]


def kernel_gradient(node: NodeView, emit: GraphWriter, x: str, g: str, group: int, windows: Windows) -> str:
    """Return dW (O, C/g, *kernel) of a convolution: a convolution of x with g whose channels are the batch.

    dW[o, c, k] = sum over b, p of g[b, o, p] x[b, c, s p + d k]: stride and dilation change places.
    """
    inputs, outputs = _static(node, x), _static(node, g)
    # What is left after `before` is chosen so that there are as many results as taps.
    after = [
        (width - 1) * gap + (out - 1) * stride + 1 - size - front
        for width, gap, out, stride, size, front in zip(
            windows.kernel, windows.dilations, outputs, windows.strides, inputs, windows.before, strict=True
        )
    ]
    x = emit.pad(x, [0, 0, *(min(pad, 0) for pad in windows.before)], [0, 0, *(min(pad, 0) for pad in after)])
    channels = emit.shape(x)[1]
    if not isinstance(channels, int):
        raise ModelError(f"node {node.label!r} ({node.proto.op_type}): its gradient needs a static number of channels")
    rest = [*range(2, emit.rank(x))]
    if group > 1:  # (B, g C/g, *n) -> (C/g, g B, *n): each group of O/g kernels meets its own C/g channels
        split = emit.op("Reshape", x, emit.ints([0, group, channels // group, *_static(node, x)]))
        turned = emit.transpose(split, [2, 1, 0, *(axis + 1 for axis in rest)])
        x = emit.op("Reshape", turned, emit.ints([channels // group, -1, *_static(node, x)]))
    else:
        x = emit.transpose(x, [1, 0, *rest])
    found = emit.op(
        "Conv",
        x,
        emit.transpose(g, [1, 0, *rest]),
        group=group,
        strides=list(windows.dilations),
        dilations=list(windows.strides),
        pads=[*(max(pad, 0) for pad in windows.before), *(max(pad, 0) for pad in after)],
    )
    return emit.transpose(found, [1, 0, *rest])


def _static(node: NodeView, name: str) -> list[int]:
    """Return a tensor's spatial sizes, which have to be static."""
    shape = node.shape(name)
    sizes = [dim for dim in shape[2:] if isinstance(dim, int)]
    if len(sizes) < len(shape) - 2:
        raise ModelError(f"node {node.label!r} ({node.proto.op_type}): its gradient needs static spatial sizes")
    return sizes


def _padding_before(
    node: NodeView,
    inputs: Sequence[int],
    outputs: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[int]:
    """Return the leading padding, which `auto_pad` or `output_shape` may leave to be computed."""
    rank = len(kernel)
    automatic = node.text("auto_pad", "NOTSET")
    if automatic in ("NOTSET", "VALID") and node.integers("output_shape") is None:
        pads = node.integers("pads") or (0,) * (2 * rank)
        return list(pads[:rank])
    extra = node.integers("output_padding") or (0,) * rank
    total = [
        stride * (size - 1) + more + (width - 1) * gap + 1 - out
        for stride, size, more, width, gap, out in zip(strides, inputs, extra, kernel, dilations, outputs, strict=True)
    ]
    # ONNX: the smaller half in front for SAME_UPPER, the larger one otherwise
    return [each // 2 if automatic == "SAME_UPPER" else each - each // 2 for each in total]
