"""HRNet: a fine and a coarse map side by side that exchange what they see (Wang 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from consensus_onnx_zoo.networks.layers import Residual, conv, head, linear_conv, pooled, scaled


def _basic(channels: int) -> nn.Module:
    return Residual(nn.Sequential(conv(channels, channels), linear_conv(channels, channels, 3)))


class _Exchange(nn.Module):
    """One block on each map, then each map adds the other, resized."""

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        self.fine, self.coarse = _basic(fine), _basic(coarse)
        self.down = linear_conv(fine, coarse, 3, 2)
        self.up = nn.Sequential(linear_conv(coarse, fine), nn.Upsample(scale_factor=2, mode="nearest"))

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        fine, coarse = self.fine(fine), self.coarse(coarse)
        return torch.relu(fine + self.up(coarse)), torch.relu(coarse + self.down(fine))


class _HRNet(nn.Module):
    def __init__(self, classes: int, width: float) -> None:
        super().__init__()
        fine, coarse, last = (scaled(channels, width) for channels in (12, 24, 48))
        self.stem = nn.Sequential(conv(3, fine, 3, 2), pooled())
        self.split = conv(fine, coarse, 3, 2)
        self.exchanges = nn.ModuleList([_Exchange(fine, coarse) for _ in range(2)])
        self.join = nn.Sequential(conv(fine, coarse, 3, 2))
        self.head = nn.Sequential(conv(2 * coarse, last, 3, 2), head(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.stem(x)
        coarse = self.split(fine)
        for exchange in self.exchanges:
            fine, coarse = exchange(fine, coarse)
        return self.head(torch.cat([self.join(fine), coarse], 1))


def hrnet(classes: int, width: float) -> nn.Module:
    """Return the network."""
    return _HRNet(classes, width)
