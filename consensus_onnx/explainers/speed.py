"""What explanations cost beside the bare forward passes they are made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from threading import Lock
from typing import Any

import numpy as np

from consensus_onnx.arrays import Int32Array, UInt8Array
from consensus_onnx.committee import Classifier
from consensus_onnx.committee.lanes import Lanes, lanes_of
from consensus_onnx.explainers.gradient_sums import derived_key, gradient_sums
from consensus_onnx.explainers.lime import Lime
from consensus_onnx.explainers.protocol import Explainer
from consensus_onnx.explainers.smoothgrad import SmoothGrad

BATCHES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class ExplainerSpeed:
    """The cost of one explanation of a picture.

    Attributes
    ----------
    name : str
        The explainer.
    passes : int
        Pictures it asked the member about.
    seconds : float
        The least of several rounds, wall clock.
    in_runtime : float
        Seconds of these inside ONNX Runtime.
    multiple : float
        Its seconds over what as many of the bare forward passes take that its round began with: the median of several
        rounds, since a machine that others share is by a quarter quicker at one time than a minute later.
    """

    name: str
    passes: int
    seconds: float
    in_runtime: float
    multiple: float

    @property
    def outside(self) -> float:
        """The share of the time spent outside ONNX Runtime, 0..1."""
        return 1 - self.in_runtime / self.seconds


@dataclass(frozen=True)
class Speed:
    """How fast a member answers, and what its explanations cost beside that.

    Attributes
    ----------
    forward : dict of int to float
        Seconds a picture takes in a bare forward pass on all threads, by batch size; the least of a fifth of a second.
    lanes, batch : int
        How an audit asks: so many passes side by side, of so many pictures each.
    bare : float
        Seconds a picture takes at the best batch size or as an audit asks, whichever is faster, in as many passes as
        an explanation needs; the least of several rounds, like those of the explainers and in turn with them.
    explainers : tuple of ExplainerSpeed
        One per explainer that can serve this member.
    """

    forward: Mapping[int, float]
    lanes: int
    batch: int
    bare: float
    explainers: tuple[ExplainerSpeed, ...]

    @property
    def best_batch(self) -> int:
        """The batch size at which a picture takes the least time, one pass at a time."""
        return min(self.forward, key=lambda size: self.forward[size])


def measure_speed(
    classifier: Classifier,
    explainers: Sequence[Explainer],
    canvas: UInt8Array,
    segments: Mapping[str, Int32Array],
    rounds: int = 3,
) -> Speed:
    """Time bare forward passes and explanations of one picture, in turn.

    Parameters
    ----------
    classifier : Classifier
        The member.
    explainers : sequence of Explainer
        With as many samples as are to be timed.
    canvas : uint8 (H, W, 3)
        The picture; its content does not matter to the time.
    segments : dict of str to int32 (H, W)
        Superpixels, by the name of each explainer that needs some.
    rounds : int
        How often everything is timed, at least once; one more is spent on warming up.

    Raises
    ------
    ModelError, UnsupportedOperatorError
        If the member fails, or cannot be explained.
    ValueError
        If there is no round.
    """
    if rounds < 1:
        raise ValueError(f"rounds: expected at least 1, got {rounds}")
    watched = [(explainer, *_watched(classifier, explainer)) for explainer in explainers]
    sizes = (classifier.facts.input.batch,) if classifier.facts.input.batch else BATCHES
    lanes, alone = lanes_of(classifier), Lanes(classifier, classifier)
    forward = {size: _least(alone, size) for size in sorted({*sizes, classifier.batch})}
    best = min(forward, key=lambda size: forward[size])
    ways = [(alone, best), (lanes, lanes.member.batch)]
    passes = best
    bare: list[float] = []
    found: dict[str, list[ExplainerSpeed]] = {explainer.name: [] for explainer in explainers}
    for _ in range(rounds + 1):
        # Which batch is best was found in a fifth of a second each; the one an audit uses may have been unlucky.
        bare.append(min(_bare(way, size, passes) for way, size in ways))
        for explainer, member, watch in watched:
            watch.seconds = 0.0
            began = time.perf_counter()
            made = explainer.explain(member, canvas, segments=segments.get(explainer.name))
            seconds = time.perf_counter() - began
            multiple = seconds / (made.samples * bare[-1])
            found[explainer.name].append(ExplainerSpeed(explainer.name, made.samples, seconds, watch.seconds, multiple))
            passes = max(passes, made.samples)
    each = tuple(_of_rounds(speeds[1:]) for speeds in found.values())
    return Speed(forward, lanes.count, lanes.member.batch, min(bare[1:]), each)


def _of_rounds(speeds: Sequence[ExplainerSpeed]) -> ExplainerSpeed:
    least = min(speeds, key=lambda speed: speed.seconds)
    return replace(least, multiple=median(speed.multiple for speed in speeds))


class _Watch:
    """Adds up the seconds that sessions spend in their runs; of several lanes, what they spend on average."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = Lock()

    def over(self, session: Any, lanes: int = 1) -> Any:
        watch = self

        class Watched:
            def __getattr__(self, name: str) -> Any:
                return getattr(session, name)

            def run(self, *given: Any) -> Any:
                return watch.time(lambda: session.run(*given), lanes)

            def run_with_iobinding(self, *given: Any) -> Any:
                return watch.time(lambda: session.run_with_iobinding(*given), lanes)

        return Watched()

    def time(self, run: Callable[[], Any], lanes: int) -> Any:
        began = time.perf_counter()
        try:
            return run()
        finally:
            with self._lock:
                self.seconds += (time.perf_counter() - began) / lanes


