"""AlexNet: large first kernels, max pooling, two linear layers, no normalisation (Krizhevsky 2012)."""

from __future__ import annotations

from torch import nn

from consensus_onnx_zoo.networks.layers import scaled


def alexnet(classes: int, width: float) -> nn.Module:
    """Return the network."""
    a, b, c, hidden = (scaled(channels, width) for channels in (24, 48, 64, 128))
    return nn.Sequential(
        nn.Conv2d(3, a, 7, 4, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(a, b, 5, 1, 2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(b, c, 3, 1, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(c, b, 3, 1, 1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(9 * b, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, classes),
    )
