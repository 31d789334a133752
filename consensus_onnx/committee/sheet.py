"""What is said about one model, by a person or by the file itself, and the record of where each value came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from onnx import ModelProto, ValueInfoProto

from consensus_onnx.committee.declaration import MemberDeclaration
from consensus_onnx.config import build_settings
from consensus_onnx.errors import ConfigError, ModelError

METADATA_PREFIX = "consensus_onnx."
_METADATA_LIMIT = 1000  # characters of one value; metadata comes from strangers

T = TypeVar("T")


@dataclass(frozen=True)
class Sheet:
    """Declarations before metadata before what is found; filled while a model's facts are resolved.

    Attributes
    ----------
    where : str
        How messages call the model.
    declared, metadata : mapping
        Values by dotted key, as in committee.yaml.
    sources : dict
        Source of every key settled so far.
    notices : list of str
        What a person should know.
    """

    where: str
    declared: Mapping[str, Any]
    metadata: Mapping[str, Any]
    sources: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def take(self, key: str) -> Any:
        """Return the declared or stored value of a key, or None, and note its source."""
        for source, values in (("declared", self.declared), ("metadata", self.metadata)):
            if values.get(key) is not None:
                self.sources[key] = source
                return values[key]
        return None

    def settle(self, key: str, value: T, source: str) -> T:
        """Note the source of a value nobody declared, and return it."""
        self.sources[key] = source
        return value

    def error(self, text: str) -> ModelError:
        """Return the error that names this model."""
        return ModelError(f"{self.where}: {text}")


def make_sheet(where: str, model: ModelProto, declaration: MemberDeclaration) -> Sheet:
    """Lay what committee.yaml and the file's metadata_props say side by side; both obey the same rules.

    Metadata keys are ``consensus_onnx.`` and the dotted key of committee.yaml, values are JSON or plain words:
    ``consensus_onnx.preprocess.mean = [0.5, 0.5, 0.5]``, ``consensus_onnx.input.color = BGR``.

    Raises
    ------
    ModelError
        If the metadata hold an unknown key or a value that committee.yaml would not be allowed either.
    """
    return Sheet(where, _by_key(declaration), _by_key(_stored(where, model)))


def _stored(where: str, model: ModelProto) -> MemberDeclaration:
    """Return what the file's metadata declare; they come from strangers, so they are checked like committee.yaml."""
    sections: dict[str, dict[str, Any]] = {}
    for entry in model.metadata_props:
        section, _, key = entry.key.removeprefix(METADATA_PREFIX).partition(".")
        if entry.key.startswith(METADATA_PREFIX) and section in MemberDeclaration.SECTIONS:
            sections.setdefault(section, {})[key] = _metadata_value(entry.value[:_METADATA_LIMIT])
    try:
        return build_settings(MemberDeclaration, sections, source=f"{where}: metadata")
    except ConfigError as error:
        raise ModelError("; ".join(error.problems)) from error


def _by_key(declaration: MemberDeclaration) -> dict[str, Any]:
    """Return a declaration's values by dotted key."""
    return {
        f"{section}.{key}": value
        for section, entries in declaration.digestible().items()
        for key, value in entries.items()
    }


def _metadata_value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def dims_of(value: ValueInfoProto) -> list[int | None]:
    """Return a graph value's sizes, None where symbolic or unknown."""
    return [dim.dim_value if dim.dim_value > 0 else None for dim in value.type.tensor_type.shape.dim]


def describe(value: ValueInfoProto) -> str:
    """Return a graph value's name and shape as messages show them, 'input (N, 3, 224, 224)'."""
    dims = value.type.tensor_type.shape.dim
    return f"{value.name} ({', '.join(dim.dim_param or str(dim.dim_value or '?') for dim in dims)})"
