"""GoogleNet (Szegedy 2014), Inception with factorised kernels (Szegedy 2015), SqueezeNet's fire (Iandola 2016)."""

from __future__ import annotations

from torch import nn

from consensus_onnx_zoo.networks.layers import Branches, conv, head, pooled, scaled


def _pool_branch(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, outputs, 1))


def _module(inputs: int, part: int) -> nn.Module:
    """Return 1 x 1, 3 x 3, 5 x 5 and pooling side by side, `part` channels each, the 3 x 3 with twice as many."""
    return Branches(
        [
            conv(inputs, part, 1),
            nn.Sequential(conv(inputs, part, 1), conv(part, 2 * part)),
            nn.Sequential(conv(inputs, part, 1), conv(part, part, 5)),
            _pool_branch(inputs, part),
        ]
    )


def googlenet(classes: int, width: float) -> nn.Module:
    """Return the network."""
    a, b, c = (scaled(channels, width) for channels in (8, 12, 16))
    return nn.Sequential(
        conv(3, 2 * a, 7, 2),
        pooled(),
        _module(2 * a, a),
        pooled(),
        _module(5 * a, b),
        _module(5 * b, b),
        pooled(),
        _module(5 * b, c),
        head(5 * c, classes),
    )


def _factorised(inputs: int, part: int) -> nn.Module:
    """Return 1 x 1, two 3 x 3, 1 x 5 then 5 x 1, and pooling side by side."""
    return Branches(
        [
            conv(inputs, part, 1),
            nn.Sequential(conv(inputs, part, 1), conv(part, 2 * part), conv(2 * part, part)),
            nn.Sequential(conv(inputs, part, 1), conv(part, part, (1, 5)), conv(part, 2 * part, (5, 1))),
            _pool_branch(inputs, part),
        ]
    )


def inception(classes: int, width: float) -> nn.Module:
    """Return the network."""
    a, b, c = (scaled(channels, width) for channels in (8, 12, 20))
    return nn.Sequential(
        conv(3, a, 3, 2),
        conv(a, 2 * a, 3, 2),
        _factorised(2 * a, a),
        pooled(),
        _factorised(5 * a, b),
        pooled(),
        _factorised(5 * b, c),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5 * c, classes),
    )


def _fire(inputs: int, squeezed: int, expanded: int) -> nn.Module:
    """Return a narrow 1 x 1 convolution, then wide 1 x 1 and 3 x 3 side by side."""
    return nn.Sequential(
        conv(inputs, squeezed, 1), Branches([conv(squeezed, expanded, 1), conv(squeezed, expanded, 3)])
    )


def squeezenet(classes: int, width: float) -> nn.Module:
    """Return the network; its classifier is a convolution, as in the original."""
    a, b, c = (scaled(channels, width) for channels in (8, 12, 16))
    return nn.Sequential(
        conv(3, 2 * a, 3, 2),
        pooled(),
        _fire(2 * a, a, 2 * a),
        _fire(4 * a, a, 2 * a),
        pooled(),
        _fire(4 * a, b, 2 * b),
        _fire(4 * b, b, 2 * b),
        pooled(),
        _fire(4 * b, c, 3 * c),
        nn.Conv2d(6 * c, classes, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
