"""Pictures of one shape on a speckled ground, whose class and object mask are known by construction."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.float64]
Inside = Callable[[Grid, Grid], npt.NDArray[np.bool_]]

# Each shape as a test on coordinates in which its radius is 1.
SHAPES: dict[str, Inside] = {
    "disc": lambda x, y: x**2 + y**2 < 0.8,
    "ring": lambda x, y: (x**2 + y**2 < 1.0) & (x**2 + y**2 > 0.4),
    "square": lambda x, y: np.maximum(abs(x), abs(y)) < 0.8,
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) < 0.3) & (np.maximum(abs(x), abs(y)) < 1.0),
    "triangle": lambda x, y: (y < 0.7) & (y > 2.2 * abs(x) - 0.9),
    "bars": lambda x, y: (np.maximum(abs(x), abs(y)) < 0.95) & (np.floor(4 * (x + 1)) % 2 == 0),
}


@dataclass(frozen=True)
class Scene:
    """A picture with its truth.

    Attributes
    ----------
    picture : uint8 (H, W, 3)
        RGB.
    mask : bool (H, W)
        Where the object is.
    label : int
        Index into `SHAPES`.
    """

    picture: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    label: int


def draw_scene(seed: int, side: int = 64) -> Scene:
    """Draw the scene of a seed: shape, place, size, turn, colours and speckle depend on nothing else."""
    rng = np.random.default_rng(seed)
    label = int(rng.integers(len(SHAPES)))
    radius = side * rng.uniform(0.22, 0.32)
    centre = rng.uniform(radius, side - radius, 2)
    angle = rng.uniform(-0.5, 0.5)
    y, x = (np.mgrid[:side, :side] - centre[:, None, None]) / radius
    turned_x, turned_y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    mask = list(SHAPES.values())[label](turned_x, turned_y)
    ground, paint = rng.uniform(40, 120, 3), rng.uniform(140, 235, 3)
    picture = np.where(mask[:, :, None], paint, ground) + rng.normal(0, 18, (side, side, 3))
    return Scene(np.clip(picture, 0, 255).astype(np.uint8), mask, label)


def write_scenes(folder: Path, count: int, seed: int = 10_000) -> Path:
    """Write scenes as PNG: `pictures/`, `masks/` and `labels.csv`, a layout that `audit --images --labels` reads.

    Parameters
    ----------
    folder : Path
        Made if missing.
    count, seed : int
        Scenes `seed` .. `seed + count - 1`.

    Returns
    -------
    Path
        labels.csv.
    """
    from PIL import Image

    for name in ("pictures", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for index in range(count):
        scene = draw_scene(seed + index)
        name = f"{list(SHAPES)[scene.label]}_{seed + index}.png"
        Image.fromarray(scene.picture).save(folder / "pictures" / name)
        Image.fromarray(scene.mask).save(folder / "masks" / name)
        rows.append((name, scene.label, name))
    labels = folder / "labels.csv"
    with labels.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("file", "label", "mask"), *rows])
    return labels
