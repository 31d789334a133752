"""Make the stored PyTorch references of tests/gradients: a dozen small networks, exported, with autograd's gradients.

Run with a Python that has torch, onnx and numpy (any PyTorch 2.x; 2.13 made the stored files):

    python tests/references/make_gradient_references.py

Each network gets seeded random weights, a symbolic batch and opset 17 (18 where an operator asks for it), and is
written by the TorchScript exporter beside an .npz of an input, its logits, and the gradient of a weighted sum of the
logits. The files are small (< 100 kB each) and are only made again when a network here changes.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FOLDER = Path(__file__).parent.parent / "data" / "gradients"
CLASSES = 10


class SqueezeExcite(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, 4, 1), nn.Conv2d(4, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * functional.hardsigmoid(self.up(functional.relu(self.down(pooled))))


class Sum(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(branch(x) for branch in self.branches)


class Join(Sum):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Shuffle(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, width, height, length = x.shape
        halves = x.view(batch, 2, width // 2, height, length).transpose(1, 2).reshape(batch, width, height, length)
        left, right = halves.chunk(2, 1)
        return torch.cat([left * 2, right], 1)


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.gamma * self.down(functional.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        weights = (query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        return self.out((weights @ value).transpose(1, 2).reshape(batch, tokens, width))


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        width = 16
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, 17, width))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, 2)
        self.mlp = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Linear(32, width))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm3(x)[:, 0])


class WindowAttention(nn.Module):
    """Swin's cyclic shift, window partition and merge."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.attention = nn.Conv2d(3, 8, 2, stride=2), Attention(8, 2)
        self.norm, self.merge, self.head = nn.LayerNorm(8), nn.Linear(32, 16, bias=False), nn.Linear(16, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).permute(0, 2, 3, 1)
        batch, height, width, channels = x.shape
        y = torch.roll(self.norm(x), (-2, -2), (1, 2))
        y = y.view(batch, height // 4, 4, width // 4, 4, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, channels)
        y = self.attention(y).view(-1, height // 4, width // 4, 4, 4, channels)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels)
        x = x + torch.roll(y, (2, 2), (1, 2))
        corners = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.head(self.merge(torch.cat(corners, -1)).mean((1, 2)))


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, stride=4)
        self.norm1, self.norm2 = nn.LayerNorm(12), nn.LayerNorm(12)
        self.tokens = nn.Sequential(nn.Linear(16, 8), nn.GELU(approximate="tanh"), nn.Linear(8, 16))
        self.channels = nn.Sequential(nn.Linear(12, 24), nn.SiLU(), nn.Linear(24, 12))
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return self.head((x + self.channels(self.norm2(x))).mean(1))


class HighResolution(nn.Module):
    """Two resolutions that exchange their features, as HRNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.low = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, stride=2, padding=1)
        self.fine, self.head = nn.Conv2d(6, 6, 3, padding=1), nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        high = functional.relu(self.stem(x))
        low = functional.relu(self.low(high))
        up = functional.interpolate(low, scale_factor=2, mode="nearest")
        smooth = functional.interpolate(low, size=(16, 16), mode="bilinear", align_corners=False)
        fused = functional.relu(self.fine(high) + up + smooth)
        return self.head(torch.cat([fused.mean((2, 3)), functional.adaptive_avg_pool2d(low, 1).flatten(1)], 1))


class Scaled(nn.Module):
    """Weight-standardised, linear-attention and normalised-feature tricks of recent hybrids."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Linear(8, CLASSES)
        self.temperature = nn.Parameter(torch.ones(2, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        batch = x.shape[0]
        query = functional.normalize(x.reshape(batch, 2, 4, 64), dim=-1)
        key = functional.normalize((x * 1.5 + 0.1).reshape(batch, 2, 4, 64), dim=-1)
        weights = (query @ key.transpose(-2, -1) * self.temperature.clamp(max=100).exp()).softmax(-1)
        y = torch.einsum("bhcd,bhdn->bhcn", weights, x.reshape(batch, 2, 4, 64)).reshape(batch, 8, 8, 8)
        y = torch.where(y > 0, y, y.abs().pow(1.5)) + x.clamp(-1, 1) * x.std((2, 3), keepdim=True)
        return self.head(torch.amax(y, (2, 3)) + torch.logsumexp(y.flatten(2), -1))


def classifier(*layers: nn.Module, width: int) -> nn.Module:
    """Return a network of layers, a global average and a linear head."""
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES))


def block(inputs: int, outputs: int, size: int = 3, activation: type[nn.Module] = nn.ReLU, **options: int) -> nn.Module:
    padding = options.pop("padding", size // 2)
    conv = nn.Conv2d(inputs, outputs, size, padding=padding, bias=False, **options)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), activation())


