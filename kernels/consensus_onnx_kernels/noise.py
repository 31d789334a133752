"""Counter-based random numbers: any sample of any stream, in any order, always the same bits.

The generator is Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The stream of
sample s under a key is that of ``numpy.random.Philox(key=key, counter=[0, 0, s, 0]).random_raw()``, bit for bit. NumPy
adds one to the counter before it makes its first block of four words, so block b of sample s has counter
(b + 1, 0, s, 0), lowest word first.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import parallel, serial

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
_WEYL = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_SPARE_BITS = np.uint64(11)
_TO_UNIT = 2.0**-53
_TURN = 2.0 * math.pi

# Blocks one thread makes at a stretch: a few microseconds of work, so that one large sample also uses every thread.
_STRETCH = 256


@parallel
def random_bits(key: npt.NDArray[np.uint64], first: int, count: int, k: int) -> npt.NDArray[np.uint8]:
    """Draw rows of fair random bits.

    Parameters
    ----------
    key : ndarray of shape (2,), uint64
        The key of the stream.
    first : int
        Index of the first row, not negative.
    count : int
        Number of rows, P.
    k : int
        Bits per row, K.

    Returns
    -------
    ndarray of shape (P, K), uint8
        Zeros and ones. Row p depends on the key and ``first + p`` alone and takes 64 bits from each word, lowest first;
        a row of fewer bits is a prefix of a longer one.
    """
    bits = np.empty((count, k), np.uint8)
    round_keys = _round_keys(key)
    for p in numba.prange(count):
        sample = np.uint64(first + p)
        for block in range((k + 255) // 256):
            words = _block(round_keys, np.uint64(block + 1), sample)
            for w in range(4):
                word = words[w]
                start = 256 * block + 64 * w
                for column in range(start, min(start + 64, k)):
                    bits[p, column] = word & _ONE
                    word >>= _ONE
    return bits


@parallel
def standard_normal(key: npt.NDArray[np.uint64], first: int, count: int, n: int) -> npt.NDArray[np.float32]:
    """Draw standard normal numbers by Box and Muller's transform.

    Parameters
    ----------
    key : ndarray of shape (2,), uint64
        The key of the stream.
    first : int
        Index of the first sample, not negative.
    count : int
        Number of samples, S.
    n : int
        Numbers per sample, N.

    Returns
    -------
    ndarray of shape (S, N), float32
        Row s depends on the key and ``first + s`` alone; a shorter row is a prefix of a longer one. Computed in float64
        from uniforms of 53 bits, so the largest magnitude is sqrt(106 ln 2) = 8.57.
    """
    normals = np.empty((count, n), np.float32)
    round_keys = _round_keys(key)
    blocks = (n + 3) // 4
    stretches = (blocks + _STRETCH - 1) // _STRETCH
    for task in numba.prange(count * stretches):
        s = task // stretches
        sample = np.uint64(first + s)
        start = _STRETCH * (task % stretches)
        for block in range(start, min(start + _STRETCH, blocks)):
            a, b, c, d = _block(round_keys, np.uint64(block + 1), sample)
            column = 4 * block
            if column + 4 <= n:
                normals[s, column], normals[s, column + 1] = _normal_pair(a, b)
                normals[s, column + 2], normals[s, column + 3] = _normal_pair(c, d)
            else:
                tail = _normal_pair(a, b) + _normal_pair(c, d)
                for offset in range(n - column):
                    normals[s, column + offset] = tail[offset]
    return normals


@serial
def _normal_pair(word_a: np.uint64, word_b: np.uint64) -> tuple[float, float]:
    """Turn two words into two normals; the radius takes a uniform in (0, 1], so that its logarithm is finite."""
    radius = math.sqrt(-2.0 * math.log(np.float64((word_a >> _SPARE_BITS) + _ONE) * _TO_UNIT))
    angle = _TURN * (np.float64(word_b >> _SPARE_BITS) * _TO_UNIT)
    return radius * math.cos(angle), radius * math.sin(angle)


@serial
def _round_keys(key: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the (10, 2) keys of the rounds, by array arithmetic, which wraps around without a warning."""
    steps = np.arange(_ROUNDS).astype(np.uint64)
    keys = np.empty((_ROUNDS, 2), np.uint64)
    keys[:, 0] = key[0] + steps * _WEYL[0]
    keys[:, 1] = key[1] + steps * _WEYL[1]
    return keys


@serial
def _block(
    round_keys: npt.NDArray[np.uint64], block: np.uint64, sample: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the four words of counter (block, 0, sample, 0)."""
    a, b, c, d = block, _ZERO, sample, _ZERO
    for r in range(_ROUNDS):
        high_a, low_a = _multiply(_MULTIPLIERS[0], a)
        high_c, low_c = _multiply(_MULTIPLIERS[1], c)
        a, b, c, d = high_c ^ b ^ round_keys[r, 0], low_c, high_a ^ d ^ round_keys[r, 1], low_a
    return a, b, c, d


@serial
def _multiply(x: np.uint64, y: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return high and low word of a 128-bit product, from products of halves that cannot overflow."""
    x_low, x_high = x & _LOW, x >> _HALF
    y_low, y_high = y & _LOW, y >> _HALF
    low = x_low * y_low
    cross = x_high * y_low + (low >> _HALF)
    middle = x_low * y_high + (cross & _LOW)
    return x_high * y_high + (cross >> _HALF) + (middle >> _HALF), (middle << _HALF) | (low & _LOW)
