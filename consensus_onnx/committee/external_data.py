"""Weights that a model keeps in other files: taken only from its own folder, and only as it says.

ONNX Runtime and the onnx package disagree on what they let a model read: links, short files and hard links pass in one
and not in the other. Here one rule holds before either is asked, and the bytes that are read are the bytes that are
digested and run: afterwards the model has no external data left.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from consensus_onnx.errors import RejectedModelError
from consensus_onnx.runtime.text import first_line, printable

_KEYS = {"location", "offset", "length", "checksum", "basepath"}  # of which the last two are not used
_NUMBER = re.compile(r"[0-9]{1,18}")
_BYTES: dict[int, int] = {
    **dict.fromkeys((TensorProto.BOOL, TensorProto.INT8, TensorProto.UINT8), 1),
    **dict.fromkeys((TensorProto.INT16, TensorProto.UINT16, TensorProto.FLOAT16, TensorProto.BFLOAT16), 2),
    **dict.fromkeys((TensorProto.FLOAT, TensorProto.INT32, TensorProto.UINT32), 4),
    **dict.fromkeys((TensorProto.DOUBLE, TensorProto.INT64, TensorProto.UINT64), 8),
}


@dataclass(frozen=True)
class _Place:
    """Where a tensor says that its bytes lie; `length` None is the rest of the file."""

    location: str
    offset: int
    length: int | None


def take_in(model: ModelProto, path: Path) -> list[TensorProto]:
    """Read every external tensor of a model into it.

    Parameters
    ----------
    model : ModelProto
        Changed in place: no tensor of it is external afterwards.
    path : Path
        The model's file; the data must lie in its folder.

    Returns
    -------
    list of TensorProto
        The tensors that were read, in the order of the file: initialisers of the graph first.

    Raises
    ------
    RejectedModelError
        If a location is absolute, leads out of the folder, is a link or no regular file, or the file is shorter than
        the model says.
    """
    external = [tensor for tensor in _tensors(model) if tensor.data_location == TensorProto.EXTERNAL]
    files: dict[str, int] = {}
    try:
        for tensor in external:
            name = printable(tensor.name, 100)
            place = _place(path, name, tensor)
            if place.location not in files:
                files[place.location] = _opened(path, name, place.location)
            tensor.raw_data = _bytes(path, name, place, files[place.location])
            if len(tensor.raw_data) < _bytes_needed(tensor):
                needs = f"needs {_bytes_needed(tensor)} bytes, but only {len(tensor.raw_data)} are there; copy it again"
                raise _refusal(path, name, needs)
            tensor.ClearField("data_location")
            tensor.ClearField("external_data")
    finally:
        for file in files.values():
            os.close(file)
    return external


def _refusal(path: Path, tensor: str, problem: str) -> RejectedModelError:
    return RejectedModelError(f"{path}: its external data cannot be read: tensor {tensor!r} {problem}")


def _place(path: Path, name: str, tensor: TensorProto) -> _Place:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if len(entries) != len(tensor.external_data) or not entries.keys() <= _KEYS:
        odd = next((key for key in entries if key not in _KEYS), "one twice")
        raise _refusal(
            path, name, f"describes its place by unknown keys ({printable(odd, 60)}); export the model again"
        )
    location = entries.get("location", "")
    shown = printable(location, 100)
    parts = location.split("/")
    if not location or "\0" in location or "\\" in location or location.startswith("/") or {"..", "."} & set(parts):
        raise _refusal(
            path, name, f"lies at {shown!r}; it must be a file in the model's folder, named without '..' or '\\'"
        )
    numbers = {}
    for key in ("offset", "length"):
        text = entries.get(key, "")
        if text and not _NUMBER.fullmatch(text):
            raise _refusal(path, name, f"has the {key} {printable(text, 40)!r}; expected a number of bytes")
        numbers[key] = int(text) if text else None
    return _Place(location, numbers["offset"] or 0, numbers["length"])


def _opened(path: Path, name: str, location: str) -> int:
    """Open a file below the model's folder without following a link on the way; returns its descriptor."""
    *folders, last = [part for part in location.split("/") if part]
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # the last: a pipe would never open
    place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, flags | os.O_DIRECTORY, dir_fd=place)
            os.close(place)
            place = inner
        file = os.open(last, flags, dir_fd=place)
    except (OSError, ValueError) as error:
        problem = f"lies at {printable(location, 100)!r}, which cannot be opened ({first_line(error, 100)})"
        hint = "a link must be replaced by the file itself" if _has_link(path.parent, location) else "copy it there"
        raise _refusal(path, name, f"{problem}; {hint}") from error
    finally:
        os.close(place)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(file)
        kind = "has a second name on the disk (a hard link)" if stat.S_ISREG(found.st_mode) else "is no regular file"
        raise _refusal(path, name, f"lies at {printable(location, 100)!r}, which {kind}; copy the file itself there")
    return file


def _has_link(folder: Path, location: str) -> bool:
    """Whether a link stands on the way from a folder to a place below it."""
    place = folder
    try:
        return any((place := place / part).is_symlink() for part in location.split("/"))
    except (OSError, ValueError):
        return False


def _bytes(path: Path, name: str, place: _Place, file: int) -> bytes:
    size = os.fstat(file).st_size
    length = max(0, size - place.offset) if place.length is None else place.length
    if place.offset + length > size:
        raise _refusal(
            path,
            name,
            f"lies at {printable(place.location, 100)!r} from byte {place.offset} to {place.offset + length}, but the "
            f"file has {size}; copy it again",
        )
    pieces: list[bytes] = []
    read = 0
    while read < length and (piece := os.pread(file, min(length - read, 1 << 28), place.offset + read)):
        pieces.append(piece)
        read += len(piece)
    return b"".join(pieces)


def _bytes_needed(tensor: TensorProto) -> int:
    """Return the bytes that a tensor of this shape and type fills; 0 where a type packs several values into one."""
    size = _BYTES.get(tensor.data_type, 0)
    return size * int(math.prod(max(0, dim) for dim in tensor.dims))


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor stored in a model: in graphs, nested ones too, in functions and in training information."""
    yield from _in_graph(model.graph)
    for function in model.functions:
        yield from _in_nodes(function.node)
        yield from _in_attributes(function.attribute_proto)
    for training in model.training_info:
        yield from _in_graph(training.initialization)
        yield from _in_graph(training.algorithm)


def _in_graph(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _in_nodes(graph.node)


def _in_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        yield from _in_attributes(node.attribute)


def _in_attributes(attributes: Iterable[AttributeProto]) -> Iterator[TensorProto]:
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        if attribute.HasField("g"):
            yield from _in_graph(attribute.g)
        for graph in attribute.graphs:
            yield from _in_graph(graph)
