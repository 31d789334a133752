"""The committee: what is trained, on which scenes, for how long, and how it is exported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from consensus_onnx_zoo.scenes import SIDE


@dataclass(frozen=True)
class Recipe:
    """One member.

    Attributes
    ----------
    name, family : str
        As in committee.yaml; the family names the builder.
    width : float
        Factor on the channels.
    steps : int
        Updates with 64 pictures each. 0 leaves the weights as they were drawn.
    rate : float
        Highest learning rate.
    seed : int
        Of weights, order of pictures and dropout.
    scenes : str
        `plain`, or `shortcut`: the mark in the corner names the class in 95 of 100 training scenes.
    side : int
        Input size.
    layout : str
        NCHW or NHWC.
    kind : str
        logits or probabilities.
    fixed_batch : bool
        Exported for one picture per pass.
    """

    name: str
    family: str
    width: float = 1.0
    steps: int = 1200
    rate: float = 0.05
    seed: int = 0
    scenes: Literal["plain", "shortcut"] = "plain"
    side: int = SIDE
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    kind: Literal["logits", "probabilities"] = "logits"
    fixed_batch: bool = False


# Slower families get fewer updates, so that all together take two hours on two cores.
_STEPS = {
    "EfficientNet": 1100,
    "GoogleNet": 1100,
    "Darts": 1000,
    "AcNet": 1000,
    "DenseNet": 1100,
    "ShuffleNet": 1100,
    "AlexNet": 2000,
    "Mixer": 1600,
}
# The paper's 0.1 is for hundreds of thousands of updates; these are the rates that learn within a thousand.
_RATES = {"AlexNet": 0.01, "VGG": 0.02, "ViT": 0.03, "Mixer": 0.03, "ConvNeXt": 0.03}


def _recipe(family: str, width: float = 1.0, **changes: object) -> Recipe:
    suffix = "" if width == 1 else f"-x{width:g}"
    recipe = Recipe(family.lower() + suffix, family, width, _STEPS.get(family, 1200), _RATES.get(family, 0.05))
    return replace(recipe, **changes)  # type: ignore[arg-type]


# Good and bad ones in turn: every beginning of the list is a committee whose accuracy spreads.
RECIPES: tuple[Recipe, ...] = (
    _recipe("ResNet"),
    _recipe("AlexNet", kind="probabilities"),
    _recipe("VGG"),
    _recipe("MobileNet", 0.25),
    _recipe("DarkNet"),
    _recipe("SqueezeNet"),
    _recipe("ResNet", 0.25),
    _recipe("ViT"),
    _recipe("SEResNet"),
    _recipe("DenseNet"),
    _recipe("ResNet", name="resnet-shortcut", scenes="shortcut", steps=900),
    _recipe("ConvNeXt"),
    _recipe("VGG", 0.5, layout="NHWC"),
    _recipe("Mixer"),
    _recipe("ResNeXt"),
    _recipe("ShuffleNet"),
    _recipe("Inception"),
    _recipe("HRNet"),
    _recipe("Xception"),
    _recipe("AcNet", 0.75),
    _recipe("Res2Net"),
    _recipe("DPN"),
    _recipe("MobileNet"),
    _recipe("GoogleNet"),
    _recipe("EfficientNet"),
    _recipe("Darts"),
    _recipe("SqueezeNet", 0.5),
    _recipe("ResNet", name="resnet-64", side=64),
    _recipe("ResNet", 0.5, fixed_batch=True),
    _recipe("VGG", 0.25),
    _recipe("MobileNet", name="mobilenet-shortcut", scenes="shortcut", steps=900),
    _recipe("DarkNet", 0.25),
    _recipe("AlexNet", 0.5),
    _recipe("DenseNet", 0.5),
    _recipe("EfficientNet", 0.5),
    _recipe("ShuffleNet", 0.5),
    _recipe("MobileNet", 0.5),
    _recipe("ResNet", name="resnet-untrained", steps=0, seed=7),
)
"""All members that have weights of their own, in the order of training."""
