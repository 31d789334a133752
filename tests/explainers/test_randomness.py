"""Keys of random streams: everything that should count does."""

from __future__ import annotations

import hashlib

import numpy as np

from consensus_onnx.explainers.randomness import stream_key


def test_a_key_is_the_blake2b_of_what_it_is_for() -> None:
    """Written out, because stored explanations rely on it: a change here changes every run."""
    digest = hashlib.blake2b(b"7|lime.rows|abc", digest_size=16).digest()
    expected = [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")]
    key = stream_key(7, "lime.rows", "abc")
    assert key.dtype == np.uint64
    assert key.tolist() == expected


def test_seed_purpose_and_picture_all_count() -> None:
    keys = {
        tuple(stream_key(seed, purpose, picture))
        for seed in (0, 1)
        for purpose in ("lime.rows", "smoothgrad.noise")
        for picture in ("a", "b")
    }
    assert len(keys) == 8
