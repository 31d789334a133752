"""Timing a committee in worker processes, and what an audit of it would take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from consensus_onnx.committee import Committee, Member
from consensus_onnx.engine.jobs import BenchJob
from consensus_onnx.engine.limits import limits_of
from consensus_onnx.engine.one_answer import Opening, openings
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.explainers.speed import ExplainerSpeed, Speed, with_samples


@dataclass(frozen=True)
class Bench:
    """How fast one member is.

    Attributes
    ----------
    member : Member
        As declared.
    problem : str
        Why it could not be timed; empty if it could. Then the rest is there.
    provider : str
        That ran it.
    speed : Speed or None
        Forward passes and explanations.
    """

    member: Member
    problem: str = ""
    provider: str = ""
    speed: Speed | None = None

    def seconds(self, samples: Mapping[str, int]) -> dict[str, float]:
        """Return what one image takes with other numbers of samples, by explainer: in proportion to the passes."""
        if self.speed is None:
            return {}
        return {one.name: one.seconds / one.passes * samples[one.name] for one in self.speed.explainers}


def bench_committee(
    committee: Committee,
    picture: Path,
    settings: AuditSettings,
    *,
    rows: int = 200,
    draws: int = 8,
    rounds: int = 3,
    listen: Callable[[Bench], None] = lambda bench: None,
) -> tuple[Bench, ...]:
    """Time every member in a process of its own, one after the other.

    Parameters
    ----------
    committee : Committee
        The members.
    picture : Path
        What is explained.
    settings : AuditSettings
        Canvas, explainers, runtime and limits count, workers do not. All the timing of a member is one command.
    rows, draws : int
        LIME rows and SmoothGrad draws that are timed.
    rounds : int
        How often; the least time counts.
    listen : callable
        Is given each result as it is made.
    """
    explainers = with_samples(settings.chosen_explainers(), rows, draws)
    found: dict[str, Bench] = {}

    def hear(name: str, opening: Opening) -> None:
        found[name] = _bench(committee.member(name), opening)
        listen(found[name])

    jobs = {
        member.name: BenchJob(member, settings.runtime, explainers, picture, settings.canvas, rounds)
        for member in committee
    }
    limits = limits_of(settings.engine)
    openings(jobs, 1, replace(limits, opening=limits.opening + limits.command), hear)
    return tuple(found[member.name] for member in committee)


def _bench(member: Member, opening: Opening) -> Bench:
    if opening.problem:
        return Bench(member, problem=opening.in_words)
    header = opening.header
    forward = {int(size): seconds for size, seconds in header["forward"].items()}
    each = tuple(ExplainerSpeed(**entry) for entry in header["explainers"])
    speed = Speed(forward, header["lanes"], header["batch"], header["bare"], each)
    return Bench(member, provider=header["provider"], speed=speed)
