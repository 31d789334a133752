"""Who is asked: candidates and reference as members, and where the preprocessing of each comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from consensus_onnx.committee import Committee, Member, MemberDeclaration, load_committee
from consensus_onnx.config import build_settings, read_yaml
from consensus_onnx.config.values import did_you_mean
from consensus_onnx.engine.inspection import inspect_committee
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import ConfigError
from consensus_onnx.gate.baseline import Baseline
from consensus_onnx.gate.freezing import inheritable

_INHERITED = {"input": ("color", "size"), "preprocess": ("scale", "mean", "std"), "output": ("class_offset",)}


@dataclass(frozen=True)
class Reference:
    """What candidates are compared with.

    Attributes
    ----------
    name : str
        As given.
    index : int or None
        Its index among the baseline's members; None for a file.
    member : Member or None
        The file; None for a member of the baseline.
    """

    name: str
    index: int | None
    member: Member | None


def find_reference(wanted: str | None, baseline: Baseline) -> Reference | None:
    """Return the reference that was asked for: a member of the baseline by name, or an ONNX file.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if wanted is None:
        return None
    if wanted in baseline.names:
        return Reference(wanted, baseline.names.index(wanted), None)
    path = Path(wanted)
    if path.suffix.lower() == ".onnx" or path.exists():
        return Reference(wanted, None, one_model(path, baseline.classes))
    hint = did_you_mean(wanted, baseline.names)
    raise ConfigError(
        f"--reference: {wanted!r} is neither a file nor a member of the baseline{hint}; members: "
        f"{', '.join(baseline.names)}"
    )


def one_model(path: Path, classes: int) -> Member:
    """Return one ONNX file as a member, with what a committee.yaml beside it declares, in a given label space.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name the .onnx file")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give the candidate's .onnx file")
    return replace(load_committee(path)[0], classes=classes)


def declared_in(member: Member, given: Path | None) -> Member:
    """Return a member with what a YAML file declares, in place of what a committee.yaml beside it does.

    Parameters
    ----------
    member : Member
        From `one_model`.
    given : Path or None
        A file with the sections input, preprocess and output of a committee.yaml's member; None changes nothing.

    Raises
    ------
    ConfigError
        With every problem of the file.
    """
    if given is None:
        return member
    document = read_yaml(given)
    declared = build_settings(MemberDeclaration, document.values, lines=document.lines, source=document.source)
    return replace(member, declaration=declared)


def with_preprocessing(
    candidates: Sequence[Member],
    reference: Reference | None,
    baseline: Baseline,
    settings: AuditSettings,
) -> tuple[Member, ...]:
    """Let candidates inherit from the reference what neither a person nor their file declares.

    What is declared comes first, then the metadata of the file, then the reference, then the ImageNet convention.

    Parameters
    ----------
    candidates : sequence of Member
        As declared.
    reference : Reference, optional
        Whose preprocessing is inherited.
    baseline : Baseline
        Knows it for its members.
    settings : AuditSettings
        Limits of the workers that look at the files.

    Returns
    -------
    tuple of Member
        The candidates with everything declared that is known.
    """
    if reference is None:
        return tuple(candidates)
    open_ = [member for member in candidates if not _all_declared(member)]
    if not open_:
        return tuple(candidates)  # nobody need be looked at
    asked = open_ if reference.member is None else [*open_, reference.member]
    looks = inspect_committee(Committee("gate", _named_apart(asked)), (), settings)
    if reference.index is not None:
        parent: Mapping[str, Mapping[str, Any]] = baseline.members[reference.index].inheritable
    else:
        facts = looks[-1].facts
        parent = {} if facts is None else inheritable(facts)  # why it cannot be opened is told when it is asked
    filled = iter(
        member if look.facts is None else _inheriting(member, look.facts.sources, parent)
        for member, look in zip(open_, looks, strict=False)
    )
    return tuple(member if _all_declared(member) else next(filled) for member in candidates)


def _all_declared(member: Member) -> bool:
    """Whether nothing is left that could be inherited."""
    declared = member.declaration.digestible()
    return all(declared[section][key] is not None for section, keys in _INHERITED.items() for key in keys)


def _named_apart(members: Sequence[Member]) -> tuple[Member, ...]:
    return tuple(replace(member, name=f"{index}") for index, member in enumerate(members))


def _inheriting(member: Member, sources: Mapping[str, str], parent: Mapping[str, Mapping[str, Any]]) -> Member:
    """Declare what else would be taken by convention."""
    declared: dict[str, dict[str, Any]] = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in member.declaration.digestible().items()
    }
    for section, values in parent.items():
        for key, value in values.items():
            if sources.get(f"{section}.{key}") == "convention":
                declared.setdefault(section, {})[key] = value
    described = {
        key: value for key in ("file", "name", "family", "accuracy") if (value := getattr(member.declaration, key))
    }
    built = build_settings(MemberDeclaration, {**described, **declared}, source=str(member.path))
    return replace(member, declaration=built)


def preprocessing_source(
    before: Member, after: Member, sources: Mapping[str, str], reference: Reference | None, given: Path | None
) -> str:
    """Say in words where a candidate's preprocessing, colour order and class offset come from.

    Parameters
    ----------
    before, after : Member
        The candidate before and after it inherited.
    sources : mapping of str to str
        Of its facts.
    reference : Reference, optional
        From which it inherited.
    given : Path, optional
        The file that declares it.
    """
    keys = ("preprocess.scale", "preprocess.mean", "preprocess.std", "input.color", "output.class_offset")
    old, new = before.declaration.digestible(), after.declaration.digestible()
    words: dict[str, list[str]] = {}
    for dotted in keys:
        section, key = dotted.split(".")
        source = sources.get(dotted, "")
        if source == "declared" and reference is not None and old[section][key] != new[section][key]:
            source = f"inherited from {reference.name}"
        elif source == "declared":
            source = f"declared in {given}" if given is not None else "declared in the committee.yaml beside it"
        elif source == "metadata":
            source = "the file's metadata"
        elif source == "convention":
            source = "ImageNet convention"
        if source and source != "file":
            words.setdefault(source, []).append(key.replace("class_offset", "class offset"))
    return "; ".join(f"{', '.join(entries)}: {source}" for source, entries in words.items())
