"""What is known about one member while an audit runs."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from dataclasses import asdict, dataclass, field, fields

from consensus_onnx.committee import Member, ModelFacts


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
    failures : dict of (str, int) to str
        Reasons by explainer ('' for the prediction) and row of the image.
    predicted : dict of int to int
        Own top-1 class by row.
    """

    member: Member
    file_digest: str = ""
    facts: ModelFacts | None = None
    provider: str = ""
    status: str = "ok"
    reason: str = ""
    unsupported: dict[str, str] = field(default_factory=dict)
    failures: dict[tuple[str, int], str] = field(default_factory=dict)
    predicted: dict[int, int] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether anything can still be asked of the member."""
        return self.status == "ok"

    @property
    def complete(self) -> bool:
        """Whether everything asked of it was answered."""
        return self.alive and not self.unsupported and not self.failures

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
        facts = {
            "model": self.facts.digest,
            "input": asdict(self.facts.input),
            "preprocessing": asdict(self.facts.preprocessing),
            "output": asdict(self.facts.output),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

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
            (explainer, _), reason = next(iter(self.failures.items()))
            more = f" (and {len(self.failures) - 1} more images)" if len(self.failures) > 1 else ""
            return "run_error", f"{explainer or 'prediction'}: {reason}{more}"
        return "ok", ""