def networks() -> dict[str, nn.Module]:
    """Return every network by name."""
    dense = nn.Sequential(block(3, 8), Join(nn.Identity(), block(8, 4)), Join(nn.Identity(), block(12, 4)))
    inception = Join(block(8, 4, 1), block(8, 4, 5), nn.Sequential(nn.AvgPool2d(3, 1, 1), block(8, 4, 1)))
    excluding = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
    return {
        "plain": classifier(block(3, 8), nn.MaxPool2d(2), block(8, 12), nn.MaxPool2d(3, 2, 1), width=12),
        "residual": classifier(block(3, 8, stride=2), Sum(nn.Identity(), block(8, 8)), Sum(block(8, 12, 1, stride=2), block(8, 12, stride=2)), width=12),
        "mobile": classifier(block(3, 8, stride=2, activation=nn.ReLU6), block(8, 8, groups=8, stride=2, activation=nn.Hardswish), SqueezeExcite(8), block(8, 8, 5, groups=8), width=8),
        "odd_windows": classifier(nn.Conv2d(3, 6, (5, 3), stride=(3, 2), padding=(2, 0)), nn.LeakyReLU(0.1), nn.Conv2d(6, 6, 3, dilation=2, padding=1, groups=3), nn.PReLU(6), nn.Conv2d(6, 4, 1, padding=1), nn.ELU(), width=4),
        "inception": classifier(block(3, 8), inception, nn.MaxPool2d(3, 2, ceil_mode=True), excluding, width=12),
        "dense": classifier(dense, nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1), nn.AvgPool2d(2), width=8),
        "shuffle": classifier(block(3, 8, stride=2), Shuffle(), block(8, 8, groups=4), Shuffle(), width=8),
        "group_norm": classifier(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.Mish(), nn.LocalResponseNorm(3, alpha=0.5), width=8),
        "convnext": classifier(nn.Conv2d(3, 12, 4, stride=4), LayerNorm2d(12), ConvNeXtBlock(12), nn.Conv2d(12, 8, 2, stride=2), width=8),
        "transpose": classifier(nn.Conv2d(3, 6, 3, stride=2), nn.Tanh(), nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1), nn.Softplus(), nn.PixelUnshuffle(2), nn.ReflectionPad2d(1), nn.Conv2d(16, 8, 3), width=8),
        "transformer": VisionTransformer(),
        "windows": WindowAttention(),
        "mixer": Mixer(),
        "high_resolution": HighResolution(),
        "scaled": Scaled(),
    }  # fmt: skip


def make(name: str, model: nn.Module) -> None:
    """Export one network and store its reference."""
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    path = FOLDER / f"{name}.onnx"
    axes = {"input": {0: "N"}, "logits": {0: "N"}}
    sample = torch.randn(2, 3, 16, 16)
    torch.onnx.export(
        model,
        sample,
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    x = torch.randn(3, 3, 16, 16, requires_grad=True)
    logits = model(x)
    weights = torch.randn_like(logits)
    (gradient,) = torch.autograd.grad((logits * weights).sum(), x)
    arrays = {"input": x, "logits": logits, "weights": weights, "gradient": gradient}
    np.savez_compressed(FOLDER / f"{name}.npz", **{key: value.detach().numpy() for key, value in arrays.items()})
    size = path.stat().st_size
    assert size < 100_000, f"{name}: {size} bytes"
    sys.stdout.write(f"{name}: {size} bytes, largest gradient {gradient.abs().max():.3g}\n")


def main() -> None:
    """Make every reference."""
    warnings.filterwarnings("ignore")
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for name, model in networks().items():
        make(name, model)


if __name__ == "__main__":
    main()
