"""DenseNet: every layer sees all before it (Huang 2016). DPN: a dense and a residual path side by side (Chen 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from consensus_onnx_zoo.networks.layers import conv, head, linear_conv, pooled, scaled


class _Dense(nn.Module):
    """A bottleneck layer whose few new channels join the old ones."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(conv(inputs, 2 * growth, 1), conv(2 * growth, growth))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layer(x)], 1)


def densenet(classes: int, width: float) -> nn.Module:
    """Return three dense blocks with halving transitions."""
    channels, growth = scaled(16, width), scaled(12, width)
    layers: list[nn.Module] = [conv(3, channels, 5, 2), pooled()]
    for block, depth in enumerate((2, 4, 4)):
        if block:
            layers += [conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
            channels //= 2
        for _ in range(depth):
            layers.append(_Dense(channels, growth))
            channels += growth
    return nn.Sequential(*layers, head(channels, classes))


class _DualPath(nn.Module):
    """The first channels are added to (residual path), a few new ones are joined on (dense path)."""

    def __init__(self, inputs: int, residual: int, growth: int) -> None:
        super().__init__()
        self.residual = residual
        middle = residual
        self.layer = nn.Sequential(
            conv(inputs, middle, 1), conv(middle, middle, groups=4), linear_conv(middle, residual + growth)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        kept = self.residual
        return torch.relu(torch.cat([x[:, :kept] + y[:, :kept], x[:, kept:], y[:, kept:]], 1))


def dpn(classes: int, width: float) -> nn.Module:
    """Return two dual-path blocks on each of three map sizes."""
    inputs = scaled(16, width)
    layers: list[nn.Module] = [conv(3, inputs, 5, 2), pooled()]
    for stage, channels in enumerate((16, 32, 64)):
        residual, growth = scaled(channels, width), scaled(channels // 4, width)
        layers.append(conv(inputs, residual, 3, 2 if stage else 1))
        inputs = residual
        for _ in range(2):
            layers.append(_DualPath(inputs, residual, growth))
            inputs += growth
    return nn.Sequential(*layers, head(inputs, classes))
