"""What could not be had: the failures of a run, and the quarantine that keeps later audits from asking again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consensus_onnx.engine.receipts import Journal
from consensus_onnx.engine.store import RunStore

FAILURES = "failures"
PREDICTION = "prediction"
"""In place of an explainer's name: the member's own answer to a picture."""

MOST_LOST = 3  # units that cost their workers, after which a member is given up
_FORGIVEN = "ok"


@dataclass(frozen=True)
class Failure:
    """Why something could not be had: a status as in committee.csv, and words."""

    status: str
    reason: str


@dataclass(frozen=True)
class Quarantine:
    """What cost a member's workers twice, in a journal of its own.

    It is not asked again, by this audit or a later one of the run, until a person says so or the runtime changes:
    a crash costs a process, a hang the whole limit of time. A failure that the worker could tell of itself is cheap,
    and asked again by each audit.
    """

    journal: Journal

    @staticmethod
    def of(store: RunStore, declared_digest: str) -> Quarantine:
        """Return the quarantine of a model as it is declared."""
        return Quarantine(store.journal(FAILURES, declared_digest[:16]))

    def read(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what is held, by unit."""
        return {unit: entry for unit, entry in self.journal.read().items() if entry["status"] != _FORGIVEN}

    def hold(self, unit: str, key: str, failure: Failure) -> None:
        """Keep a unit of that key from being asked again."""
        self.journal.append(unit, {"key": key, "status": failure.status, "reason": failure.reason})

    def forgive(self, unit: str) -> None:
        """Let a unit go that was had after all."""
        if unit in self.read():
            self.journal.append(unit, {"key": "", "status": _FORGIVEN, "reason": ""})


def held_in(held: Mapping[str, Mapping[str, Any]], unit: str, key: str) -> Failure | None:
    """Return the failure of a unit that is held under this very key."""
    entry = held.get(unit)
    if entry is None or entry["key"] != key:
        return None
    reason = f"{entry['reason']} (in an earlier audit; --retry-failed asks again)"
    return Failure(str(entry["status"]), reason)
