"""Where to write the names of points so that they can be read: greedy, deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LINE_HEIGHT = 12.0
CHARACTER_WIDTH = 5.6  # measured mean of names such as mobilenet_v1 at 10.5 px in common system fonts
_POINT_RADIUS = 6.0
_DISTANCES = (8.0, 18.0, 32.0, 50.0)
_NEAR = 18.0  # farther labels get a line to their point
_CROSSING = 9.0  # a label over a line costs as much as so many pixels of distance
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


@dataclass(frozen=True)
class Box:
    """A rectangle on the page, left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the shared area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)

    def holds(self, other: Box) -> bool:
        """Whether the other rectangle lies inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


@dataclass(frozen=True)
class Label:
    """A name and where it is written.

    Attributes
    ----------
    text, anchor : str
        What, and which end of it stands at x: 'start', 'middle' or 'end'.
    x, y : float
        Where, the baseline.
    leader : bool
        Whether it is so far from its point that a line must lead there.
    """

    text: str
    anchor: str
    x: float
    y: float
    leader: bool


def place_labels(
    points: Sequence[tuple[float, float]], texts: Sequence[str], frame: Box, lines: Sequence[Box] = ()
) -> list[Label | None]:
    """Place a label beside each point, clear of points, of other labels and of the frame's border.

    Parameters
    ----------
    points : sequence of (x, y)
        In the picture's units.
    texts : sequence of str
        One a point.
    frame : Box
        What labels must stay in.
    lines : sequence of Box
        What labels should better not cross, but may.

    Returns
    -------
    list of Label or None
        None where every place is taken; a name that covers another helps nobody.
    """
    obstacles = [Box(x - _POINT_RADIUS, y - _POINT_RADIUS, x + _POINT_RADIUS, y + _POINT_RADIUS) for x, y in points]
    placed: list[Label | None] = [None] * len(points)
    # Points with few neighbours have room anyway; the crowded ones choose first.
    for index in sorted(range(len(points)), key=lambda i: (-_neighbours(points, i), i)):
        best = None
        for distance in _DISTANCES:
            for horizontal, vertical in _DIRECTIONS:
                label, box = _candidate(points[index], texts[index], horizontal, vertical, distance)
                if not frame.holds(box) or any(box.overlap(obstacle) > 0 for obstacle in obstacles):
                    continue
                cost = distance + _CROSSING * sum(box.overlap(line) > 0 for line in lines)
                if best is None or cost < best[0]:
                    best = cost, label, box
        if best is not None:
            placed[index] = best[1]
            obstacles.append(best[2])
    return placed


def _neighbours(points: Sequence[tuple[float, float]], index: int) -> int:
    x, y = points[index]
    return sum(abs(x - other) < 120 and abs(y - height) < 30 for other, height in points)


def _candidate(
    point: tuple[float, float], text: str, horizontal: int, vertical: int, distance: float
) -> tuple[Label, Box]:
    width = CHARACTER_WIDTH * len(text)
    reach = distance if vertical == 0 else distance * 0.75
    x = point[0] + horizontal * reach
    middle = point[1] + vertical * (reach + (LINE_HEIGHT / 2 if horizontal == 0 else 2.0))
    left = {1: x, 0: x - width / 2, -1: x - width}[horizontal]
    anchor = {1: "start", 0: "middle", -1: "end"}[horizontal]
    box = Box(left, middle - LINE_HEIGHT / 2, left + width, middle + LINE_HEIGHT / 2)
    return Label(text, anchor, x, middle + 3.6, distance > _NEAR), box
