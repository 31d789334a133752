"""What PyTorch says of a trained member: accuracy on the test split, reference logits and gradients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from consensus_onnx_zoo.reference import Reference, condensed
from consensus_onnx_zoo.training.data import Labels, Pictures
from consensus_onnx_zoo.training.export import Exported
from consensus_onnx_zoo.training.fit import as_input
from consensus_onnx_zoo.training.members import Recipe

_AT_ONCE = 200


def accuracy(network: nn.Module, pictures: Pictures, labels: Labels, side: int) -> float:
    """Return the part of the pictures whose largest logit is the label's."""
    right = 0
    with torch.inference_mode():
        for start in range(0, len(pictures), _AT_ONCE):
            chosen = slice(start, start + _AT_ONCE)
            logits = network(as_input(pictures[chosen], side))
            right += int((logits.argmax(1).numpy() == labels[chosen]).sum())
    return right / len(pictures)


def reference(network: nn.Module, recipe: Recipe, pictures: Pictures) -> Reference:
    """Return outputs and condensed input gradients of the exported form for four pictures."""
    inputs = as_input(pictures, recipe.side).contiguous()
    if recipe.layout == "NHWC":
        inputs = inputs.permute(0, 2, 3, 1).contiguous()
    outputs, gradients = _differentiated(Exported(network, recipe).eval(), inputs)
    return condensed(outputs, gradients)


def _differentiated(
    network: nn.Module, inputs: torch.Tensor
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    inputs = inputs.requires_grad_()
    outputs = network(inputs)
    outputs.max(dim=1).values.sum().backward()
    assert inputs.grad is not None
    return outputs.detach().numpy(), inputs.grad.numpy()
