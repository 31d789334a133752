"""From a file to a ModelProto, with a reason where it is none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from consensus_onnx.committee.external_data import take_in
from consensus_onnx.committee.operator_sets import check_operators
from consensus_onnx.errors import ModelError, RejectedModelError
from consensus_onnx.runtime.text import first_line

_LFS_MARK = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class LoadedModel:
    """A parsed model, the sha256 (hex) of its file and external data, and whether it had any of the latter."""

    proto: ModelProto
    digest: str
    external_data: bool


def load_model(path: Path) -> LoadedModel:
    """Read an ONNX file, external data included; only Python's protobuf sees its bytes.

    The bytes are read once: what the digest is taken of is what a session will run, whoever changes the file
    meanwhile.

    Raises
    ------
    RejectedModelError
        If the file is empty, a Git LFS pointer, a web page or no ONNX model, has operators of unknown domains, or
        its external data do not lie where they may.
    ModelError
        If the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    _check_head(path, data[:64])
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf raises DecodeError, a hostile file whatever it likes
        raise RejectedModelError(
            f"{path}: is not an ONNX file ({first_line(error)}); export the model again"
        ) from error
    if not model.graph.node or not model.graph.output:
        raise RejectedModelError(f"{path}: is not an ONNX file (it holds no graph); export the model again")
    check_operators(model, path)
    digest = hashlib.sha256(data)
    external = take_in(model, path)
    for tensor in external:
        digest.update(tensor.name.encode() + b"\0")
        digest.update(tensor.raw_data)
    return LoadedModel(model, digest.hexdigest(), bool(external))


def _check_head(path: Path, head: bytes) -> None:
    """Refuse by name what people hand over by mistake."""
    if not head:
        raise RejectedModelError(f"{path}: the file is empty; export or copy the model again")
    if head.startswith(_LFS_MARK):
        raise RejectedModelError(f"{path}: is a Git LFS pointer, not a model; run `git lfs pull` first")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise RejectedModelError(f"{path}: is a web page, not a model; download the file itself")
