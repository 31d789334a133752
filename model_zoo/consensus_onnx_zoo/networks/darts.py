"""DARTS: the cell that a search found, written out (Liu 2018): separable and dilated convolutions, skips, pooling."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from consensus_onnx_zoo.networks.layers import conv, head, pooled, scaled, separable


def _step(channels: int, kernel: int, dilation: int = 1) -> nn.Module:
    return nn.Sequential(nn.ReLU(), separable(channels, channels, kernel, dilation=dilation))


class _Cell(nn.Module):
    """Three nodes, each the sum of two operations on the input or an earlier node; the nodes are joined."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.enter = conv(inputs, channels, 1)
        self.first, self.second = _step(channels, 3), _step(channels, 5)
        self.third, self.dilated = _step(channels, 3), _step(channels, 3, dilation=2)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        a = self.first(x) + self.second(x)
        b = self.third(a) + x
        c = self.dilated(b) + self.pool(x)
        return torch.cat([a, b, c], 1)


def darts(classes: int, width: float) -> nn.Module:
    """Return five cells; two poolings between them."""
    a, b, c = (scaled(channels, width) for channels in (12, 20, 32))
    return nn.Sequential(
        conv(3, a, 3, 2),
        pooled(),
        _Cell(a, a),
        pooled(),
        _Cell(3 * a, b),
        _Cell(3 * b, b),
        pooled(),
        _Cell(3 * b, c),
        nn.ReLU(),
        head(3 * c, classes),
    )
