"""Files that are no models, each with its reason; digests that see external data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import consensus_onnx as co
from consensus_onnx.committee.loading import load_model
from consensus_onnx.errors import RejectedModelError
from tiny_models import linear_classifier

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 13970133\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty; export or copy the model again"),
        (POINTER, "is a Git LFS pointer, not a model; run `git lfs pull` first"),
        (b"<!DOCTYPE html><html></html>", "is a web page, not a model; download the file itself"),
        (b"\n <HTML><body>404</body></HTML>", "is a web page, not a model; download the file itself"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is not an ONNX file ("),
        (b"PK\x03\x04" + bytes(200), "is not an ONNX file ("),
        (bytes(1000), "is not an ONNX file ("),
        (np.random.default_rng(0).bytes(1000), "is not an ONNX file ("),
        (linear_classifier().SerializeToString()[:500], "is not an ONNX file ("),
        (b"\x08\x08", "is not an ONNX file (it holds no graph); export the model again"),
    ],
    ids=["empty", "lfs", "html", "html-upper", "png", "zip", "zeros", "random", "cut off", "no graph"],
)
def test_a_file_that_is_no_model(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(co.ModelError) as caught:
        co.load_committee(tmp_path)[0].open()
    text = str(caught.value)
    assert text.startswith(f"{path}: {expected}")
    assert "\n" not in text
    assert text.isprintable()


def _with_operators(domain: str, *names: str) -> onnx.ModelProto:
    model = linear_classifier()
    last = model.graph.output[0].name
    for name in names:
        model.graph.node.add(op_type=name, name=f"{name}_1", domain=domain, input=[last], output=[f"{name}_made"])
    model.opset_import.add(domain=domain, version=1)
    return model


def test_operators_that_need_a_library_are_all_named(tmp_path: Path) -> None:
    model = _with_operators("com.example", "Evil", "Odd", "Own", "Zeta")
    inner = helper.make_graph([helper.make_node("Within", [], ["y"], domain="com.inner")], "g", [], [])
    model.graph.node.add(op_type="If", name="if", input=["c"], output=["z"]).attribute.add(
        name="then_branch", type=onnx.AttributeProto.GRAPH, g=inner
    )
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(RejectedModelError) as caught:
        load_model(tmp_path / "model.onnx")
    assert str(caught.value) == (
        f"{tmp_path / 'model.onnx'}: operators that are neither ONNX's, ONNX Runtime's nor functions of the model: "
        "com.example:Evil (node 'Evil_1'), com.example:Odd (node 'Odd_1'), com.example:Own (node 'Own_1') "
        "and 2 more; export it with standard operators"
    )


def test_the_models_own_functions_may_have_any_domain(tmp_path: Path) -> None:
    model = _with_operators("com.example", "Same")
    same = [helper.make_node("Identity", ["x"], ["y"])]
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("com.example", "Same", ["x"], ["y"], same, opsets))
    onnx.save(model, tmp_path / "model.onnx")
    assert load_model(tmp_path / "model.onnx").proto.functions


def test_a_file_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(co.ModelError, match=r"gone\.onnx: cannot be read \(No such file or directory\); check"):
        load_model(tmp_path / "gone.onnx")


def _external(folder: Path, weight: float) -> Path:
    model = linear_classifier()
    tensor = model.graph.initializer[0]
    values = np.full(tuple(tensor.dims), weight, np.float32)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    folder.mkdir()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    return folder / "model.onnx"


def test_the_digest_sees_weights_outside_the_file(tmp_path: Path) -> None:
    first, second = _external(tmp_path / "a", 1.0), _external(tmp_path / "b", 2.0)
    assert first.read_bytes() == second.read_bytes()
    one, other = load_model(first), load_model(second)
    assert one.external_data
    assert one.digest != other.digest
    assert one.digest == load_model(first).digest


def test_missing_external_data_are_named(tmp_path: Path) -> None:
    path = _external(tmp_path / "a", 1.0)
    (tmp_path / "a" / "weights.bin").unlink()
    with pytest.raises(co.ModelError, match=r"model\.onnx: its external data cannot be read: .*weights\.bin"):
        load_model(path)


def test_external_data_cannot_reach_outside_the_folder(tmp_path: Path) -> None:
    path = _external(tmp_path / "a", 1.0)
    (tmp_path / "secret.bin").write_bytes((tmp_path / "a" / "weights.bin").read_bytes())
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../secret.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(co.ModelError, match="its external data cannot be read"):
        load_model(path)
