"""What PyTorch says of a trained member: accuracy on the test split, reference logits and gradients."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from consensus_onnx_zoo.reference import CANDIDATES, COUNT, Reference, condensed
from consensus_onnx_zoo.scenes import draw_scene
from consensus_onnx_zoo.training.data import Labels, Pictures
from consensus_onnx_zoo.training.export import Exported
from consensus_onnx_zoo.training.fit import as_input
from consensus_onnx_zoo.training.members import Recipe

_AT_ONCE = 200
_SHAKES = 4
_ROUNDING = 1e-7  # of the largest number of an input: what float32 tells apart
_STEADY = 2e-5  # of the largest number of a gradient


def accuracy(network: nn.Module, pictures: Pictures, labels: Labels, side: int) -> float:
    """Return the part of the pictures whose largest logit is the label's."""
    right = 0
    with torch.inference_mode():
        for start in range(0, len(pictures), _AT_ONCE):
            chosen = slice(start, start + _AT_ONCE)
            logits = network(as_input(pictures[chosen], side))
            right += int((logits.argmax(1).numpy() == labels[chosen]).sum())
    return right / len(pictures)


def reference(network: nn.Module, recipe: Recipe) -> Reference:
    """Return outputs and condensed input gradients of the exported form for four scenes with a steady gradient.

    At a ReLU's kink the gradient depends on the last bit of a sum, and no two libraries add in one order. Such scenes
    are passed over by what PyTorch alone says of them.

    Raises
    ------
    RuntimeError
        If fewer than four of the candidates are steady.
    """
    answering = Exported(network, recipe).eval()
    exact = copy.deepcopy(answering).double()
    found: list[tuple[int, npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
    for seed in CANDIDATES:
        picture = as_input(draw_scene(seed).picture[None], recipe.side).contiguous()
        if recipe.layout == "NHWC":
            picture = picture.permute(0, 2, 3, 1).contiguous()
        outputs, gradients = _differentiated(answering, picture)
        if _steady(answering, exact, picture, gradients):
            found.append((seed, outputs[0], gradients[0]))
        if len(found) == COUNT:
            seeds, answers, slopes = zip(*found, strict=True)
            return condensed(seeds, np.stack(answers), np.stack(slopes))
    raise RuntimeError(f"{recipe.name}: of {len(CANDIDATES)} scenes only {len(found)} have a steady gradient")


def _steady(network: nn.Module, exact: nn.Module, picture: torch.Tensor, gradient: npt.NDArray[np.float32]) -> bool:
    """Whether float64, and inputs that differ by rounding, give the same gradient but for rounding."""
    generator = torch.Generator().manual_seed(0)
    others = [_differentiated(exact, picture.double())[1]]
    for _ in range(_SHAKES):
        shaken = picture + _ROUNDING * picture.abs().max() * torch.randn(picture.shape, generator=generator)
        others.append(_differentiated(network, shaken)[1])
    return max(float(abs(other - gradient).max()) for other in others) < _STEADY * float(abs(gradient).max())


def _differentiated(
    network: nn.Module, inputs: torch.Tensor
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    inputs = inputs.clone().requires_grad_()
    outputs = network(inputs)
    outputs.max(dim=1).values.sum().backward()
    assert inputs.grad is not None
    return outputs.detach().numpy(), inputs.grad.numpy()
