"""The examples of docs/gradients.md run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consensus_onnx.gradients import registry, supported_operators

PAGE = Path(__file__).parents[2] / "docs" / "gradients.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("index", range(len(EXAMPLES)))
def test_example(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    supported_operators()
    monkeypatch.setattr(registry, "_rules", dict(registry._rules))  # what an example registers ends with it
    exec(compile(EXAMPLES[index], f"{PAGE.name}[{index}]", "exec"), {"__name__": f"example_{index}"})
