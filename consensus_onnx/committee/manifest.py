"""committee.yaml: the declarations that travel beside the models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consensus_onnx.committee.declaration import MemberDeclaration
from consensus_onnx.config import Document, build_settings, check_settings, read_yaml, setting
from consensus_onnx.config.build import locate
from consensus_onnx.errors import ConfigError

MANIFEST_NAME = "committee.yaml"


@dataclass(frozen=True)
class Manifest:
    """The whole of a committee.yaml, with its defaults merged into every member."""

    name: str | None = setting(None, "what to call the committee")
    classes: int | None = setting(None, "size of the common label space", minimum=2)
    defaults: MemberDeclaration = setting(MemberDeclaration(), "what every member has unless it says otherwise")
    members: tuple[MemberDeclaration, ...] = setting((), "the members in order")

    def __post_init__(self) -> None:
        check_settings(self)


def read_manifest(folder: Path) -> Manifest | None:
    """Read a folder's committee.yaml.

    Returns
    -------
    Manifest or None
        None where there is no such file.

    Raises
    ------
    ConfigError
        With every problem of the file: unknown keys, wrong types, members without a file, files that are missing,
        two members of one name.
    """
    path = folder / MANIFEST_NAME
    if not path.exists():
        return None
    document = read_yaml(path)
    # As it is written first: a fault in `defaults` is told once, at its own line, not again for every member.
    build_settings(Manifest, document.values, lines=document.lines, source=document.source)
    manifest = build_settings(Manifest, _merge_defaults(document), lines=document.lines, source=document.source)
    _check_members(manifest, document, folder)
    return manifest


def _merge_defaults(document: Document) -> Mapping[str, Any]:
    """Put `defaults` under every member, section by section, so that one schema serves both."""
    values = dict(document.values)
    defaults, members = values.get("defaults"), values.get("members")
    if not isinstance(defaults, Mapping) or not isinstance(members, list):
        return values
    values["members"] = [_under(defaults, member) if isinstance(member, Mapping) else member for member in members]
    return values


def _under(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(defaults)
    for key, value in values.items():
        below = merged.get(key)
        merged[key] = _under(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _check_members(manifest: Manifest, document: Document, folder: Path) -> None:
    inherited = _wrong_lengths(manifest.defaults)
    problems = [f"{locate(f'defaults.{key}', document.lines, document.source)}: {text}" for key, text in inherited]
    names: dict[str, int] = {}
    for index, member in enumerate(manifest.members):
        found = [problem for problem in _wrong_lengths(member) if problem not in inherited]
        if not member.file:
            found.append(("file", f"is missing; name the member's ONNX file, relative to {folder}"))
        elif not (folder / member.file).is_file():
            found.append(("file", f"no such file: {folder / member.file}"))
        name = member.name or Path(member.file).stem
        if name in names:
            found.append(("name", f"{name!r} is also the name of members[{names[name]}]; names must differ"))
        if name:
            names[name] = index
        problems += [
            f"{locate(f'members[{index}].{key}', document.lines, document.source)}: {text}" for key, text in found
        ]
    if problems:
        raise ConfigError(problems)


def _wrong_lengths(member: MemberDeclaration) -> list[tuple[str, str]]:
    """Return (key, problem) of mean and std whose length no input of the declared colour can have."""
    wanted = {"GRAY": "1 number", None: "3 numbers (1 for a grey model)"}.get(member.input.color, "3 numbers")
    fitting = {"GRAY": (1,), None: (1, 3)}.get(member.input.color, (3,))
    return [
        (f"preprocess.{part}", f"must have {wanted}, got {len(values)}")
        for part in ("mean", "std")
        if (values := getattr(member.preprocess, part)) is not None and len(values) not in fitting
    ]
