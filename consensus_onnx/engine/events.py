"""What an audit tells while it works; the command line draws it, a library user may listen too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Planned:
    """How much there is to do: `units` member x image x explainer, of which `reused` are stored already."""

    units: int
    reused: int


@dataclass(frozen=True)
class ImagePrepared:
    """A picture was decoded and cut; `error` says why not."""

    name: str
    done: int
    total: int
    error: str | None = None


@dataclass(frozen=True)
class MemberStarted:
    """A member's worker was asked to open its model."""

    member: str


@dataclass(frozen=True)
class UnitDone:
    """An explanation was committed after `seconds`, for which the member saw `pictures`."""

    member: str
    explainer: str
    image: str
    pictures: int
    seconds: float


@dataclass(frozen=True)
class MemberFinished:
    """A member has nothing left to do, or failed: `status` is 'ok' or what happened."""

    member: str
    status: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Notice:
    """Something a person should know."""

    text: str


Event: TypeAlias = Planned | ImagePrepared | MemberStarted | UnitDone | MemberFinished | Notice
Listener: TypeAlias = Callable[[Event], None]


def silent(event: Event) -> None:
    """Take no notice."""
