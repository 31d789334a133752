"""How maps of pixels are written: exactly, in half precision, or as small whole numbers; and how they are read back.

Every map has its own range, kept in its receipt, so that none overflows and none vanishes. Coding takes square roots,
products and comparisons in float64 and nothing else: all are exact or rounded alike everywhere, so the bytes are too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from consensus_onnx.arrays import AnyArray, Float32Array, Float64Array

MapForm: TypeAlias = Literal["float32", "float16", "uint8"]
Coding: TypeAlias = tuple[str | int | float, ...]
"""What a receipt keeps beside the codes: a name and the map's own numbers; empty where the codes are the map."""

# Steps between a map's smallest and largest value. With 100 of them, and not 255, 492,490 maps of 224 x 224 and their
# errors take less than 30 GB, and scores change by a hundredth of what other noise draws change (docs/run-folder.md).
STEPS = 100
RATIO = 0.6  # of one standard error that can be told to the next larger one
_RATIOS = 253  # codes 0 (zero) to 253 (the largest); the next two are no numbers
_INFINITE, _UNKNOWN = 254, 255
_LARGEST = float(np.finfo(np.float32).max)


class UncodableError(ValueError):
    """A map that cannot be written in the form asked for."""


@dataclass(frozen=True)
class CodedMap:
    """A map as it is written.

    Attributes
    ----------
    codes : ndarray of shape (h, w), float32, float16 or uint8
        What goes into the array on disk.
    coding : tuple
        What goes into the receipt; empty where the codes are the map.
    """

    codes: AnyArray
    coding: Coding = ()


def encode_map(name: str, pixel_map: Float32Array, form: MapForm) -> CodedMap:
    """Bring a map into the form in which it is written.

    Parameters
    ----------
    name : str
        'values', all finite, of any sign; or 'standard_error', not negative, NaN where it is not known.
    pixel_map : ndarray of shape (h, w), float32
        The map.
    form : {'float32', 'float16', 'uint8'}
        ``float32`` keeps it. ``float16`` divides it by a power of two first: an error of at most |x| / 2048, or of the
        map's largest magnitude / 2^38 where that is more. ``uint8`` writes values in 100 steps that are even between
        the roots of the smallest and the largest, which are both kept exactly: an error of at most
        d sqrt|x| + d^2 / 2, where d is the difference of the roots / 100. It writes standard errors by their ratio to
        the largest, in powers of 0.6: an error of at most a quarter, and zero stays zero.

    Returns
    -------
    CodedMap
        Codes and coding.

    Raises
    ------
    UncodableError
        If a standard error is negative and the form is uint8.
    """
    if form == "float32":
        return CodedMap(pixel_map)
    exact = pixel_map.astype(np.float64)
    largest = float(np.max(np.abs(exact), initial=0.0, where=np.isfinite(exact)))
    if form == "float16":
        shift = 14 - math.frexp(largest)[1]
        return CodedMap(np.ldexp(exact, shift).astype(np.float16), ("scaled", shift))
    if name == "values":
        low, high = float(exact.min()), float(exact.max())
        return CodedMap(_nearest(_steps(low, high), exact), ("steps", low, high))
    if np.any(exact < 0):
        raise UncodableError(
            f"{name}: holds {exact[exact < 0][0]:g}, and storage.maps uint8 knows none below 0; use float16 or float32"
        )
    # The nearest, also because the squares of errors, which noise is made of, then come out right within 3 % in sum.
    codes = _nearest(_ratios(largest), np.where(np.isfinite(exact), exact, 0.0))
    codes[np.isposinf(exact)] = _INFINITE
    codes[np.isnan(exact)] = _UNKNOWN
    return CodedMap(codes, ("ratios", largest))


def decode_map(codes: AnyArray, coding: Sequence[Any]) -> Float32Array:
    """Return the map that `encode_map` wrote.

    Parameters
    ----------
    codes : ndarray of shape (h, w)
        From the array on disk.
    coding : sequence
        From the receipt.

    Returns
    -------
    ndarray of shape (h, w), float32
        The map.

    Raises
    ------
    ValueError
        If codes and coding are not a pair that `encode_map` makes.
    """
    match codes.dtype.name, tuple(coding):
        case "float16", ("scaled", int(shift)):
            exact = np.ldexp(codes.astype(np.float64), -shift)
            # The largest float32 is rounded up to a power of two, which float32 does not have.
            exact[np.isfinite(exact)] = np.clip(exact[np.isfinite(exact)], -_LARGEST, _LARGEST)
            return exact.astype(np.float32)
        case "uint8", ("steps", float(low), float(high)) if codes.max() <= STEPS:
            return _steps(low, high).astype(np.float32)[codes]
        case "uint8", ("ratios", float(largest)):
            return np.append(_ratios(largest), (np.inf, np.nan)).astype(np.float32)[codes]
    raise ValueError(f"{codes.dtype} codes up to {codes.max()} with the coding {list(coding)} are none of this version")


def _steps(low: float, high: float) -> Float64Array:
    """Return the 101 values that can be told apart between two, which are the first and the last of them."""
    first, last = (math.copysign(math.sqrt(abs(end)), end) for end in (low, high))
    roots = first + (last - first) * (np.arange(STEPS + 1) / STEPS)
    table = np.asarray(np.copysign(roots * roots, roots))
    table[0], table[-1] = low, high
    return np.asarray(
        np.maximum.accumulate(np.minimum(table, high))
    )  # rounding may put the last but one beyond the last


def _ratios(largest: float) -> Float64Array:
    """Return zero and the 253 standard errors that can be told apart up to the largest, in ascending order."""
    falling = np.multiply.accumulate(np.r_[largest, np.full(_RATIOS - 1, RATIO)])
    return np.asarray(np.r_[0.0, falling[::-1]])


def _nearest(table: Float64Array, exact: Float64Array) -> AnyArray:
    """Return the index of the entry nearest to each number; of two as near, the smaller."""
    middles = table[:-1] + (table[1:] - table[:-1]) / 2
    return np.searchsorted(middles, exact).astype(np.uint8)
