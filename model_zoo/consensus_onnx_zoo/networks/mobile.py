"""Depthwise convolutions: MobileNetV2, EfficientNet, Xception."""

from __future__ import annotations

from torch import nn

from consensus_onnx_zoo.networks.layers import (
    Residual,
    SqueezeExcitation,
    conv,
    head,
    linear_conv,
    pooled,
    scaled,
    separable,
)


def _inverted(inputs: int, outputs: int, stride: int, activation: type[nn.Module], excited: bool) -> nn.Module:
    """Return expand, depthwise convolution, project; a shortcut where the shapes agree (Sandler 2018)."""
    wide = 3 * inputs
    layers: list[nn.Module] = [
        conv(inputs, wide, 1, activation=activation()),
        conv(wide, wide, 3, stride, groups=wide, activation=activation()),
    ]
    if excited:
        layers.append(SqueezeExcitation(wide, max(4, inputs // 4), activation()))
    body = nn.Sequential(*layers, linear_conv(wide, outputs))
    return Residual(body, activation=nn.Identity()) if inputs == outputs and stride == 1 else body


def _inverted_stack(classes: int, width: float, activation: type[nn.Module], excited: bool) -> nn.Module:
    a, b, c = (scaled(channels, width) for channels in (16, 24, 40))
    last = scaled(96, width)
    plan = ((a, b, 2), (b, b, 1), (b, c, 1), (c, c, 2), (c, c, 1))
    return nn.Sequential(
        conv(3, a, 5, 4, activation=activation()),
        *(_inverted(inputs, outputs, stride, activation, excited) for inputs, outputs, stride in plan),
        conv(c, last, 1, activation=activation()),
        head(last, classes),
    )


def mobilenet(classes: int, width: float) -> nn.Module:
    """Return a MobileNetV2."""
    return _inverted_stack(classes, width, nn.ReLU6, excited=False)


def efficientnet(classes: int, width: float) -> nn.Module:
    """Return an EfficientNet: MobileNetV2's block with SiLU and squeeze and excitation (Tan 2019)."""
    return _inverted_stack(classes, width, nn.SiLU, excited=True)


def _entry(inputs: int, outputs: int) -> nn.Module:
    body = nn.Sequential(separable(inputs, outputs), nn.ReLU(inplace=True), separable(outputs, outputs), pooled())
    return Residual(body, linear_conv(inputs, outputs, 1, 2), nn.ReLU(inplace=True))


def xception(classes: int, width: float) -> nn.Module:
    """Return an Xception: residual blocks of separable convolutions (Chollet 2016)."""
    a, b, c, d = (scaled(channels, width) for channels in (16, 32, 64, 96))
    middle = nn.Sequential(separable(c, c), nn.ReLU(inplace=True), separable(c, c))
    return nn.Sequential(
        conv(3, a, 3, 2),
        pooled(),
        _entry(a, b),
        _entry(b, c),
        Residual(middle),
        separable(c, d),
        nn.ReLU(),
        head(d, classes),
    )
