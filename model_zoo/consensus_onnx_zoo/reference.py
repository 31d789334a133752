"""Stored answers of PyTorch for every trained member: logits and input gradients of four test scenes.

A whole gradient is 110 kB, and 40 members have four each; stored are 2048 of its numbers at places drawn from a seed,
and its sum and norm in float64, which no error elsewhere leaves alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from consensus_onnx_zoo.scenes import SPLITS

PLACES = 2048
CANDIDATES = SPLITS["test"][900_000:900_100]
"""Scenes that references are made of: for each member the first four at which its gradient is steady."""
COUNT = 4


@dataclass(frozen=True)
class Reference:
    """What PyTorch answered.

    Attributes
    ----------
    seeds : int64 (4,)
        Of the scenes.
    outputs : float32 (4, L)
        Logits, or probabilities of a member that gives them.
    targets : int64 (4,)
        The class that was differentiated: the largest output.
    values : float32 (4, 2048)
        d outputs[target] / d input at `places`, in the order of the member's own layout.
    sums, norms, largest : float64 (4,)
        Sum, Euclidean norm and largest absolute value of each whole gradient.
    """

    seeds: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    sums: npt.NDArray[np.float64]
    norms: npt.NDArray[np.float64]
    largest: npt.NDArray[np.float64]


def places(size: int) -> npt.NDArray[np.int64]:
    """Return the stored places of a flattened gradient of `size` numbers: (2048,), ascending, the same everywhere."""
    words = np.random.Philox(key=np.array([size, PLACES], dtype=np.uint64)).random_raw(size)
    chosen: npt.NDArray[np.int64] = np.sort(np.argsort(words, kind="stable")[:PLACES])
    return chosen


def condensed(seeds: Sequence[int], outputs: npt.NDArray[np.float32], gradients: npt.NDArray[np.float32]) -> Reference:
    """Return what is stored of four scenes: of (4, L) outputs and the (4, ...) gradients of their largest entries."""
    flat = gradients.reshape(len(gradients), -1)
    exact = flat.astype(np.float64)
    return Reference(
        np.array(seeds, np.int64),
        outputs.astype(np.float32),
        outputs.argmax(axis=1),
        np.ascontiguousarray(flat[:, places(flat.shape[1])]),
        exact.sum(axis=1),
        np.sqrt((exact**2).sum(axis=1)),
        abs(exact).max(axis=1),
    )


def save_reference(path: Path, reference: Reference) -> None:
    """Write a reference as .npz."""
    np.savez_compressed(path, allow_pickle=False, **vars(reference))


def load_reference(path: Path) -> Reference:
    """Read a reference."""
    with np.load(path) as arrays:
        return Reference(**{name: arrays[name] for name in Reference.__dataclass_fields__})
