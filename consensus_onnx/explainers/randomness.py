"""Counter-based randomness: what is drawn depends on what is asked, never on when, where or beside what."""

from __future__ import annotations

import hashlib

import numpy as np

from consensus_onnx.arrays import UInt64Array


def stream_key(seed: int, purpose: str, image_digest: str) -> UInt64Array:
    """Return the 128-bit Philox key of one purpose on one picture.

    Parameters
    ----------
    seed : int
        The audit's seed.
    purpose : str
        What the numbers are for, such as 'lime.rows'; purposes never share numbers.
    image_digest : str
        Digest of the canvas.

    Returns
    -------
    uint64 (2,)
        Key for the kernels' generators; the sample index is their counter.
    """
    text = f"{seed}|{purpose}|{image_digest}"
    return np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), dtype="<u8").astype(np.uint64)
