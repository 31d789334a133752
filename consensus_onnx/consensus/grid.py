"""Pixel maps of members with different input sizes, brought to one grid before they are compared.

A map that was enlarged is smoother than a native one, and the RBF sees that before it sees anything else; so all maps
go to a grid that no member's own resolution is below.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from consensus_onnx.arrays import Float32Array, require

# Below this a grid no longer tells where in the picture something is.
_SMALLEST_GRID = 7


def common_grid(canvas: int, member_sizes: Sequence[int]) -> int:
    """Choose the side of the grid on which the maps of all members are compared.

    Parameters
    ----------
    canvas : int
        Side of the canvas in pixels.
    member_sizes : sequence of int
        Input side of each member, at least one.

    Returns
    -------
    int
        The canvas' own side if no member's input is smaller; else the largest divisor of it that no input is smaller
        than, because whole pixels are then averaged. Where only divisors below 7 are left (the canvas' side is prime,
        say), the smallest input side.

    Raises
    ------
    ValueError
        If there is no member, or a size is not positive.

    Examples
    --------
    >>> common_grid(224, [224, 299]), common_grid(224, [224, 128]), common_grid(227, [224])
    (224, 112, 224)
    """
    if not member_sizes or min(member_sizes) < 1 or canvas < 1:
        raise ValueError(f"common_grid: expected positive sizes, got canvas {canvas} and members {list(member_sizes)}")
    smallest = min(canvas, *member_sizes)
    largest_divisor = max(side for side in range(1, smallest + 1) if canvas % side == 0)
    return largest_divisor if largest_divisor >= min(_SMALLEST_GRID, canvas) else smallest


def to_grid(pixel_map: Float32Array, size: tuple[int, int]) -> Float32Array:
    """Bring a pixel map to another size, each axis on its own: by area down, bilinearly up.

    Parameters
    ----------
    pixel_map : ndarray of shape (h, w), float32
        The map.
    size : tuple of int
        Height and width of the result.

    Returns
    -------
    ndarray of shape (H, W), float32
        The map on the new grid, computed in float64. A constant stays what it is; shrinking keeps the mean.

    Raises
    ------
    ValueError
        If the map is not float32 (h, w), or a size is not positive.
    """
    require("pixel_map", pixel_map, shape=("h", "w"), dtype=np.float32)
    if min(*size, *pixel_map.shape) < 1:
        raise ValueError(f"to_grid: expected positive sizes, got {pixel_map.shape} to {size}")
    if pixel_map.shape == tuple(size):
        return pixel_map.copy()
    # Sparse products add in a fixed order on one thread; BLAS would not promise either.
    rows = _resize_matrix(pixel_map.shape[0], size[0])
    columns = _resize_matrix(pixel_map.shape[1], size[1])
    resized = rows @ pixel_map.astype(np.float64)
    return np.ascontiguousarray((columns @ resized.T).T, dtype=np.float32)


@lru_cache(maxsize=32)
def _resize_matrix(size_in: int, size_out: int) -> csr_array[np.float64]:
    """Return the (out, in) matrix whose rows are the weights of the old cells in each new one; nobody changes it.

    Kept: a report resizes thousands of maps between a handful of sizes, and of the 0.43 ms that 224 to 112 took, making
    the two matrices was 0.37.
    """
    return _area_matrix(size_in, size_out) if size_out < size_in else _bilinear_matrix(size_in, size_out)


def _area_matrix(size_in: int, size_out: int) -> csr_array[np.float64]:
    """Weigh old cells by the length they share with the new one, counted exactly in units of 1 / size_out."""
    new, old = np.arange(size_out)[:, np.newaxis], np.arange(size_in)
    starts = np.maximum(new * size_in, old * size_out)
    ends = np.minimum((new + 1) * size_in, (old + 1) * size_out)
    return csr_array(np.maximum(ends - starts, 0) / size_in)


def _bilinear_matrix(size_in: int, size_out: int) -> csr_array[np.float64]:
    """Interpolate between the centres of the two nearest cells; beyond the outermost centres the edge goes on."""
    new = np.arange(size_out)
    centres = np.clip((new + 0.5) * size_in / size_out - 0.5, 0.0, size_in - 1.0)
    left = np.minimum(centres.astype(np.int64), max(size_in - 2, 0))
    share = centres - left
    matrix = np.zeros((size_out, size_in))
    matrix[new, left] = 1.0 - share
    matrix[new, np.minimum(left + 1, size_in - 1)] += share
    return csr_array(matrix)
