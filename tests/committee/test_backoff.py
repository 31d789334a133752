"""When memory runs out, passes become smaller and stay so; the results are the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.committee.backoff import Ceiling
from tiny_models import TinyNet, grid_segments, noise_canvas, open_model

NO_MEMORY = "[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer of size 9"


class Counting:
    """A binding that knows how many pictures were bound to it."""

    def __init__(self, binding: Any) -> None:
        self.binding, self.pictures = binding, 0

    def bind_cpu_input(self, name: str, value: Any) -> None:
        self.pictures = max(self.pictures, len(value))
        self.binding.bind_cpu_input(name, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.binding, name)


class Poor:
    """A session that has the memory for so many pictures; counts what it was asked."""

    def __init__(self, session: Any, pictures: int) -> None:
        self._session, self._pictures = session, pictures
        self.asked: list[int] = []

    def run(self, names: Any, feeds: dict[str, Any]) -> Any:
        self._take(max(len(value) for value in feeds.values() if value.ndim == 4))
        return self._session.run(names, feeds)

    def io_binding(self) -> Any:
        return Counting(self._session.io_binding())

    def run_with_iobinding(self, binding: Counting, *options: Any) -> None:
        self._take(binding.pictures)
        self._session.run_with_iobinding(binding.binding, *options)

    def _take(self, size: int) -> None:
        self.asked.append(size)
        if size > self._pictures:
            raise RuntimeError(NO_MEMORY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def poor(classifier: co.Classifier, pictures: int) -> Poor:
    session = Poor(classifier.session, pictures)
    object.__setattr__(classifier, "session", session)
    return session


def test_passes_are_halved_and_never_grow_again() -> None:
    ceiling, asked = Ceiling(), []

    def attempt(size: int) -> int:
        asked.append(size)
        if size > 3:
            raise MemoryError
        return size

    assert ceiling.run(16, 1, attempt) == 2
    assert ceiling.run(16, 1, attempt) == 2
    assert asked == [16, 8, 4, 2, 2]
    assert ceiling.under(1) == 1


def test_what_is_not_memory_and_what_the_smallest_pass_lacks_is_raised() -> None:
    def other(size: int) -> int:
        raise ValueError("bad shape")

    with pytest.raises(ValueError, match="bad shape"):
        Ceiling().run(8, 1, other)

    def never(size: int) -> int:
        raise MemoryError

    with pytest.raises(MemoryError):
        Ceiling().run(8, 2, never)


def test_lime_says_the_same_with_less_memory(tmp_path: Path) -> None:
    canvas, segments = noise_canvas(), grid_segments()
    lime = co.Lime(samples=40)
    rich = lime.explain(open_model(tmp_path, TinyNet(), batch=16), canvas, segments=segments)
    classifier = open_model(tmp_path, TinyNet(), batch=16)
    session = poor(classifier, 3)
    found = lime.explain(classifier, canvas, segments=segments)
    assert found.values.tobytes() == rich.values.tobytes()
    assert session.asked[:5] == [2, 16, 8, 4, 2]  # the first to see what it predicts
    assert max(session.asked[5:]) == 2
    assert classifier.batch == 2


def test_gradients_add_up_to_the_same_with_less_memory(tmp_path: Path) -> None:
    canvas = noise_canvas()
    smoothgrad = co.SmoothGrad(samples=9)
    rich = smoothgrad.explain(open_model(tmp_path, TinyNet(), batch=8), canvas)
    classifier = open_model(tmp_path, TinyNet(), batch=8)
    from consensus_onnx.explainers.gradient_sums import gradient_sums

    sums = gradient_sums(classifier, "logits")
    session = Poor(sums.session, 2)
    object.__setattr__(sums, "session", session)
    found = smoothgrad.explain(classifier, canvas)
    assert found.values.tobytes() == rich.values.tobytes()
    assert session.asked[0] == 5
    assert max(session.asked[2:]) <= 2


def test_a_fixed_batch_cannot_shrink(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet(batch=4))
    session = poor(classifier, 2)
    with pytest.raises(co.ModelError, match="Failed to allocate memory"):
        classifier.raw(np.zeros((4, 3, 16, 16), np.float32))
    assert session.asked == [4]
