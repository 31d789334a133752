"""Forward passes of one member side by side: one thread each, instead of one pass at a time on all threads.

The threads of a pass wait for each other at every operator, and one by one for what is done in Python; in lanes they do
not. On two cores that is worth up to 15 % (MobileNetV3-Small: 1,295 pictures a second instead of 1,130; MobileNetV2 477
instead of 463, ViT-Ti/16 135 instead of 130) or nothing (SqueezeNet 1.1: 582, 592), by tests/benchmarks/lanes.py.
Gradient passes lose as often as they gain, and are not made in lanes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from consensus_onnx.committee.classifier import Classifier
from consensus_onnx.committee.pacing import Pace, Paces, duel
from consensus_onnx.errors import ModelError
from consensus_onnx.runtime import open_session, serialise
from consensus_onnx.runtime.memory import ran_out_of_memory, shrinking

Work: TypeAlias = Callable[[Classifier, Iterator[slice]], None]

_LONG = 0.02  # seconds of a core per picture: where operators have that much to do, threads hardly wait
_PASSES = 3  # of each lane that are timed at once: to start lanes takes 0.1 ms, a pass of the smallest networks 0.5


@dataclass
class Lanes:
    """A member as it answers many pictures quickest.

    Attributes
    ----------
    alone : Classifier
        The member with all its threads, for one pass at a time.
    member : Classifier
        Whom each lane asks: the same with one thread, or `alone` itself.
    count : int
        Passes side by side. It falls to 1 for good when memory runs out.
    """

    alone: Classifier
    member: Classifier
    count: int = 1
    _pool: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)

    def over(self, total: int, work: Work, size: int = 0) -> None:
        """Have pictures 0..total - 1 worked on, in pieces of a pass' size.

        Parameters
        ----------
        total : int
            How many pictures.
        work : callable
            Is called once per lane, in a thread of its own where there are several, with whom to ask and an iterator
            over the pieces still to be done, which all lanes share. It must be able to begin anew.
        size : int
            Pictures per piece; 0 is what was found to be quickest.

        Raises
        ------
        ModelError
            If a pass fails.
        """
        if self.count > 1:
            try:
                self._side_by_side(work, self._pieces(total, size))
            except Exception as error:
                if not ran_out_of_memory(error):
                    raise
                self.member, self.count = self.alone, 1
            else:
                return
        work(self.member, self._pieces(total, size))

    def pace(self) -> Pace:
        """Return how many pictures a pass takes and the seconds of a picture; timed once, and kept by the member."""
        return self._of_a_picture(self.member.pace_for("batch", self._try_passes))

    def beats(self, other: Lanes) -> bool:
        """Say whether this way saves enough to be worth its memory, each in passes of its own size, in turn."""
        ours, theirs = duel(self._try_passes, self.pace().batch, other._try_passes, other.pace().batch)
        return self._of_a_picture(ours).beats(other._of_a_picture(theirs))

    def _try_passes(self, size: int) -> None:
        def ask(member: Classifier, pieces: Iterator[slice]) -> None:
            for piece in pieces:
                member.raw(member.blank(piece.stop - piece.start))

        self.over(_PASSES * self.count * size, ask, size)

    def _of_a_picture(self, tried: Pace) -> Pace:
        return replace(tried, seconds=tried.seconds / (_PASSES * self.count))

    def _side_by_side(self, work: Work, pieces: Iterator[slice]) -> None:
        """Work in every lane; when one fails, or somebody presses Ctrl-C, the others find nothing left to do."""
        self._pool = self._pool or ThreadPoolExecutor(self.count, thread_name_prefix="lane")
        lanes = [self._pool.submit(work, self.member, pieces) for _ in range(self.count)]
        try:
            for lane in lanes:
                lane.result()
        finally:
            deque(pieces, maxlen=0)
            wait(lanes)

    def _pieces(self, total: int, size: int) -> Iterator[slice]:
        size = size or self.member.batch
        return iter([slice(start, min(start + size, total)) for start in range(0, total, size)])


def lanes_of(classifier: Classifier) -> Lanes:
    """Return how a member's forward passes are made: as known, or timed once where it is paced, else one lane."""
    return classifier.derived("lanes", lambda: _quickest_lanes(classifier))


def _quickest_lanes(classifier: Classifier) -> Lanes:
    alone, threads, paces = Lanes(classifier, classifier), classifier.runtime.all_threads, classifier.paces
    if paces is None or classifier.provider != "cpu" or threads == 1:
        return alone
    try:
        if "lanes" not in paces:
            return _timed_lanes(alone, threads, paces)
        return alone if paces["lanes"] == 1 else _several_lanes(classifier, threads, paces)
    except ModelError as error:
        if not ran_out_of_memory(error):
            raise
        return alone  # for now: what was short once is not noted


def _timed_lanes(alone: Lanes, threads: int, paces: Paces) -> Lanes:
    classifier, chosen = alone.alone, alone
    if alone.pace().seconds * threads < _LONG:
        several = _several_lanes(classifier, threads, {})
        if several.beats(alone):
            chosen = several
        if several.count == 1:
            return alone
    for member in {id(member): member for member in (classifier, chosen.member)}.values():  # larger passes were tried
        member.session.run(None, {member.facts.input.name: member.blank(member.batch)}, shrinking())
    paces["lanes"] = chosen.count
    if chosen is not alone:
        paces["lane_batch"] = chosen.member.batch
    return chosen


def _several_lanes(classifier: Classifier, threads: int, paces: Paces) -> Lanes:
    single = replace(classifier.runtime, threads=1)
    session = open_session(serialise(classifier.load()), single)
    known = {"batch": paces["lane_batch"]} if "lane_batch" in paces else {}
    return Lanes(classifier, replace(classifier, runtime=single, session=session, paces=known, _derived={}), threads)
