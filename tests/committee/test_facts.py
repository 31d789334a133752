"""Facts survive the trip through a receipt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consensus_onnx.committee import ModelFacts
from tiny_models import TinyNet, open_model


@pytest.mark.parametrize("net", [TinyNet(), TinyNet(color="GRAY", layout="NHWC", dtype="float16", batch=3)], ids=str)
def test_json_and_back(net: TinyNet, tmp_path: Path) -> None:
    facts = open_model(tmp_path, net).facts
    assert ModelFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_inputs_in_words(tmp_path: Path) -> None:
    assert open_model(tmp_path, TinyNet(size=(10, 14))).facts.input.describe() == "10x14 NCHW RGB"
    odd = TinyNet(layout="NHWC", color="BGR", dtype="float16")
    assert open_model(tmp_path, odd).facts.input.describe() == "16x16 NHWC BGR float16"
