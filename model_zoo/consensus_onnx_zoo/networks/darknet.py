"""DarkNet-53's block: 1 x 1 down, 3 x 3 up, leaky ReLU, shortcut (Redmon 2018)."""

from __future__ import annotations

from torch import nn

from consensus_onnx_zoo.networks.layers import Residual, conv, head, scaled


def _leaky(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    return conv(inputs, outputs, kernel, stride, activation=nn.LeakyReLU(0.1, inplace=True))


def _block(channels: int) -> nn.Module:
    body = nn.Sequential(_leaky(channels, channels // 2, 1), _leaky(channels // 2, channels, 3))
    return Residual(body, activation=nn.Identity())


def darknet(classes: int, width: float) -> nn.Module:
    """Return the network."""
    a, b, c, d = (scaled(channels, width) for channels in (12, 24, 48, 72))
    return nn.Sequential(
        _leaky(3, a, 3, 2),
        _leaky(a, b, 3, 2),
        _block(b),
        _leaky(b, c, 3, 2),
        _block(c),
        _block(c),
        _leaky(c, d, 3, 2),
        _block(d),
        head(d, classes),
    )
