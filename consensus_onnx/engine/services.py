"""What a worker can be told to do: pictures for one job, one member for the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from consensus_onnx.arrays import AnyArray
from consensus_onnx.committee import Classifier
from consensus_onnx.engine.jobs import (
    BenchJob,
    GradientJob,
    ImageJob,
    InspectionJob,
    Job,
    MemberJob,
    RandomisingJob,
)
from consensus_onnx.engine.one_shot_services import (
    BenchService,
    GradientService,
    InspectionService,
    RandomisingService,
)
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.wire import Message
from consensus_onnx.errors import ImageError
from consensus_onnx.explainers import Explanation
from consensus_onnx.images import load_canvas, load_mask, load_picture


class Service(Protocol):
    """Answers commands inside a worker; the first answer is given without one."""

    def opening(self) -> Message:
        """Get ready, and say what the supervisor should know."""
        ...

    def handle(self, command: Mapping[str, Any]) -> Message:
        """Carry out one command."""
        ...


class ImageService:
    """Makes canvas, mask and superpixels of one picture at a time."""

    def __init__(self, job: ImageJob) -> None:
        self._job = job

    def opening(self) -> Message:
        """Nothing to get ready."""
        return Message({})

    def handle(self, command: Mapping[str, Any]) -> Message:
        """Decode and cut item `command['item']`."""
        item = self._job.items[command["item"]]
        canvas = load_canvas(item.path, self._job.canvas)
        arrays: dict[str, AnyArray] = {"canvas": canvas}
        if item.mask is not None:
            size = load_picture(item.path).shape[:2]
            arrays["mask"] = load_mask(item.mask, self._job.canvas, size_of_image=size)
        for name, superpixels in self._job.superpixels.items():
            labels = superpixels.segment(canvas)
            if labels.max() > np.iinfo(np.uint16).max:
                raise ImageError(f"{item.path}: is cut into {labels.max() + 1} superpixels; choose larger ones")
            arrays[f"segments/{name}"] = labels.astype(np.uint16)
        return Message({}, arrays)


class MemberService:
    """Predicts and explains with one opened member."""

    def __init__(self, job: MemberJob) -> None:
        self._job = job
        self._store = RunStore(job.store)
        self._explainers = {explainer.name: explainer for explainer in job.explainers}
        self._classifier: Classifier | None = None

    def opening(self) -> Message:
        """Open the model and tell its facts."""
        self._classifier = replace(self._job.member.open(self._job.runtime), paces=dict(self._job.paces))
        return Message({"facts": self._classifier.facts.to_json(), "provider": self._classifier.provider})

    def handle(self, command: Mapping[str, Any]) -> Message:
        """Carry out `predict` (images) or `explain` (explainer, image, target)."""
        if self._classifier is None:
            raise RuntimeError("a command came before the opening")
        if command["do"] == "predict":
            rows = [self._classifier.predict(self._store.canvas(index)) for index in command["images"]]
            return Message({}, {"probabilities": np.stack(rows).astype(np.float32)})
        explainer = self._explainers[command["explainer"]]
        index = command["image"]
        segments = self._store.segments(explainer.name, index) if explainer.kind == "superpixel" else None
        explanation = explainer.explain(
            self._classifier, self._store.canvas(index), command["target"], self._job.seed, segments=segments
        )
        message = explanation_message(explanation, np.float64 if explainer.kind == "superpixel" else np.float32)
        return replace(message, header={**message.header, "paces": self._classifier.paces})


def service_of(job: Job) -> Service:
    """Return the service that carries out a job."""
    match job:
        case ImageJob():
            return ImageService(job)
        case MemberJob():
            return MemberService(job)
        case InspectionJob():
            return InspectionService(job)
        case GradientJob():
            return GradientService(job)
        case RandomisingJob():
            return RandomisingService(job)
        case BenchJob():
            return BenchService(job)


def explanation_message(explanation: Explanation, dtype: npt.DTypeLike) -> Message:
    """Return an explanation as a message; numbers that do not exist are null, NumPy's become plain ones."""
    header = {
        "target": int(explanation.target),
        "predicted": int(explanation.predicted),
        "probability": _number(explanation.probability),
        "samples": int(explanation.samples),
        "split_half": _number(explanation.error.split_half),
        "r2": _number(explanation.error.r2),
    }
    arrays = {"values": explanation.values, "standard_error": explanation.error.standard_error}
    return Message(header, {name: np.asarray(array, dtype) for name, array in arrays.items()})


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
