"""Counter-based random numbers: any sample of any stream, in any order, always the same bits.

The generator is Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The stream of
sample s under a key is that of ``numpy.random.Philox(key=key, counter=[0, 0, s, 0]).random_raw()``, bit for bit. NumPy
adds one to the counter before it makes its first block of four words, so block b of sample s has counter
(b + 1, 0, s, 0), lowest word first.

Logarithm, sine and cosine are series instead of calls into the C library: their loops are compiled to vector
instructions (4.6 ns per normal number on one core, where calls need 28), and give the same bits on every CPU.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import PARALLEL_FROM, parallel, serial

Words = npt.NDArray[np.uint64]

_ROUNDS = 10
_MULTIPLIER_A = np.uint64(0xD2E7470EE14C6C93)
_MULTIPLIER_C = np.uint64(0xCA5A826395121157)
_WEYL_A = np.uint64(0x9E3779B97F4A7C15)
_WEYL_C = np.uint64(0xBB67AE8584CAA73B)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_SPARE_BITS = np.uint64(11)
_TO_UNIT = 2.0**-53
_EXPONENT = np.uint64(52)
_MANTISSA = np.uint64(2**52 - 1)
_BITS_OF_ONE = np.uint64(0x3FF << 52)
_LN_2 = math.log(2.0)
_SQRT_2 = math.sqrt(2.0)

# Taylor coefficients of sine and cosine: as factors, because a division in the loop is four times as slow.
_S3, _S5, _S7, _S9, _S11, _S13 = ((-1) ** (n // 2) / math.factorial(n) for n in range(3, 14, 2))
_C2, _C4, _C6, _C8, _C10, _C12, _C14 = ((-1) ** (n // 2) / math.factorial(n) for n in range(2, 15, 2))

# Blocks made at a stretch: their words and normals stay in the first-level cache.
_STRETCH = 256


@serial
def random_bits(key: Words, first: int, count: int, k: int) -> npt.NDArray[np.uint8]:
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
    words = np.empty((4, _STRETCH), np.uint64)
    per_row = (k + 255) // 256
    for start in range(0, count * per_row, _STRETCH):
        size = min(_STRETCH, count * per_row - start)
        for i in range(size):
            words[0, i] = np.uint64((start + i) % per_row + 1)
            words[2, i] = np.uint64(first + (start + i) // per_row)
        _encrypt(round_keys, words[0], words[1], words[2], words[3], size)
        for i in range(size):
            row = bits[(start + i) // per_row]
            for w in range(4):
                word = words[w, i]
                column = 256 * ((start + i) % per_row) + 64 * w
                for bit in range(column, min(column + 64, k)):
                    row[bit] = word & _ONE
                    word >>= _ONE
    return bits


def standard_normal(key: Words, first: int, count: int, n: int) -> npt.NDArray[np.float32]:
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
        from uniforms of 53 bits, so the largest magnitude is sqrt(106 ln 2) = 8.57. Words a, b, c, d of a block give
        the normals of the pairs (a, b) and (c, d), cosine before sine.
    """
    normals = np.empty((count, n), np.float32)
    fill = _fill_parallel if normals.size >= PARALLEL_FROM else _fill_serial
    fill(_round_keys(key), first, normals)
    return normals


@serial
def _fill_serial(round_keys: Words, first: int, normals: npt.NDArray[np.float32]) -> None:
    blocks = (normals.shape[1] + 3) // 4
    for s in range(normals.shape[0]):
        for start in range(0, blocks, _STRETCH):
            _fill_stretch(round_keys, np.uint64(first + s), start, normals[s])


@parallel
def _fill_parallel(round_keys: Words, first: int, normals: npt.NDArray[np.float32]) -> None:
    blocks = (normals.shape[1] + 3) // 4
    stretches = (blocks + _STRETCH - 1) // _STRETCH
    for task in numba.prange(normals.shape[0] * stretches):
        s = task // stretches
        _fill_stretch(round_keys, np.uint64(first + s), _STRETCH * (task % stretches), normals[s])


