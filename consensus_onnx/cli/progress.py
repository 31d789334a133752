"""Progress of an audit: a live bar on a terminal, one line per finished member elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from consensus_onnx.engine.events import (
    Event,
    ImagePrepared,
    Listener,
    MemberFinished,
    MemberStarted,
    Notice,
    Planned,
    UnitDone,
    silent,
)
from consensus_onnx.runtime.text import printable

_RATE_WINDOW = 30.0  # seconds over which pictures per second are averaged


@contextmanager
def progress_listener(*, quiet: bool) -> Iterator[Listener]:
    """Yield the listener that shows an audit's events on stderr."""
    if quiet:
        yield silent
        return
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda event: _print_line(console, event)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = _LiveBar(progress)

        def listen(event: Event) -> None:
            _print_line(progress.console, event)
            bar.take(event)

        yield listen


class _LiveBar:
    """The bar: pictures first, then explanations, with the current member and pictures per second."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._recent: list[tuple[float, int]] = []
        self._member = ""

    def take(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, ImagePrepared):
            self._show("preparing images", event.total, event.done)
        elif isinstance(event, Planned):
            if self._task is not None:
                self._progress.remove_task(self._task)
                self._task = None
            self._show("explaining", event.units, event.reused)
        elif isinstance(event, MemberStarted):
            self._member = event.member
            if self._task is not None:
                self._progress.update(self._task, description=_clip(_safe(event.member)))
        elif isinstance(event, UnitDone) and self._task is not None:
            now = time.monotonic()
            self._recent = [(when, count) for when, count in self._recent if now - when < _RATE_WINDOW]
            self._recent.append((now, event.pictures))
            first = self._recent[0][0] - event.seconds if len(self._recent) == 1 else self._recent[0][0]
            seen = sum(count for _, count in self._recent[1:]) or event.pictures
            rate = seen / max(now - first, 1e-9)
            description = _clip(f"{_safe(event.member)} {event.explainer}")
            self._progress.update(self._task, advance=1, description=description, rate=f"{rate:.0f} images/s")

    def _show(self, description: str, total: int, completed: int) -> None:
        if self._task is None:
            self._task = self._progress.add_task(description, total=total, completed=completed, rate="")
        self._progress.update(self._task, completed=completed, total=total)


def _print_line(console: Console, event: Event) -> None:
    """Print what deserves a line of its own: finished members, failures, notices."""
    if isinstance(event, MemberFinished):
        text = f"{event.member}: {event.status} ({event.seconds:.0f} s)"
        style = None if event.status == "ok" else "yellow"
        console.print(_safe(f"{text}  {event.reason}" if event.reason else text), style=style, soft_wrap=True)
    elif isinstance(event, ImagePrepared) and event.error is not None:
        console.print(_safe(f"{event.name}: {event.error}"), style="yellow", soft_wrap=True)
    elif isinstance(event, Notice):
        console.print(_safe(f"note: {event.text}"), style="dim", soft_wrap=True)
    elif isinstance(event, Planned):
        reused = f", {event.reused} of them stored already" if event.reused else ""
        console.print(f"{event.units} explanations to make{reused}", style="dim")


def _safe(text: str) -> str:
    """Return a text that may hold names from strangers' files as one line that a terminal only shows."""
    return escape(printable(text, 1000))


def _clip(text: str, width: int = 40) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
