"""Networks on patches: ViT (Dosovitskiy 2020), MLP-Mixer (Tolstikhin 2021), ConvNeXt (Liu 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from consensus_onnx_zoo.networks.layers import conv, scaled


class _Attention(nn.Module):
    """Self-attention over (N, tokens, width), written as matrix products."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.part = heads, width // heads
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        tokens, width = x.shape[1], x.shape[2]
        split = self.ask(x).reshape(-1, tokens, 3, self.heads, self.part).permute(2, 0, 3, 1, 4)
        query, key, value = split[0], split[1], split[2]
        weights = torch.softmax(query @ key.transpose(2, 3) * self.part**-0.5, -1)
        mixed = (weights @ value).transpose(1, 2).reshape(-1, tokens, width)
        return self.answer(mixed)


class _Added(nn.Module):
    """The input plus what a body makes of the normalised input."""

    def __init__(self, width: int, body: nn.Module) -> None:
        super().__init__()
        self.norm, self.body = nn.LayerNorm(width), body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(self.norm(x))


def _perceptron(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class _Tokens(nn.Module):
    """A convolution to 12 x 12 maps, patches of 2 x 2 as 36 tokens with a learned place, blocks, mean, linear layer.

    The convolution before the patches is that of "Early convolutions help transformers see better" (Xiao 2021): without
    it a ViT needs far more pictures than there are here.
    """

    def __init__(self, classes: int, width: int, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 5, 4), conv(16, 32, 3, 2), nn.Conv2d(32, width, 2, 2))
        self.places = nn.Parameter(0.02 * torch.randn(1, 36, width))
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.answer = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2) + self.places
        return self.answer(self.norm(self.blocks(tokens)).mean(1))


def vit(classes: int, width: float) -> nn.Module:
    """Return a ViT with four heads."""
    size = scaled(64, width, 16)
    blocks: list[nn.Module] = []
    for _ in range(3):
        blocks += [_Added(size, _Attention(size, 4)), _Added(size, _perceptron(size, 2 * size))]
    return _Tokens(classes, size, blocks)


class _AcrossTokens(nn.Module):
    def __init__(self, tokens: int, hidden: int) -> None:
        super().__init__()
        self.body = _perceptron(tokens, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.transpose(1, 2)).transpose(1, 2)


def mixer(classes: int, width: float) -> nn.Module:
    """Return an MLP-Mixer: perceptrons across the tokens and across the channels, in turn."""
    size = scaled(64, width, 16)
    blocks: list[nn.Module] = []
    for _ in range(4):
        blocks += [_Added(size, _AcrossTokens(36, 64)), _Added(size, _perceptron(size, 2 * size))]
    return _Tokens(classes, size, blocks)


class _Block(nn.Module):
    """ConvNeXt's block: 7 x 7 depthwise, layer normalisation, perceptron of twice the width, shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.body = nn.Sequential(nn.LayerNorm(channels), _perceptron(channels, 2 * channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(self.near(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Pooled(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm, self.answer = nn.LayerNorm(channels), nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.norm(x.mean((2, 3))))


def convnext(classes: int, width: float) -> nn.Module:
    """Return a ConvNeXt."""
    a, b, c = (scaled(channels, width) for channels in (16, 32, 64))
    return nn.Sequential(
        nn.Conv2d(3, a, 4, 4),
        _Block(a),
        nn.Conv2d(a, b, 2, 2),
        _Block(b),
        _Block(b),
        nn.Conv2d(b, c, 2, 2),
        _Block(c),
        _Block(c),
        _Pooled(c, classes),
    )
