"""From a file to a ModelProto, with a reason where it is none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto

from consensus_onnx.errors import ModelError
from consensus_onnx.runtime.session import first_line

_LFS_MARK = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class LoadedModel:
    """A parsed model, the sha256 (hex) of its file and external data, and whether it had any of the latter."""

    proto: ModelProto
    digest: str
    external_data: bool


def load_model(path: Path) -> LoadedModel:
    """Read an ONNX file, external data included.

    Raises
    ------
    ModelError
        If the file cannot be read, is empty, a Git LFS pointer, a web page, or no ONNX model, or misses its
        external data.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    if not head:
        raise ModelError(f"{path}: the file is empty; export or copy the model again")
    if head.startswith(_LFS_MARK):
        raise ModelError(f"{path}: is a Git LFS pointer, not a model; run `git lfs pull` first")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise ModelError(f"{path}: is a web page, not a model; download the file itself")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf raises DecodeError, onnx its own, a hostile file whatever it likes
        raise ModelError(f"{path}: is not an ONNX file ({first_line(error)}); export the model again") from error
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{path}: is not an ONNX file (it holds no graph); export the model again")
    external = [tensor for tensor in model.graph.initializer if tensor.external_data]
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:
        raise ModelError(f"{path}: its external data cannot be read: {first_line(error)}") from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    for tensor in external:
        digest.update(tensor.name.encode() + b"\0")
        digest.update(tensor.raw_data)
    return LoadedModel(model, digest.hexdigest(), bool(external))