@serial
def _fill_stretch(round_keys: Words, sample: np.uint64, start: int, row: npt.NDArray[np.float32]) -> None:
    """Fill the numbers of one sample that blocks from `start` on make."""
    size = min(_STRETCH, (row.size + 3) // 4 - start)
    words = np.empty((4, _STRETCH), np.uint64)
    for i in range(size):
        words[0, i] = np.uint64(start + i + 1)
        words[2, i] = sample
    _encrypt(round_keys, words[0], words[1], words[2], words[3], size)
    normals = np.empty(4 * _STRETCH, np.float32)
    _normal_pairs(words[0], words[1], size, normals)
    _normal_pairs(words[2], words[3], size, normals[2:])
    stop = min(4 * (start + size), row.size)
    for i in range(4 * start, stop):
        row[i] = normals[i - 4 * start]


@serial
def _normal_pairs(words_a: Words, words_b: Words, size: int, out: npt.NDArray[np.float32]) -> None:
    """Turn pairs of words into pairs of normals, at every fourth place of `out` and the one after it."""
    logarithms = _log_of_uniforms(words_a, size)
    for i in range(size):
        radius = math.sqrt(-2.0 * logarithms[i])
        # The angle 2 pi u is a number of quarter turns and a rest within an eighth of a turn, where the sine and
        # cosine series converge below 1e-13 in seven terms; the quarters swap the two and change their signs.
        u = np.float64(np.int64(words_b[i] >> _SPARE_BITS)) * _TO_UNIT
        quarter = math.floor(4.0 * u + 0.5)
        x = 2.0 * math.pi * (u - 0.25 * quarter)
        y = x * x
        sine = x * (1 + y * (_S3 + y * (_S5 + y * (_S7 + y * (_S9 + y * (_S11 + y * _S13))))))
        cosine = 1 + y * (_C2 + y * (_C4 + y * (_C6 + y * (_C8 + y * (_C10 + y * (_C12 + y * _C14))))))
        turned = (quarter == 1.0) | (quarter == 3.0)
        across = sine if turned else cosine
        up = cosine if turned else sine
        out[4 * i] = radius * (-across if (quarter == 1.0) | (quarter == 2.0) else across)
        out[4 * i + 1] = radius * (-up if (quarter == 2.0) | (quarter == 3.0) else up)


@serial
def _log_of_uniforms(words: Words, size: int) -> npt.NDArray[np.float64]:
    """Natural logarithms of uniforms in (0, 1], which exclude zero so that all are finite.

    With u = m 2^e and m within a factor of sqrt(2) of 1, log u = e log 2 + 2 artanh((m - 1) / (m + 1)).
    """
    uniforms = np.empty(size)
    for i in range(size):
        uniforms[i] = np.float64(np.int64((words[i] >> _SPARE_BITS) + _ONE)) * _TO_UNIT
    bits = uniforms.view(np.uint64)
    exponents = np.empty(size)
    for i in range(size):
        exponents[i] = np.float64(np.int64(bits[i] >> _EXPONENT) - 1023)
        bits[i] = (bits[i] & _MANTISSA) | _BITS_OF_ONE
    logarithms = np.empty(size)
    for i in range(size):
        large = uniforms[i] > _SQRT_2
        m = 0.5 * uniforms[i] if large else uniforms[i]
        e = exponents[i] + 1.0 if large else exponents[i]
        z = (m - 1.0) / (m + 1.0)
        q = z * z
        series = 1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15)))))))
        logarithms[i] = e * _LN_2 + 2.0 * z * series
    return logarithms


@serial
def _round_keys(key: Words) -> Words:
    """Return the (10, 2) keys of the rounds, by array arithmetic, which wraps around without a warning."""
    steps = np.arange(_ROUNDS).astype(np.uint64)
    keys = np.empty((_ROUNDS, 2), np.uint64)
    keys[:, 0] = key[0] + steps * _WEYL_A
    keys[:, 1] = key[1] + steps * _WEYL_C
    return keys


@serial
def _encrypt(round_keys: Words, a: Words, b: Words, c: Words, d: Words, size: int) -> None:
    """Replace counters (a, 0, c, 0) by the four words of their blocks."""
    for i in range(size):
        b[i] = _ZERO
        d[i] = _ZERO
    for r in range(_ROUNDS):
        key_a, key_c = round_keys[r]  # read inside the loop below, they would keep it from being vectorised
        for i in range(size):
            high_a, low_a = _multiply(_MULTIPLIER_A, a[i])
            high_c, low_c = _multiply(_MULTIPLIER_C, c[i])
            a[i] = high_c ^ b[i] ^ key_a
            c[i] = high_a ^ d[i] ^ key_c
            b[i] = low_c
            d[i] = low_a


@serial
def _multiply(x: np.uint64, y: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return high and low word of a 128-bit product, from products of halves that cannot overflow."""
    x_low, x_high = x & _LOW, x >> _HALF
    y_low, y_high = y & _LOW, y >> _HALF
    low = x_low * y_low
    cross = x_high * y_low + (low >> _HALF)
    middle = x_low * y_high + (cross & _LOW)
    return x_high * y_high + (cross >> _HALF) + (middle >> _HALF), (middle << _HALF) | (low & _LOW)
