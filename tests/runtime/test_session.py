"""Sessions: what is refused, what is settled, what errors look like."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

import consensus_onnx as co
from consensus_onnx.runtime import open_session, runtime_version
from consensus_onnx.runtime.text import first_line
from tiny_models import TinyNet, build

MODEL = TinyNet().model()
CPU = co.RuntimeSettings(provider="cpu")
INPUTS = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)


def test_a_proto_its_bytes_and_its_file_are_the_same(tmp_path: Path) -> None:
    onnx.save(MODEL, tmp_path / "model.onnx")
    sources = (MODEL, MODEL.SerializeToString(), tmp_path / "model.onnx")
    answers = [open_session(source, CPU).run(None, {"input": INPUTS})[0] for source in sources]
    assert len({answer.tobytes() for answer in answers}) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    settings = co.RuntimeSettings(provider="cpu", threads=threads)
    answer = open_session(MODEL, settings).run(None, {"input": INPUTS})[0]
    assert answer.tobytes() == open_session(MODEL, CPU).run(None, {"input": INPUTS})[0].tobytes()


def test_settings_reach_the_session() -> None:
    options = open_session(
        MODEL, co.RuntimeSettings(provider="cpu", threads=1, optimisation="basic")
    ).get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.inter_op_num_threads == 1
    assert options.graph_optimization_level.name == "ORT_ENABLE_BASIC"
    assert options.get_session_config_entry("session.load_model_format") == "ONNX"
    assert options.get_session_config_entry("optimization.constant_folding_max_output_size_in_bytes") == "67108864"
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_the_buffers_of_a_graph_of_many_nodes_are_not_planned() -> None:
    """It takes ONNX Runtime minutes for an unrolled LSTM; the answer is the same."""
    steps = [helper.make_node("Sin", [f"t{at}"], [f"t{at + 1}"]) for at in range(10_001)]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N"]) for name in ("t0", "t10001")]
    long = helper.make_model(
        helper.make_graph(steps, "g", ends[:1], ends[1:]), ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
    )
    settings = co.RuntimeSettings(provider="cpu", optimisation="none")
    unplanned, planned = open_session(long, settings), open_session(long.SerializeToString(), settings)
    assert not unplanned.get_session_options().enable_mem_reuse
    assert planned.get_session_options().enable_mem_reuse
    assert open_session(MODEL, CPU).get_session_options().enable_mem_reuse
    feeds = {"t0": np.asarray([0.5, 1.5], np.float32)}
    assert unplanned.run(None, feeds)[0].tobytes() == planned.run(None, feeds)[0].tobytes()


def test_a_file_of_the_runtimes_own_format_is_not_loaded(tmp_path: Path) -> None:
    """A renamed .ort file would be read as such, past the checks of ONNX files."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(MODEL.SerializeToString(), options, providers=["CPUExecutionProvider"])
    shutil.move(tmp_path / "model.ort", tmp_path / "model.onnx")
    with pytest.raises(co.ModelError, match=r"model\.onnx: ONNX Runtime cannot load this model: "):
        open_session(tmp_path / "model.onnx", CPU)


@pytest.mark.parametrize("content", [b"", b"abc", b"\x08\x08", MODEL.SerializeToString()[:-200]])
def test_bytes_that_are_no_model(content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(co.ModelError, match="ONNX Runtime cannot load this model: ") as caught:
        open_session(content, CPU)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""  # an error is told once


def test_an_error_that_quotes_the_file_stays_short() -> None:
    name = "Long\x1b[31m\n" + "o" * 100_000
    node = helper.make_node("Relu", ["input"], ["output"])
    model = build([node], {"input": ("N", 3)}, {"output": ("N", 3)})
    model.graph.node[0].op_type = name
    with pytest.raises(co.ModelError) as caught:
        open_session(model, CPU)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@given(st.text(max_size=2000), st.integers(10, 400))
def test_first_lines_are_short_and_printable(text: str, limit: int) -> None:
    line = first_line(ValueError(text), limit)
    assert len(line) <= limit
    assert line == "" or line.isprintable()
    if text.isascii() and text.isalnum() and len(text) <= limit:
        assert line == text


@pytest.mark.parametrize(("provider", "chosen"), [("cpu", 4), ("cuda", 32)])
def test_batches_suit_the_provider_unless_set(provider: str, chosen: int) -> None:
    assert co.RuntimeSettings().batch_for(provider) == chosen
    assert co.RuntimeSettings(batch=7).batch_for(provider) == 7


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"provider": "gpu"}, "RuntimeSettings.provider: must be one of 'auto', 'cpu', 'cuda', got 'gpu'"),
        ({"threads": -1}, "RuntimeSettings.threads: must be >= 0, got -1"),
        ({"batch": -1}, "RuntimeSettings.batch: must be >= 0, got -1"),
        ({"optimisation": "max"}, "RuntimeSettings.optimisation: must be one of 'none', 'basic', 'extended', 'all'"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        co.RuntimeSettings(**settings)  # type: ignore[arg-type]


def test_the_version_is_the_part_that_changes_results() -> None:
    assert re.fullmatch(r"\d+\.\d+", runtime_version())
