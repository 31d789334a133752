"""Training one network: SGD with momentum 0.9, batches of 64, one cosine from the highest rate to zero."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from consensus_onnx_zoo.networks import BUILDERS
from consensus_onnx_zoo.scenes import CLASSES
from consensus_onnx_zoo.training.data import Labels, Pictures
from consensus_onnx_zoo.training.members import Recipe

BATCH = 64
MEAN, DEVIATION = 127.5, 63.75  # of pictures in 0..255, the same for all channels
_WARM_UP = 100
_DECAY = 1e-4
_CLIP = 5.0


@dataclass(frozen=True)
class Course:
    """What a network sees: easy scenes for the first part of its updates, if there are any, then full ones.

    Each is a pair of (N, 96, 96, 3) uint8 pictures and (N,) labels.
    """

    full: tuple[Pictures, Labels]
    easy: tuple[Pictures, Labels] | None = None


def fit(recipe: Recipe, course: Course, tell: Callable[[int, float, float], None]) -> nn.Module:
    """Train a member from its seed; the same machine and thread count give the same weights.

    Parameters
    ----------
    recipe : Recipe
        What and how long.
    course : Course
        What it sees.
    tell : function
        Called now and then with the number of updates done, the mean loss since the last call, pictures per second.

    Returns
    -------
    Module
        In evaluation mode.
    """
    torch.manual_seed(recipe.seed)
    network = BUILDERS[recipe.family](len(CLASSES), recipe.width).to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), recipe.rate, momentum=0.9, weight_decay=_DECAY)
    order = np.random.default_rng(recipe.seed)
    easy = recipe.easy if course.easy else 0
    batches = itertools.chain(
        _batches(course.easy or course.full, order, easy), _batches(course.full, order, recipe.steps - easy)
    )
    network.train()
    losses: list[float] = []
    since = time.monotonic()
    for step, (pictures, labels) in enumerate(batches):
        batch = as_input(pictures, recipe.side)
        if order.integers(2):
            batch = batch.flip(3).contiguous(memory_format=torch.channels_last)
        # Half the products in bfloat16: 1.5 times the pictures per second; the results stand in float32.
        with torch.autocast("cpu", torch.bfloat16):
            answers = network(batch)
        loss = nn.functional.cross_entropy(answers.float(), torch.from_numpy(labels))
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * _share(step, recipe.steps)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimiser.step()
        losses.append(loss.item())
        if len(losses) == 50 or step + 1 == recipe.steps:
            tell(step + 1, sum(losses) / len(losses), len(losses) * BATCH / (time.monotonic() - since))
            losses, since = [], time.monotonic()
    return network.eval().to(memory_format=torch.contiguous_format)


def as_input(pictures: Pictures, side: int) -> Tensor:
    """Return (N, 3, side, side) float32 input of (N, 96, 96, 3) pictures, resized as an audit resizes its canvas."""
    if side != pictures.shape[1]:
        resized = [Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR) for picture in pictures]
        pictures = np.stack([np.asarray(picture) for picture in resized])
    batch = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float()
    return ((batch - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def _batches(
    source: tuple[Pictures, Labels], order: np.random.Generator, count: int
) -> Iterator[tuple[Pictures, Labels]]:
    """Yield batches, each picture once before any comes again."""
    pictures, labels = source
    queue = np.empty(0, dtype=np.int64)
    for _ in range(count):
        if len(queue) < BATCH:
            queue = order.permutation(len(labels))
        chosen, queue = np.sort(queue[:BATCH]), queue[BATCH:]
        yield pictures[chosen], labels[chosen]


def _share(step: int, steps: int) -> float:
    """Return the part of the highest rate: up in a line, down along half a cosine."""
    if step < _WARM_UP:
        return (step + 1) / _WARM_UP
    return 0.5 * (1 + float(np.cos(np.pi * (step - _WARM_UP) / (steps - _WARM_UP))))
