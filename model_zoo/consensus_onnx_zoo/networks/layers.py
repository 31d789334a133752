"""Pieces that several families share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def scaled(channels: int, width: float, multiple: int = 4) -> int:
    """Return a number of channels times the width, a multiple of `multiple` and not less than it."""
    return max(multiple, int(channels * width / multiple + 0.5) * multiple)


def conv(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """Return convolution, batch normalisation and activation (ReLU); the map keeps its size but for the stride."""
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (dilation * (rows - 1) // 2, dilation * (columns - 1) // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, (rows, columns), stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True) if activation is None else activation,
    )


def linear_conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return convolution and batch normalisation without activation."""
    return conv(inputs, outputs, kernel, stride, groups, activation=nn.Identity())


def separable(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Return a depthwise and a pointwise convolution, normalised once, without activation."""
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, stride, padding, dilation, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


def pooled(kernel: int = 3, stride: int = 2) -> nn.MaxPool2d:
    """Return max pooling that halves the map (rounding up) by default."""
    return nn.MaxPool2d(kernel, stride, kernel // 2)


def head(channels: int, classes: int) -> nn.Sequential:
    """Return the usual end: mean over the map, one linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class Residual(nn.Module):
    """Body and shortcut added, then ReLU unless told otherwise."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut
        self.activation = nn.ReLU(inplace=True) if activation is None else activation

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return self.activation(self.body(x) + self.shortcut(x))


class Branches(nn.Module):
    """Several modules on one input, their outputs joined along the channels."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches' outputs, joined."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class SqueezeExcitation(nn.Module):
    """Each channel weighed by a small network of the channels' means."""

    def __init__(self, channels: int, squeezed: int, activation: nn.Module) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            activation,
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighed channels."""
        return x * self.weigh(x)


def projected(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """Return the shortcut of a residual block: nothing where the shapes agree, else a 1 x 1 convolution."""
    return None if inputs == outputs and stride == 1 else linear_conv(inputs, outputs, 1, stride)
