"""Timing a committee in worker processes, and what an audit of it would take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from consensus_onnx.committee import Committee, Member
from consensus_onnx.engine.jobs import BenchJob
from consensus_onnx.engine.limits import limits_of
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.supervisor import Script, Task, WorkerError, run_tasks
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
        Canvas, explainers, runtime and limits count; workers do not.
    rows, draws : int
        LIME rows and SmoothGrad draws that are timed.
    rounds : int
        How often; the least time counts.
    listen : callable
        Is given each result as it is made.
    """
    explainers = with_samples(settings.chosen_explainers(), rows, draws)
    found: dict[str, Bench] = {}

    def script(member: Member) -> Script:
        try:
            opening = yield {}
            header = opening.header
            if "error" in header:
                bench = Bench(member, problem=header["error"]["text"])
            else:
                forward = {int(size): seconds for size, seconds in header["forward"].items()}
                each = tuple(ExplainerSpeed(**entry) for entry in header["explainers"])
                bench = Bench(
                    member, provider=header["provider"], speed=Speed(forward, header["batch"], header["bare"], each)
                )
        except WorkerError as failure:
            bench = Bench(member, problem=f"{failure.status}: {failure}")
        found[member.name] = bench
        listen(bench)

    tasks = iter(
        Task(BenchJob(member, settings.runtime, explainers, picture, settings.canvas, rounds), script(member))
        for member in committee
    )
    run_tasks(lambda: next(tasks, None), 1, limits_of(settings.engine))
    return tuple(found[member.name] for member in committee)
