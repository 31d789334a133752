"""Where a model may keep its weights: its own folder, in plain files, as long as it says. Nothing else is ever read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from bad_models import good
from onnx import ModelProto, TensorProto, helper

from consensus_onnx.committee.loading import load_model
from consensus_onnx.errors import RejectedModelError

SECRET = b"SECRET" * 1000
SIZE = 4 * 3 * 8 * 8 * 4  # bytes of the weights


@dataclass(frozen=True)
class Place:
    """A model's folder, a secret beside it, and how its weights are described."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "models"

    @property
    def secret(self) -> Path:
        return self.root / "secret.bin"


def described(tensor: TensorProto, **entries: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def pointing(**entries: str) -> Callable[[Place], ModelProto]:
    def make(place: Place) -> ModelProto:
        model = good()
        described(model.graph.initializer[0], **entries)
        return model

    return make


def linked(make_link: Callable[[Place], object], location: str = "w.bin") -> Callable[[Place], ModelProto]:
    def make(place: Place) -> ModelProto:
        (place.folder / "w.bin").unlink()
        make_link(place)
        return pointing(location=location)(place)

    return make


def in_attribute(kind: str) -> Callable[[Place], ModelProto]:
    """Return a maker of models whose constant, in some hidden place, lies outside."""

    def make(place: Place) -> ModelProto:
        tensor = onnx.numpy_helper.from_array(np.zeros(len(SECRET) // 4, np.float32), "hidden")
        described(tensor, location="../secret.bin")
        constant = helper.make_node("Constant", [], ["hidden_value"], value=tensor)
        model = good()
        if kind == "constant":
            model.graph.node.insert(0, constant)
        elif kind == "branch":
            out = [helper.make_tensor_value_info("hidden_value", TensorProto.FLOAT, None)]
            branch = helper.make_graph([constant], "branch", [], out)
            go = helper.make_node("Constant", [], ["go"], value=onnx.numpy_helper.from_array(np.array(True)))
            model.graph.node.extend(
                [go, helper.make_node("If", ["go"], ["chosen"], then_branch=branch, else_branch=branch)]
            )
        elif kind == "function":
            opsets = [helper.make_opsetid("", 17)]
            model.functions.append(helper.make_function("own", "hide", [], ["hidden_value"], [constant], opsets))
        elif kind == "sparse":
            entry = model.graph.sparse_initializer.add()
            entry.values.CopyFrom(tensor)
        else:
            model.graph.initializer.append(tensor)
        return model

    return make


REFUSED: dict[str, Callable[[Place], ModelProto]] = {
    "parent": pointing(location="../secret.bin"),
    "parent_far": pointing(location="../../../../../../../../../../etc/passwd"),
    "parent_within": pointing(location="junk/../../secret.bin"),
    "parent_and_back": pointing(location="../models/w.bin"),
    "process": pointing(location="../../../../../../../../../proc/self/environ"),
    "absolute_outside": lambda place: pointing(location=str(place.secret))(place),
    "absolute_inside": lambda place: pointing(location=str(place.folder / "w.bin"))(place),
    "device": pointing(location="/dev/zero"),
    "uri": lambda place: pointing(location=place.secret.as_uri())(place),
    "backslash": pointing(location="..\\secret.bin"),
    "null": pointing(location="w.bin\0../secret.bin"),
    "dot": pointing(location="./w.bin"),
    "home": pointing(location="~/.bashrc"),
    "memory_marker": pointing(location="*/_ORT_MEM_ADDR_/*", offset="0", length="64"),
    "link_outside": linked(lambda place: (place.folder / "w.bin").symlink_to(place.secret)),
    "link_inside": linked(lambda place: (place.folder / "w.bin").symlink_to(place.folder / "other.bin")),
    "link_of_folder": linked(lambda place: (place.folder / "sub").symlink_to(place.root), "sub/secret.bin"),
    "link_dangling": linked(lambda place: (place.folder / "w.bin").symlink_to(place.folder / "nowhere")),
    "hard_link": linked(lambda place: os.link(place.secret, place.folder / "w.bin")),
    "pipe": linked(lambda place: os.mkfifo(place.folder / "w.bin")),
    "folder": linked(lambda place: (place.folder / "w.bin").mkdir()),
    "missing": linked(lambda place: None),
    "empty_name": pointing(location=""),
    "no_name": pointing(offset="0"),
    "short": linked(lambda place: (place.folder / "w.bin").write_bytes(bytes(100))),
    "length_huge": pointing(location="w.bin", length=str(2**50)),
    "length_negative": pointing(location="w.bin", length="-1"),
    "length_words": pointing(location="w.bin", length="many"),
    "offset_huge": pointing(location="w.bin", offset=str(2**62)),
    "offset_negative": pointing(location="w.bin", offset="-4"),
    "unknown_key": pointing(location="w.bin", __class__="x"),
    "in_constant": in_attribute("constant"),
    "in_branch": in_attribute("branch"),
    "in_function": in_attribute("function"),
    "in_sparse": in_attribute("sparse"),
    "unused": in_attribute("unused"),
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "models" / "inner").mkdir(parents=True)
    found = Place(tmp_path)
    found.secret.write_bytes(SECRET)
    weights = good().graph.initializer[0].raw_data
    for name in ("w.bin", "other.bin", "inner/w.bin"):
        (found.folder / name).write_bytes(weights)
    return found


def test_the_matrix_is_whole() -> None:
    assert len(REFUSED) + 3 >= 34


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_read_is_refused_unread(name: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.folder / "model.onnx"
    path.write_bytes(REFUSED[name](place).SerializeToString())
    read: list[bytes] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *where: read.append(pread(*where)) or read[-1])
    with pytest.raises(RejectedModelError) as caught:
        load_model(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: its external data cannot be read: tensor ") or "is not an ONNX file" in text
    assert text.isprintable()
    assert not any(SECRET[:6] in piece for piece in read)


@pytest.mark.parametrize("location", ["w.bin", "inner/w.bin"])
def test_a_plain_file_in_the_folder_is_taken_in(location: str, place: Place) -> None:
    path = place.folder / "model.onnx"
    path.write_bytes(pointing(location=location, offset="0", length=str(SIZE))(place).SerializeToString())
    loaded = load_model(path)
    assert loaded.external_data
    assert loaded.proto == good()


def test_a_model_that_is_a_link_has_its_weights_beside_the_link(place: Place) -> None:
    (place.root / "blob").write_bytes(pointing(location="w.bin")(place).SerializeToString())
    path = place.folder / "model.onnx"
    path.symlink_to(place.root / "blob")
    assert load_model(path).proto == good()


def test_a_change_between_digest_and_session_changes_nothing(place: Place) -> None:
    path = place.folder / "model.onnx"
    path.write_bytes(pointing(location="w.bin")(place).SerializeToString())
    loaded = load_model(path)
    (place.folder / "w.bin").write_bytes(bytes(SIZE))
    assert loaded.proto == good()
    assert load_model(path).digest != loaded.digest
