"""ResNet (He 2015) and four that change its block: ResNeXt, SE-ResNet, Res2Net, ACNet."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from consensus_onnx_zoo.networks.layers import (
    Residual,
    SqueezeExcitation,
    conv,
    head,
    linear_conv,
    pooled,
    projected,
    scaled,
)

Body = Callable[[int, int, int], nn.Module]


def _stacked(classes: int, width: float, body: Body) -> nn.Module:
    """Return stem, four residual blocks on maps of 24, 12, 12 and 6 pixels, and head."""
    a, b, c = (scaled(channels, width, 8) for channels in (16, 32, 64))
    blocks = [
        Residual(body(inputs, outputs, stride), projected(inputs, outputs, stride))
        for inputs, outputs, stride in ((a, a, 1), (a, b, 2), (b, b, 1), (b, c, 2))
    ]
    return nn.Sequential(conv(3, a, 5, 2), pooled(), *blocks, head(c, classes))


def _basic(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(conv(inputs, outputs, 3, stride), linear_conv(outputs, outputs, 3))


def _grouped(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(
        conv(inputs, outputs, 1), conv(outputs, outputs, 3, stride, groups=4), linear_conv(outputs, outputs)
    )


def _weighed(inputs: int, outputs: int, stride: int) -> nn.Module:
    excitation = SqueezeExcitation(outputs, max(4, outputs // 4), nn.ReLU(inplace=True))
    return nn.Sequential(_basic(inputs, outputs, stride), excitation)


class _Hierarchy(nn.Module):
    """Four slices of the channels; each passes a 3 x 3 convolution together with the slice before it (Gao 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.part = channels // 4
        self.convolutions = nn.ModuleList([conv(self.part, self.part) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[:, start * self.part : (start + 1) * self.part] for start in range(4)]
        outputs = [parts[0]]
        for index, convolution in enumerate(self.convolutions):
            before = parts[index + 1] if index == 0 else parts[index + 1] + outputs[-1]
            outputs.append(convolution(before))
        return torch.cat(outputs, 1)


def _hierarchical(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(
        conv(inputs, outputs, 3 if stride > 1 else 1, stride), _Hierarchy(outputs), linear_conv(outputs, outputs)
    )


class _Asymmetric(nn.Module):
    """The sum of 3 x 3, 1 x 3 and 3 x 1 convolutions (Ding 2019)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        kernels = ((3, 3), (1, 3), (3, 1))
        self.arms = nn.ModuleList(
            [conv(inputs, outputs, kernel, stride, activation=nn.Identity()) for kernel in kernels]
        )

    def forward(self, x: Tensor) -> Tensor:
        square, wide, tall = (arm(x) for arm in self.arms)
        return square + wide + tall


def _asymmetric(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(_Asymmetric(inputs, outputs, stride), nn.ReLU(inplace=True), _Asymmetric(outputs, outputs, 1))


def resnet(classes: int, width: float) -> nn.Module:
    """Return a ResNet of basic blocks."""
    return _stacked(classes, width, _basic)


def resnext(classes: int, width: float) -> nn.Module:
    """Return a ResNeXt: the 3 x 3 convolution in four groups (Xie 2016)."""
    return _stacked(classes, width, _grouped)


def seresnet(classes: int, width: float) -> nn.Module:
    """Return an SE-ResNet: channels weighed by squeeze and excitation (Hu 2017)."""
    return _stacked(classes, width, _weighed)


def res2net(classes: int, width: float) -> nn.Module:
    """Return a Res2Net."""
    return _stacked(classes, width, _hierarchical)


def acnet(classes: int, width: float) -> nn.Module:
    """Return an ACNet."""
    return _stacked(classes, width, _asymmetric)
