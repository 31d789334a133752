"""Explainers that do to their worker what bad models do; importable by worker processes."""

from __future__ import annotations

import gc
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import ClassVar

import numpy as np

import consensus_onnx as co
from consensus_onnx.explainers.protocol import Kind
from consensus_onnx.images import canvas_digest


@dataclass(frozen=True)
class Misbehaving:
    """Explains everybody alike but `victim`, to whom it does something else: on all pictures, or those of a digest."""

    how: str
    victim: str = "depthwise"
    only: tuple[str, ...] = ()
    name: ClassVar[str] = "misbehaving"
    kind: ClassVar[Kind] = "pixel"

    def explain(self, member, canvas, target="predicted", seed=0, *, segments=None):  # type: ignore[no-untyped-def]
        """Explain, or misbehave."""
        values = np.add.outer(np.arange(8), np.arange(8)).astype(np.float32)
        if member.member.name == self.victim and (not self.only or canvas_digest(canvas) in self.only):
            if self.how == "memory" and member.batch > 2:
                raise MemoryError
            if self.how == "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            if self.how == "exit":
                os._exit(7)
            if self.how == "mutter":  # begins a message of 100 bytes and says no more
                os.write(_own_end(), (100).to_bytes(4, "big") + b"abc")
                time.sleep(60)
            if self.how == "babble":  # speaks before it has an answer
                os.write(_own_end(), (1).to_bytes(4, "big") + b"a" + (1).to_bytes(4, "big"))
                time.sleep(60)
            if self.how == "shout":
                os.write(_own_end(), (2**31 - 1).to_bytes(4, "big"))
                time.sleep(60)
            if self.how == "hang":
                time.sleep(60)
            if self.how == "nan":
                values[0, 0] = np.nan
            if self.how == "shape":
                values = values[0]
            if self.how == "pace":
                member.paces["lanes"] = -1
            if self.how == "raise":
                raise RuntimeError("<script>\x1b[31m" + "x" * 5000)
        error = co.ExplanationError(np.zeros_like(values), float("nan"))
        return co.Explanation(self.name, values, None, 0, 0, 0.5, error, 1)


def _own_end() -> int:
    """Return the descriptor of the worker's end of its connection."""
    (connection,) = (held for held in gc.get_objects() if isinstance(held, Connection) and not held.closed)
    return connection.fileno()
