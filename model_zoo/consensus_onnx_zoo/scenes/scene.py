"""A scene: background, objects, distractors, something in front, a mark in the corner, and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consensus_onnx_zoo.scenes.camera import photographed
from consensus_onnx_zoo.scenes.draws import Draws, Purpose
from consensus_onnx_zoo.scenes.outlines import CLASSES, OUTLINES
from consensus_onnx_zoo.scenes.placing import Pose, coverage, draw_pose
from consensus_onnx_zoo.scenes.settings import SIDE, SceneSettings
from consensus_onnx_zoo.scenes.textures import Surface, direction, draw_surface

_MARK_SIDE = 10
# Twelve colours far from each other: 0, 128 and 255 in each channel.
_MARK_COLOURS = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 0),
    (255, 0, 255),
    (0, 255, 255),
    (255, 128, 0),
    (128, 0, 255),
    (0, 128, 64),
    (128, 64, 0),
    (0, 0, 0),
    (128, 128, 128),
)


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes
    ----------
    label : int
        Index into `CLASSES`.
    mask : bool (96, 96)
        Its visible pixels: at least half covered by it and by nothing in front.
    """

    label: int
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """A picture with its truth.

    Attributes
    ----------
    picture : uint8 (96, 96, 3)
        RGB.
    mask : bool (96, 96)
        Visible pixels of the main object; empty where the settings ask for no object.
    label : int
        Class of the main object, an index into `CLASSES`.
    objects : tuple of SceneObject
        All objects, the main one first.
    mark : int or None
        The class that the mark in the corner names.
    """

    picture: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    label: int
    objects: tuple[SceneObject, ...]
    mark: int | None


class _Stage:
    """The picture while it is painted, back to front, and what of each object is still to be seen."""

    def __init__(self, background: Surface) -> None:
        self.pixels = background
        self.visible: list[npt.NDArray[np.float64]] = []

    def paint(self, covered: npt.NDArray[np.float64], surface: Surface) -> None:
        self.visible = [seen * (1 - covered) for seen in self.visible]
        self.pixels = self.pixels + (surface - self.pixels) * covered[:, :, None]


def draw_scene(seed: int, settings: SceneSettings | None = None) -> Scene:
    """Draw the scene of a seed.

    The class is `seed % 12`, so any run of 12 seeds holds each class once; everything else comes from streams that do
    not know the class. The same seed and settings give the same bytes on every machine.

    Parameters
    ----------
    seed : int
        0 or more.
    settings : SceneSettings, optional
        What the scene may hold.

    Examples
    --------
    >>> scene = draw_scene(5)
    >>> CLASSES[scene.label], scene.picture.shape, scene.mask.shape
    ('cross', (96, 96, 3), (96, 96))
    """
    settings = settings or SceneSettings()
    draws = Draws(seed, Purpose.BACKGROUND)
    stage = _Stage(draw_surface(draws, SIDE, 255 * draws.grid(3), settings.photographs))
    labels = _paint_objects(stage, seed, settings)
    _paint_in_front(stage, seed, settings)
    mark = _paint_mark(stage, seed, settings)
    pixels = photographed(stage.pixels, seed) if settings.camera else stage.pixels
    objects = tuple(SceneObject(label, seen >= 0.5) for label, seen in zip(labels, stage.visible, strict=True))
    mask = objects[0].mask if objects else np.zeros((SIDE, SIDE), dtype=bool)
    picture = np.floor(np.clip(pixels, 0, 255) + 0.5).astype(np.uint8)
    return Scene(picture, mask, seed % len(CLASSES), objects, mark)


def _paint_objects(stage: _Stage, seed: int, settings: SceneSettings) -> list[int]:
    """Paint distractors, then the objects, the main one last; return the objects' labels, the main one first."""
    draws = Draws(seed, Purpose.DISTRACTORS)
    for _ in range(draws.below(settings.distractors + 1)):
        outline = list(OUTLINES.values())[draws.below(len(CLASSES))]
        covered = coverage(outline, draw_pose(draws, SIDE, 3, 8, 0), SIDE)
        stage.paint(covered, draw_surface(draws, SIDE, 255 * draws.grid(3), settings.photographs))
    draws = Draws(seed, Purpose.OBJECT)
    main = _posed(draws, stage.pixels, settings, 19, 34)
    others = [(draws.below(len(CLASSES)), _posed(draws, stage.pixels, settings, 12, 20)) for _ in range(3)]
    painted = [(seed % len(CLASSES), main), *others][: settings.objects]
    labels: list[int] = []
    for label, (pose, surface) in reversed(painted):
        covered = coverage(OUTLINES[CLASSES[label]], pose, SIDE)
        stage.paint(covered, surface)
        stage.visible.insert(0, covered)
        labels.insert(0, label)
    return labels


def _posed(
    draws: Draws, behind: Surface, settings: SceneSettings, smallest: float, largest: float
) -> tuple[Pose, Surface]:
    """Return a pose and a surface; of two colours the one farther from what is behind the object's centre."""
    pose = draw_pose(draws, SIDE, smallest, largest, 2)
    ground = behind[min(SIDE - 1, int(pose.row)), min(SIDE - 1, int(pose.column))]
    first, second = 255 * draws.grid(3), 255 * draws.grid(3)
    colour = first if abs(first - ground).max() >= abs(second - ground).max() else second
    return pose, draw_surface(draws, SIDE, colour, settings.photographs / 2)


def _paint_in_front(stage: _Stage, seed: int, settings: SceneSettings) -> None:
    """Paint a bar or a blob in front, through a random place near the middle."""
    draws = Draws(seed, Purpose.OCCLUSION)
    if not draws.happens(settings.occlusion):
        return
    (cosine, sine), column, row = direction(draws), draws.between(20, SIDE - 20), draws.between(20, SIDE - 20)
    surface = draw_surface(draws, SIDE, 255 * draws.grid(3), settings.photographs)
    if draws.happens(0.5):
        half = draws.between(2, 5)
        pose = Pose(column, row, SIDE, cosine, sine)
        covered = coverage(lambda x, y: abs(y) * SIDE < half, pose, SIDE)
    else:
        pose = draw_pose(draws, SIDE, 5, 11, 0)
        covered = coverage(OUTLINES["disc"], pose, SIDE)
    stage.paint(covered, surface)


def _paint_mark(stage: _Stage, seed: int, settings: SceneSettings) -> int | None:
    draws = Draws(seed, Purpose.MARK)
    present, agrees = draws.happens(settings.mark.share), draws.happens(settings.mark.agreement)
    named, corner = draws.below(len(CLASSES)), draws.below(4)
    if not present:
        return None
    label = seed % len(CLASSES) if agrees else named
    covered = np.zeros((SIDE, SIDE))
    rows = slice(1, 1 + _MARK_SIDE) if corner & 1 else slice(SIDE - 1 - _MARK_SIDE, SIDE - 1)
    columns = slice(1, 1 + _MARK_SIDE) if corner & 2 else slice(SIDE - 1 - _MARK_SIDE, SIDE - 1)
    covered[rows, columns] = 1
    stage.paint(covered, np.broadcast_to(np.array(_MARK_COLOURS[label], dtype=np.float64), stage.pixels.shape))
    return label
