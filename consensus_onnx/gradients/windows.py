"""Arithmetic of sliding windows, shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.facts import Dim
from consensus_onnx.gradients.nodes import NodeView


@dataclass(frozen=True)
class Windows:
    """Kernel size, strides, dilations and padding along each spatial axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """How many inputs a window spans, gaps included."""
        return tuple((size - 1) * gap + 1 for size, gap in zip(self.kernel, self.dilations, strict=True))


def windows_of(node: NodeView, kernel: Sequence[int], sizes: Sequence[Dim]) -> Windows:
    """Return a node's windows, with `auto_pad` resolved to numbers.

    Parameters
    ----------
    node : NodeView
        A convolution or a pool.
    kernel : sequence of int
        Its kernel size.
    sizes : sequence
        Spatial dimensions of its input.
    """
    rank = len(kernel)
    strides = node.integers("strides") or (1,) * rank
    dilations = node.integers("dilations") or (1,) * rank
    pads = node.integers("pads") or (0,) * (2 * rank)
    before, after = pads[:rank], pads[rank:]
    automatic = node.text("auto_pad", "NOTSET")
    if automatic == "VALID":
        before = after = (0,) * rank
    elif automatic in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            _same_padding(node, size, (width - 1) * gap + 1, stride)
            for size, width, gap, stride in zip(sizes, kernel, dilations, strides, strict=True)
        ]
        small, large = tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals)
        before, after = (small, large) if automatic == "SAME_UPPER" else (large, small)
    return Windows(tuple(kernel), strides, dilations, before, after)


def _same_padding(node: NodeView, size: Dim, extent: int, stride: int) -> int:
    """Return the padding that gives ceil(size / stride) outputs; without stride it does not depend on the size."""
    if stride == 1:
        return extent - 1
    if not isinstance(size, int):
        raise ModelError(
            f"node {node.label!r} ({node.proto.op_type}-{node.version}): auto_pad with stride {stride} needs a static "
            "input size; give the model's input static spatial sizes"
        )
    return max((-(-size // stride) - 1) * stride + extent - size, 0)