def _watched(classifier: Classifier, explainer: Explainer) -> tuple[Classifier, _Watch]:
    """Return a classifier whose sessions, those of its lanes and of the gradient graph too, are watched."""
    watch = _Watch()
    member = replace(classifier, session=watch.over(classifier.session), _derived={})
    lanes = lanes_of(classifier)
    asked = replace(lanes.member, session=watch.over(lanes.member.session, lanes.count))
    member.derived("lanes", lambda: Lanes(member, asked, lanes.count))
    if isinstance(explainer, SmoothGrad):
        sums = gradient_sums(classifier, explainer.of)
        ours = replace(sums, classifier=member, session=watch.over(sums.session))
        member.derived(derived_key(explainer.of), lambda: ours)
    return member, watch


def _least(lanes: Lanes, size: int) -> float:
    """Return the seconds of a picture in a bare forward pass, the least of as many as fit into 0.2 seconds."""
    least, until = np.inf, time.perf_counter() + 0.2
    while time.perf_counter() < until:
        least = min(least, _bare(lanes, size, size))
    return float(least)


def _bare(lanes: Lanes, size: int, pictures: int) -> float:
    """Return the seconds of a picture in bare forward passes of batches of one size, over so many pictures or more."""
    batch = lanes.member.new_batch(size)
    batch[...] = np.random.default_rng(0).normal(size=batch.shape[1:])
    facts = lanes.member.facts

    def run(member: Classifier, pieces: Iterator[slice]) -> None:
        for _ in pieces:
            member.session.run([facts.output.name], {facts.input.name: batch})

    total = -(-pictures // size) * size
    began = time.perf_counter()
    lanes.over(total, run, size)
    return (time.perf_counter() - began) / total


def with_samples(explainers: Sequence[Explainer], rows: int, draws: int) -> tuple[Explainer, ...]:
    """Return the explainers with other numbers of samples, where they are ours."""
    numbers = {Lime: rows, SmoothGrad: draws}
    return tuple(
        replace(explainer, samples=numbers[type(explainer)]) if isinstance(explainer, Lime | SmoothGrad) else explainer
        for explainer in explainers
    )
