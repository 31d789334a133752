"""From a trained network to an ONNX file: input layout, probabilities and fixed batch as the recipe says."""

from __future__ import annotations

import io
import warnings

import onnx
import torch
from torch import Tensor, nn

from consensus_onnx_zoo.training.members import Recipe

OPSET = 17


class Exported(nn.Module):
    """A network that takes and gives what its recipe says: other layouts and probabilities are part of the graph."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe

    def forward(self, x: Tensor) -> Tensor:
        """Return logits or probabilities."""
        logits = self.network(x.permute(0, 3, 1, 2) if self.recipe.layout == "NHWC" else x)
        return torch.softmax(logits, 1) if self.recipe.kind == "probabilities" else logits


def example_input(recipe: Recipe, batch: int) -> Tensor:
    """Return an input of the member's shape."""
    shape = (recipe.side, recipe.side, 3) if recipe.layout == "NHWC" else (3, recipe.side, recipe.side)
    return torch.zeros(batch, *shape)


def exported(network: nn.Module, recipe: Recipe) -> onnx.ModelProto:
    """Return the member as a checked ONNX model; batch normalisation is folded into the convolutions."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the TorchScript exporter; the new one needs onnxscript
        torch.onnx.export(
            Exported(network, recipe).eval(),
            (example_input(recipe, 1 if recipe.fixed_batch else 2),),
            buffer,
            input_names=["input"],
            output_names=[recipe.kind],
            dynamic_axes=None if recipe.fixed_batch else {"input": {0: "batch"}, recipe.kind: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_model_from_string(buffer.getvalue())
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return model
