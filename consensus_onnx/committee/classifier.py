"""A member, opened: batches in, probabilities of the common classes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from onnx import ModelProto

from consensus_onnx.arrays import AnyArray, Float32Array, Float64Array, UInt8Array
from consensus_onnx.committee.backoff import Ceiling
from consensus_onnx.committee.batching import with_symbolic_batch
from consensus_onnx.committee.discovery import Member
from consensus_onnx.committee.facts import ModelFacts
from consensus_onnx.committee.loading import load_model
from consensus_onnx.committee.pacing import SIZES, Pace, Paces, quickest
from consensus_onnx.committee.preprocessing import input_tensor
from consensus_onnx.errors import ModelError
from consensus_onnx.runtime import RuntimeSettings
from consensus_onnx.runtime.session import provider_of
from consensus_onnx.runtime.text import first_line

T = TypeVar("T")

# Alone, a picture takes another path through a MatMul of two computed operands (GEMV): 1e-7 in a LIME weight.
_FEWEST = 2


@dataclass(frozen=True)
class Classifier:
    """An opened member.

    Attributes
    ----------
    member : Member
        What it was opened from.
    facts : ModelFacts
        Its input, preprocessing and output.
    loosened : bool
        Whether the graph that runs is the file's with its batch made symbolic.
    runtime : RuntimeSettings
        How it runs.
    session : onnxruntime.InferenceSession
        The open session.
    paces : dict of str to int, or None
        How its passes are quickest, where the runtime settings leave it open: what is known of `pacing.PACES`, and
        what is found by timing from now on. None is as set: nothing is timed.
    """

    member: Member
    facts: ModelFacts
    loosened: bool
    runtime: RuntimeSettings
    session: Any
    paces: Paces | None = None
    _derived: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def derived(self, key: str, make: Callable[[], T]) -> T:
        """Return what was made from this model under `key`, such as a gradient session; made on first use."""
        if key not in self._derived:
            self._derived[key] = make()
        made: T = self._derived[key]
        return made

    @property
    def provider(self) -> str:
        """The provider that really runs the model, 'cpu' or 'cuda'."""
        return provider_of(self.session)

    @property
    def ceiling(self) -> Ceiling:
        """What memory has allowed so far."""
        return self.derived("ceiling", Ceiling)

    @property
    def batch(self) -> int:
        """Pictures per forward pass; fewer once memory ran out."""
        return self.batch_for("batch", lambda size: self.raw(self.blank(size)))

    def batch_for(self, key: str, run: Callable[[int], object], each: int = 4) -> int:
        """Return how many pictures a kind of pass takes: as fixed, as set, as timed once, or what suits the provider.

        Parameters
        ----------
        key : str
            Of the kind of pass.
        run : callable
            Makes such a pass of so many pictures, to be timed.
        each : int
            The most pictures a thread that are tried: more gain next to nothing and cost memory.
        """
        if self.facts.input.batch:
            return self.facts.input.batch
        if self.paces is None or self.runtime.batch or self.provider != "cpu":
            return self.ceiling.under(self.runtime.batch_for(self.provider))
        if key not in self.paces:
            self.paces[key] = self.pace_for(key, run, each).batch
        return self.ceiling.under(self.paces[key])

    def pace_for(self, key: str, run: Callable[[int], object], each: int = 4) -> Pace:
        """Return how many pictures a kind of pass takes and how long a picture lasts then; timed once.

        Where the number is fixed or set, no other is tried. For the parameters see `batch_for`.
        """
        given = self.facts.input.batch or self.runtime.batch
        sizes = [size for size in SIZES if size <= each * self.runtime.all_threads] or SIZES[:1]
        return self.derived(key, lambda: quickest(run, [given] if given else sizes))

    def load(self) -> ModelProto:
        """Return the graph that runs, read again from its file: kept, its weights would take their size twice.

        Raises
        ------
        ModelError
            If the file cannot be read, or is no longer the one that was opened.
        """
        loaded = load_model(self.member.path)
        if loaded.digest != self.facts.digest:
            raise ModelError(f"{self.member.path}: has changed since it was opened; start again")
        return with_symbolic_batch(loaded.proto) if self.loosened else loaded.proto

    def input_tensor(self, canvas: UInt8Array) -> Float32Array:
        """Return what the member reads of one canvas: float32 (C, h, w) or (h, w, C)."""
        return input_tensor(canvas, self.facts.input, self.facts.preprocessing)

    def new_batch(self, size: int) -> AnyArray:
        """Return an uninitialised input batch of the member's own layout and dtype."""
        height, width = self.facts.input.size
        channels = self.facts.input.channels
        shape = (channels, height, width) if self.facts.input.layout == "NCHW" else (height, width, channels)
        return np.empty((size, *shape), self.facts.input.dtype)

    def blank(self, size: int) -> AnyArray:
        """Return an input batch of zeros."""
        batch = self.new_batch(size)
        batch[...] = 0
        return batch

    def raw(self, batch: AnyArray) -> Float64Array:
        """Run the model on a batch of its inputs and return its outputs, whatever they are, float64 (B, L).

        A batch for which there is not the memory is run in halves, and so are all later ones.

        Raises
        ------
        ModelError
            If the run fails.
        """
        reads, answers, fixed = self.facts.input.name, self.facts.output.name, self.facts.input.batch

        def in_passes_of(size: int) -> Float64Array:
            return run_rows(self.session, reads, answers, batch, fixed or size)

        try:
            return self.ceiling.run(len(batch), max(_FEWEST, len(batch) if fixed else 0), in_passes_of)
        except Exception as error:  # the runtime's own classes, MemoryError, ValueError alike
            raise ModelError(f"{self.member.path}: fails while running: {first_line(error)}") from error

    def answers(self, batch: AnyArray) -> Float64Array:
        """Run the model on a batch of its inputs and return its outputs, float64 (B, L).

        Raises
        ------
        ModelError
            If the run fails or answers with NaN or infinity.
        """
        rows = self.raw(batch)
        if not np.isfinite(rows).all():
            raise ModelError(f"{self.member.path}: answers NaN or infinity; the model or its preprocessing is broken")
        return rows

    def probabilities(self, batch: AnyArray) -> Float64Array:
        """Return the probabilities of the common classes, float64 (B, L).

        Logits go through a softmax over all of the model's outputs, the ones outside the common label space too.
        """
        rows = self.answers(batch)
        if self.facts.output.kind == "logits":
            rows = np.exp(rows - rows.max(axis=1, keepdims=True))
            rows /= rows.sum(axis=1, keepdims=True)
        start = self.facts.output.class_offset
        return np.ascontiguousarray(rows[:, start : start + self.facts.output.classes])

    def predict(self, canvas: UInt8Array) -> Float64Array:
        """Return the probabilities (L,) of the common classes for one canvas."""
        batch = self.new_batch(1)
        batch[0] = self.input_tensor(canvas)
        row: Float64Array = self.probabilities(batch)[0]
        return row


def run_rows(session: Any, reads: str, output: str, batch: AnyArray, fixed: int) -> Float64Array:
    """Run a session over a batch, in pieces of `fixed` pictures where that is not 0, and return float64 (B, L)."""
    size = fixed or max(len(batch), _FEWEST)
    pieces = [np.asarray(session.run([output], {reads: piece})[0]) for piece in whole_pieces(batch, size)]
    rows: Float64Array = np.concatenate(pieces)[: len(batch)].reshape(len(batch), -1).astype(np.float64)
    return rows


def whole_pieces(batch: AnyArray, size: int) -> Iterator[AnyArray]:
    """Split a batch (S, ...) into pieces of exactly `size`, the last filled up with copies of its last picture."""
    for start in range(0, len(batch), size):
        piece = batch[start : start + size]
        missing = size - len(piece)
        yield np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)]) if missing else piece
