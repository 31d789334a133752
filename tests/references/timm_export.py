"""Export one timm architecture with seeded random weights, beside PyTorch's gradients of it.

    python tests/references/timm_export.py MODEL FOLDER [--dynamo] [--double | --steady]

writes FOLDER/model.onnx (symbolic batch) and FOLDER/reference.npz: an input of two samples, the logits, and
d logits[:, 3].sum() / d input by autograd in float32. With --double the same in float64, too, and FOLDER/model64.onnx,
the same weights exported in float64. With --steady the samples are the first two of forty seeded ones at which PyTorch's
own gradient is steady, and `passed` counts those that are not; nothing is written if there are not two. Needs a Python
with torch, torchvision, timm, onnx and onnxscript.
"""

from __future__ import annotations

import argparse
import copy
import warnings
from pathlib import Path

import numpy as np
import onnx
import timm
import torch

TARGET = 3
LARGE = 3 * 512 * 512
# Where float64, or an input that differs by 1e-7 of its largest number, changes PyTorch's own gradient by more than 2e-5
# of its largest, some unit stands at its kink and no two libraries need agree.
CANDIDATES, SHAKES, ROUNDING, STEADY = 40, 4, 1e-7, 2e-5


def gradient(model: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits and gradient; large samples one at a time (two of gemma4_vit, 768 by 768, take over 22 GB)."""
    logits, gradients = [], []
    for part in x.split(len(x) if x[0].numel() <= LARGE else 1):
        leaf = part.clone().requires_grad_(True)
        logits.append(model(leaf))
        gradients += torch.autograd.grad(logits[-1][:, TARGET].sum(), leaf)
        logits[-1] = logits[-1].detach()
    return torch.cat(logits), torch.cat(gradients)


def steady(model: torch.nn.Module, size: tuple[int, ...]) -> tuple[torch.Tensor, int]:
    """Return the first two candidates with a steady gradient, and how many before the second have none."""
    exact, found = copy.deepcopy(model).double(), []
    for seed in range(CANDIDATES):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(1, *size, generator=generator)
        g = gradient(model, x)[1]
        bound = STEADY * g.abs().max()
        shakes = (ROUNDING * x.abs().max() * torch.randn(x.shape, generator=generator) for _ in range(SHAKES))
        if all((gradient(model, x + shake)[1] - g).abs().max() < bound for shake in shakes) and (
            (gradient(exact, x.double())[1] - g).abs().max() < bound
        ):
            found.append(x)
        if len(found) == 2:
            return torch.cat(found), seed + 1 - len(found)
    raise RuntimeError(f"of {CANDIDATES} pictures {len(found)} have a steady gradient")


def export(model: torch.nn.Module, x: torch.Tensor, path: Path, *, dynamo: bool) -> None:
    if dynamo:
        batch = ({0: torch.export.Dim("N")},)
        names = {"dynamo": True, "dynamic_shapes": batch, "external_data": False, "verbose": False}
        torch.onnx.export(model, (x,), str(path), **names)
    else:
        names = {"input_names": ["input"], "output_names": ["logits"], "opset_version": 17, "dynamo": False}
        torch.onnx.export(model, x, str(path), dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}}, **names)
    onnx.checker.check_model(str(path))  # PyTorch 2.13 leaves out constants of gemma4_vit that its nodes read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dynamo", action="store_true")
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--steady", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(2)
    torch.manual_seed(0)
    model = timm.create_model(options.model, pretrained=False, exportable=True).eval().requires_grad_(False)
    size = (model.pretrained_cfg or {}).get("input_size", (3, 224, 224))
    x = torch.randn(2, *size)
    logits, single = gradient(model, x)
    if not single.any():  # timm starts some heads at zero, and no gradient comes through them
        for parameter in model.parameters():
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_(std=0.02)
        logits, single = gradient(model, x)
    arrays = {}
    if options.steady:
        x, passed = steady(model, size)
        logits, single = gradient(model, x)
        arrays["passed"] = np.int64(passed)
    export(model, x, options.folder / "model.onnx", dynamo=options.dynamo)
    arrays |= {"input": x.numpy(), "logits": logits.numpy(), "gradient": single.numpy()}
    if options.double:
        model, x = model.double(), x.double()
        arrays["gradient64"] = gradient(model, x)[1].numpy()
        export(model, x, options.folder / "model64.onnx", dynamo=options.dynamo)
    np.savez(options.folder / "reference.npz", **arrays)


if __name__ == "__main__":
    main()
