"""Looking at a committee in worker processes, without a run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consensus_onnx.committee import Committee, Member, ModelFacts
from consensus_onnx.committee.inspection import Accuracy
from consensus_onnx.engine.jobs import InspectionJob
from consensus_onnx.engine.limits import limits_of
from consensus_onnx.engine.one_answer import Opening, openings
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.images import Item


@dataclass(frozen=True)
class Inspection:
    """What one member is.

    Attributes
    ----------
    member : Member
        As declared.
    problem : str
        Why it cannot be used; empty if it can. Then the rest is there.
    facts : ModelFacts or None
        Input, preprocessing, output, with sources and notices.
    provider : str
        That runs it.
    obstacles : tuple of str
        Operators that stop its gradient, such as 'Celu-12'; empty if it has one.
    accuracy : Accuracy or None
        On labelled pictures, if there were any.
    """

    member: Member
    problem: str = ""
    facts: ModelFacts | None = None
    provider: str = ""
    obstacles: tuple[str, ...] = ()
    accuracy: Accuracy | None = None

    @property
    def advice(self) -> str:
        """What a person should do about its preprocessing; empty if nothing."""
        if self.accuracy is None or self.facts is None:
            return ""
        return self.accuracy.advice(self.facts.output.classes)


def inspect_committee(
    committee: Committee,
    items: Sequence[Item],
    settings: AuditSettings,
    listen: Callable[[Inspection], None] = lambda inspection: None,
) -> tuple[Inspection, ...]:
    """Open every member in a process of its own and say what it is.

    Parameters
    ----------
    committee : Committee
        The members.
    items : sequence of Item
        Labelled pictures to measure accuracy on; empty to measure nothing.
    settings : AuditSettings
        Canvas, runtime, workers and limits count.
    listen : callable
        Is given each inspection as it is made.
    """
    found: dict[str, Inspection] = {}

    def hear(name: str, opening: Opening) -> None:
        found[name] = _inspection(committee.member(name), opening)
        listen(found[name])

    jobs = {member.name: InspectionJob(member, settings.runtime, tuple(items), settings.canvas) for member in committee}
    openings(jobs, settings.engine.workers, limits_of(settings.engine), hear)
    return tuple(found[member.name] for member in committee)


def _inspection(member: Member, opening: Opening) -> Inspection:
    if opening.problem:
        return Inspection(member, problem=opening.in_words)
    header = opening.header
    return Inspection(
        member=member,
        facts=ModelFacts.from_json(header["facts"]),
        provider=header["provider"],
        obstacles=tuple(header["obstacles"]),
        accuracy=Accuracy(**header["accuracy"]) if "accuracy" in header else None,
    )
