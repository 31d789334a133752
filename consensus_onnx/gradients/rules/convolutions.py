"""Convolution and its transpose."""

from __future__ import annotations

from collections.abc import Sequence

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.convolution import Convolution
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.windows import windows_of
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("Conv", (11, 22))
def conv(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dX is the transposed convolution of g with W, as the lowering writes it; dbias sums g per channel.

    The gradient of a computed kernel is not implemented.
    """
    g = first(grads)
    x, weight = node.inputs[:2]
    dx = db = None
    if 0 in node.wanted:
        kernel = [dim for dim in node.shape(weight)[2:] if isinstance(dim, int)]
        windows = windows_of(node, kernel, node.shape(x)[2:])
        dx = emit.lowering.convolution(emit, g, Convolution(weight, x, node.integer("group", 1), windows))
    if 1 in node.wanted:
        raise ModelError(
            f"node {node.label!r} (Conv): its kernel depends on the input; that gradient is not implemented"
        )
    if 2 in node.wanted:
        db = emit.reduce("ReduceSum", g, [0, *range(2, emit.rank(g))], keepdims=False)
    return [dx, None, db][: len(node.inputs)]


@gradient_rule("ConvTranspose", (11, 22))
def conv_transpose(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dX is the convolution of g with W at the same stride, dilation and padding."""
    g = first(grads)
    x, weight = node.inputs[:2]
    if 1 in node.wanted:
        raise ModelError(
            f"node {node.label!r} (ConvTranspose): its kernel depends on the input; that gradient is not implemented"
        )
    dx = db = None
    if 0 in node.wanted:
        kernel = [dim for dim in node.shape(weight)[2:] if isinstance(dim, int)]
        inputs = [dim for dim in node.shape(x)[2:] if isinstance(dim, int)]
        outputs = [dim for dim in node.shape(node.outputs[0])[2:] if isinstance(dim, int)]
        rank = len(kernel)
        if len(inputs) < rank or len(outputs) < rank:
            raise ModelError(f"node {node.label!r} (ConvTranspose): its gradient needs static spatial sizes")
        strides = node.integers("strides") or (1,) * rank
        dilations = node.integers("dilations") or (1,) * rank
        before = _padding_before(node, inputs, outputs, kernel, strides, dilations)
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
        group = node.integer("group", 1)
        dx = emit.op("Conv", g, weight, group=group, strides=list(strides), dilations=list(dilations), pads=pads)
    if 2 in node.wanted:
        db = emit.reduce("ReduceSum", grads[0] or g, [0, *range(2, emit.rank(g))], keepdims=False)
    return [dx, None, db][: len(node.inputs)]


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
