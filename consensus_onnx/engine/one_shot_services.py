"""What a worker can be told to do once: its opening is the whole answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast, get_args

import numpy as np

from consensus_onnx.committee.inspection import gradient_obstacles, measure_accuracy
from consensus_onnx.committee.loading import load_model
from consensus_onnx.committee.randomising import randomise
from consensus_onnx.engine.jobs import BenchJob, GradientJob, InspectionJob, RandomisingJob
from consensus_onnx.engine.wire import Message
from consensus_onnx.errors import ModelError
from consensus_onnx.explainers import SmoothGrad
from consensus_onnx.explainers.protocol import SuperpixelExplainer
from consensus_onnx.explainers.speed import measure_speed
from consensus_onnx.gradients import check_gradient, fix_target, gradient_model, save_model
from consensus_onnx.gradients.model import OF_KEY, SEED, WRT_KEY, Of
from consensus_onnx.gradients.writer import PREFIX
from consensus_onnx.images import load_canvas


class _OneAnswer:
    def handle(self, command: Mapping[str, Any]) -> Message:
        """Answer nothing more."""
        return Message({})


class InspectionService(_OneAnswer):
    """Tells what one member is."""

    def __init__(self, job: InspectionJob) -> None:
        self._job = job

    def opening(self) -> Message:
        """Open the model and look at it; everything is told at once."""
        classifier = self._job.member.open(self._job.runtime)
        header: dict[str, Any] = {
            "facts": classifier.facts.to_json(),
            "provider": classifier.provider,
            "obstacles": gradient_obstacles(classifier),
        }
        if self._job.items:
            canvases = [load_canvas(item.path, self._job.canvas) for item in self._job.items]
            labels = np.array([item.label for item in self._job.items], np.int64)
            header["accuracy"] = asdict(measure_accuracy(classifier, canvases, labels))
        return Message(header)


class GradientService(_OneAnswer):
    """Differentiates one model."""

    def __init__(self, job: GradientJob) -> None:
        self._job = job

    def opening(self) -> Message:
        """Make, write and check the gradient model; everything is told at once."""
        job = self._job
        model = load_model(job.model).proto
        named = job.of not in get_args(Of)
        gradient = gradient_model(
            model,
            output=job.of if named else None,
            wrt=job.wrt,
            of="output" if named else cast(Of, job.of),
            lowering=job.lowering,
        )
        properties = {entry.key: entry.value for entry in gradient.metadata_props}
        written = gradient if job.target is None else fix_target(gradient, job.target)
        nodes_after = len(written.graph.node)
        found = check_gradient(model, gradient) if job.check else None
        if found:
            found.require()
        save_model(written, job.out)
        header: dict[str, Any] = {
            "output": properties[OF_KEY],
            "seed": SEED if job.target is None else None,
            "gradient": f"{PREFIX}{properties[WRT_KEY]}",
            "nodes_before": len(model.graph.node),
            "nodes_after": nodes_after,
            "max_relative_error": found.max_relative_error if found else None,
            "resolution": found.resolution if found else None,
        }
        return Message(header)


class RandomisingService(_OneAnswer):
    """Shuffles one model's weights."""

    def __init__(self, job: RandomisingJob) -> None:
        self._job = job

    def opening(self) -> Message:
        """Read, shuffle and write."""
        job = self._job
        model = load_model(job.model).proto
        try:
            made = randomise(model, job.seed)
        except ModelError as error:
            raise ModelError(f"{job.model}: {error}") from error
        save_model(made.model, job.out)
        return Message({"tensors": made.tensors, "weights": made.weights})


class BenchService(_OneAnswer):
    """Times one member."""

    def __init__(self, job: BenchJob) -> None:
        self._job = job

    def opening(self) -> Message:
        """Open the member and time it; everything is told at once."""
        job = self._job
        classifier = job.member.open(job.runtime)
        canvas = load_canvas(job.picture, job.canvas)
        segments = {
            explainer.name: explainer.superpixels.segment(canvas)
            for explainer in job.explainers
            if isinstance(explainer, SuperpixelExplainer)
        }
        served = [
            explainer
            for explainer in job.explainers
            if not (isinstance(explainer, SmoothGrad) and gradient_obstacles(classifier))
        ]
        speed = measure_speed(replace(classifier, paces={}), served, canvas, segments, job.rounds)
        return Message(
            {
                "provider": classifier.provider,
                "lanes": speed.lanes,
                "batch": speed.batch,
                "bare": speed.bare,
                "forward": {str(size): seconds for size, seconds in speed.forward.items()},
                "explainers": [asdict(one) for one in speed.explainers],
            }
        )
