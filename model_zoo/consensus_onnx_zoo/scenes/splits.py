"""Which seeds are for what."""

from __future__ import annotations

SPLITS: dict[str, range] = {
    "train": range(0, 1_000_000),
    "val": range(1_000_000, 2_000_000),
    "test": range(2_000_000, 3_000_000),
}
"""Ranges of seeds that never meet: no scene of one split is in another."""
