"""The tools of peer_comparison.py that run in the project's Python: LIME, SmoothGrad, and bare forward passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from peer_process import serve

import consensus_onnx as co
from consensus_onnx.committee.declaration import MemberDeclaration, OutputDeclaration, PreprocessDeclaration


def main() -> None:
    """Answer peer_comparison.py."""
    packages = ("consensus-onnx", "onnxruntime-gpu", "onnxruntime", "onnx", "numpy", "numba")
    serve({"ours, lime": OurLime, "ours, smoothgrad": OurSmoothGrad, "onnxruntime": Bare}, packages)


class _Ours:
    """A member that is open; its own settings decide the batch."""

    batches: Sequence[int] = ()
    batch = 0

    def __init__(self, job: Mapping[str, Any]) -> None:
        scaling = PreprocessDeclaration(scale=1 / 255, mean=tuple(job["mean"]), std=tuple(job["std"]))
        declared = MemberDeclaration(file=job["model"], preprocess=scaling, output=OutputDeclaration(kind="logits"))
        member = co.Member("network", "network", Path(job["model"]), declared)
        opened = member.open(co.RuntimeSettings(provider="cpu", threads=job["threads"]))
        self.classifier = replace(opened, paces={})  # as in an audit
        self.canvas, self.segments = np.load(job["canvas"]), np.load(job["segments"])
        self.target = job.get("target", 0)

    def clean(self) -> tuple[float, int]:
        logits = self.classifier.answers(self.classifier.input_tensor(self.canvas)[np.newaxis])[0]
        return float(logits[self.target]), int(logits.argmax())


class OurLime(_Ours):
    def explain(self, seed: int, samples: int) -> Any:
        lime = co.Lime(samples=samples)
        return lime.explain(self.classifier, self.canvas, self.target, seed, segments=self.segments).values


class OurSmoothGrad(_Ours):
    def explain(self, seed: int, samples: int) -> Any:
        return co.SmoothGrad(samples=samples).explain(self.classifier, self.canvas, self.target, seed).values


class Bare(_Ours):
    """Forward passes of as many pictures, and nothing else: the session and options are an audit's."""

    batches = (1, 2, 4, 8, 16, 32)
    batch = 1

    def __init__(self, job: Mapping[str, Any]) -> None:
        super().__init__(job)
        self.full = np.repeat(self.classifier.input_tensor(self.canvas)[np.newaxis], max(self.batches), axis=0)

    def explain(self, seed: int, samples: int) -> Any:
        facts = self.classifier.facts
        for start in range(0, samples, self.batch):
            feed = {facts.input.name: self.full[: min(self.batch, samples - start)]}
            self.classifier.session.run([facts.output.name], feed)
        return ()


if __name__ == "__main__":
    main()
