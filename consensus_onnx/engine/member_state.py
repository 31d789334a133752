"""What is known about one member while an audit runs."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

from consensus_onnx.committee import Member, ModelFacts
from consensus_onnx.engine.failures import Failure
from consensus_onnx.engine.pace_memory import PaceMemory

UnitName: TypeAlias = tuple[str, int]
"""An explainer, or `PREDICTION`, and the row of an image."""

OPENING: UnitName = ("opening", -1)


@dataclass
class MemberState:
    """A member's progress; filled by the scripts that talk to its workers.

    Attributes
    ----------
    member : Member
        What was declared.
    file_digest : str
        sha256 of the ONNX file; empty if it cannot be read.
    facts : ModelFacts or None
        Known once the model was opened, now or in an earlier audit of the same run.
    provider : str
        That really ran it.
    status : str
        'ok' or what happened to the whole member.
    reason : str
        In words.
    unsupported : dict of str to str
        Explainers that the member cannot serve, with the reason.
    failures : dict of (str, int) to Failure
        Units that cannot be had.
    predicted : dict of int to int
        Own top-1 class by row.
    quarantined : mapping of str to receipt
        What earlier audits gave up, by unit; see `failures.Quarantine`.
    asked : dict of UnitName to str
        What its worker is doing now, with the units' keys.
    lost : dict of UnitName to int
        How many workers each unit has cost.
    one_by_one : bool
        Whether its pictures are predicted one a command, to find the one that costs workers.
    batch : int
        Pictures per forward pass after memory ran out; 0 is as set.
    paces : PaceMemory
        How its passes are quickest; known from its first worker on.
    started : float or None
        When its first worker was started.
    """

    member: Member
    file_digest: str = ""
    facts: ModelFacts | None = None
    provider: str = ""
    status: str = "ok"
    reason: str = ""
    unsupported: dict[str, str] = field(default_factory=dict)
    failures: dict[UnitName, Failure] = field(default_factory=dict)
    predicted: dict[int, int] = field(default_factory=dict)
    quarantined: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    asked: dict[UnitName, str] = field(default_factory=dict)
    lost: dict[UnitName, int] = field(default_factory=dict)
    one_by_one: bool = False
    batch: int = 0
    paces: PaceMemory = field(default_factory=PaceMemory)
    started: float | None = None

    @property
    def alive(self) -> bool:
        """Whether anything can still be asked of the member."""
        return self.status == "ok"

    @property
    def declared_digest(self) -> str:
        """Digest of the file and of what is declared about it: members that share it are copies of one model."""
        return self.member.declared_digest(self.file_digest)

    @property
    def digest(self) -> str:
        """Digest of the model and of all that decides what it reads and answers.

        Raises
        ------
        ValueError
            If the model has not been opened yet.
        """
        if self.facts is None:
            raise ValueError(f"{self.member.name}: its digest is not known before it is opened")
        return facts_digest(self.facts)

    def take_from(self, other: MemberState) -> None:
        """Take over everything known about a copy of this member."""
        for item in fields(self):
            if item.name != "member":
                setattr(self, item.name, copy(getattr(other, item.name)))

    def outcome(self) -> tuple[str, str]:
        """Return (status, reason) as told to people: the member's own, else of the first thing that failed."""
        if not self.alive:
            return self.status, self.reason
        if self.unsupported:
            explainer, reason = next(iter(self.unsupported.items()))
            return f"unsupported({explainer})", reason
        if self.failures:
            (explainer, _), failure = next(iter(self.failures.items()))
            more = f" (and {len(self.failures) - 1} more, see failures.csv)" if len(self.failures) > 1 else ""
            return failure.status, f"{explainer}: {failure.reason}{more}"
        return "ok", ""


def facts_digest(facts: ModelFacts) -> str:
    """Return the digest of a model and of all that decides what it reads and answers, as committee.csv names it."""
    content = {
        "model": facts.digest,
        "input": asdict(facts.input),
        "preprocessing": asdict(facts.preprocessing),
        "output": asdict(facts.output),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def copies_among(states: Sequence[MemberState]) -> list[MemberState]:
    """Return the members whose file is there twice; whether their external weights are the same, opening tells."""
    counts = Counter(state.file_digest for state in states)
    return [state for state in states if counts[state.file_digest] > 1]


def by_model(states: Sequence[MemberState]) -> list[list[MemberState]]:
    """Group members that are one model under several names: they share their place in the store."""
    groups: dict[str | int, list[MemberState]] = {}
    for state in states:
        groups.setdefault(id(state) if state.facts is None else state.digest, []).append(state)
    return list(groups.values())
