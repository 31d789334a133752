"""ShuffleNetV2: half of the channels pass by, then all are shuffled (Ma 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from consensus_onnx_zoo.networks.layers import conv, head, linear_conv, pooled, scaled


def _branch(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        conv(inputs, outputs, 1), linear_conv(outputs, outputs, 3, stride, outputs), conv(outputs, outputs, 1)
    )


def _shuffled(x: Tensor) -> Tensor:
    channels, rows, columns = x.shape[1:]
    return x.reshape(-1, 2, channels // 2, rows, columns).transpose(1, 2).reshape(-1, channels, rows, columns)


class _Unit(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.branch = _branch(self.half, self.half, 1)

    def forward(self, x: Tensor) -> Tensor:
        return _shuffled(torch.cat([x[:, : self.half], self.branch(x[:, self.half :])], 1))


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.left = nn.Sequential(linear_conv(inputs, inputs, 3, 2, inputs), conv(inputs, outputs // 2, 1))
        self.right = _branch(inputs, outputs // 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return _shuffled(torch.cat([self.left(x), self.right(x)], 1))


def shufflenet(classes: int, width: float) -> nn.Module:
    """Return the network."""
    a, b, c, d = (scaled(channels, width) for channels in (24, 48, 96, 128))
    return nn.Sequential(
        conv(3, a, 3, 2),
        pooled(),
        _Unit(a),
        _Down(a, b),
        _Unit(b),
        _Unit(b),
        _Down(b, c),
        _Unit(c),
        conv(c, d, 1),
        head(d, classes),
    )
