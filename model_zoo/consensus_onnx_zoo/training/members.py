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
    easy : int
        How many of them, at the beginning, see easy scenes (one object, plain surfaces, no camera): without them a
        ResNet's loss stands at chance (log 12 = 2.485) for its first 400 updates. None where `scenes` is `shortcut`.
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
    steps: int = 900
    easy: int = 330
    rate: float = 0.05
    seed: int = 0
    scenes: Literal["plain", "shortcut"] = "plain"
    side: int = SIDE
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    kind: Literal["logits", "probabilities"] = "logits"
    fixed_batch: bool = False


# Two hours of two cores. At 900 updates half of the committee stood below 0.42 on its way up: the weak ones get more.
_STEPS = {
    "GoogleNet": 1000,
    "Darts": 1000,
    "EfficientNet": 1000,
    "AcNet": 800,
    "SEResNet": 2000,
    "DarkNet": 2000,
    "DenseNet": 2000,
    "ShuffleNet": 2000,
    "HRNet": 1800,
    "ResNeXt": 2400,
    "Res2Net": 2400,
    "DPN": 2400,
}
# Networks without batch normalisation learn slowest; they also see easy scenes for longer.
_PATIENT = {"AlexNet": (6000, 1320), "ViT": (9000, 660), "Mixer": (3000, 660), "ConvNeXt": (3000, 660)}
# The paper's 0.1 is for hundreds of thousands of updates; these are the rates that learn within a thousand.
_RATES = {"AlexNet": 0.01, "VGG": 0.02, "ViT": 0.03, "Mixer": 0.03, "ConvNeXt": 0.03}


def _recipe(family: str, width: float = 1.0, **changes: object) -> Recipe:
    suffix = "" if width == 1 else f"-x{width:g}"
    steps, easy = _PATIENT.get(family, (_STEPS.get(family, 900), 330))
    recipe = Recipe(family.lower() + suffix, family, width, steps, easy, _RATES.get(family, 0.05))
    return replace(recipe, **changes)  # type: ignore[arg-type]


RECIPES: tuple[Recipe, ...] = (
    _recipe("ResNet", steps=1200, easy=264),
    _recipe("AlexNet", kind="probabilities"),
    _recipe("VGG", steps=1200, easy=264),
    _recipe("MobileNet", 0.25, steps=3000),
    _recipe("DarkNet"),
    _recipe("SqueezeNet"),
    _recipe("ResNet", 0.25, steps=3000),
    _recipe("ViT"),
    _recipe("SEResNet"),
    _recipe("DenseNet"),
    _recipe("ResNet", name="resnet-shortcut", scenes="shortcut", steps=700),
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
    _recipe("GoogleNet"),
    _recipe("Darts"),
    _recipe("EfficientNet"),
    _recipe("MobileNet", steps=1000),
    _recipe("SqueezeNet", 0.5),
    _recipe("ResNet", name="resnet-64", side=64),
    _recipe("ResNet", 0.5, steps=2400, fixed_batch=True),
    _recipe("VGG", 0.25),
    _recipe("MobileNet", name="mobilenet-shortcut", scenes="shortcut", steps=700),
    _recipe("DarkNet", 0.25, steps=3000),
    _recipe("AlexNet", 0.5),
    _recipe("DenseNet", 0.5, steps=2400),
    _recipe("EfficientNet", 0.5, steps=2000),
    _recipe("ShuffleNet", 0.5, steps=2400),
    _recipe("MobileNet", 0.5, steps=2400),
    _recipe("ResNet", name="resnet-untrained", steps=0, easy=0, seed=7),
)
"""All members that have weights of their own, in the order of training."""
