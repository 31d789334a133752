"""VGG: pairs of 3 x 3 convolutions between max poolings (Simonyan 2014), with batch normalisation."""

from __future__ import annotations

from torch import nn

from consensus_onnx_zoo.networks.layers import conv, scaled


def vgg(classes: int, width: float) -> nn.Module:
    """Return the network."""
    a, b, c, d = (scaled(channels, width) for channels in (16, 24, 48, 64))
    layers: list[nn.Module] = [conv(3, a, 3, 2), nn.MaxPool2d(2)]
    for inputs, outputs in ((a, b), (b, c), (c, d)):
        layers += [conv(inputs, outputs), conv(outputs, outputs), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(9 * d, classes))
