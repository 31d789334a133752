"""From a folder of ONNX files to a committee of members; reads text and names, never a model's bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from consensus_onnx.committee.declaration import MemberDeclaration
from consensus_onnx.committee.manifest import MANIFEST_NAME, Manifest, read_manifest
from consensus_onnx.errors import ConfigError
from consensus_onnx.runtime import RuntimeSettings

if TYPE_CHECKING:
    from consensus_onnx.committee.classifier import Classifier


@dataclass(frozen=True)
class Member:
    """One ONNX classifier with what was declared about it.

    Attributes
    ----------
    name, family : str
        Unique name inside its committee; the architecture family it belongs to.
    path : Path
        The ONNX file.
    declaration : MemberDeclaration
        Everything declared in committee.yaml; keys left None are found out when the model is opened.
    classes : int or None
        Size of the common label space, where the committee declares it.
    """

    name: str
    family: str
    path: Path
    declaration: MemberDeclaration
    classes: int | None = None

    @property
    def accuracy(self) -> float | None:
        """Declared top-1 accuracy, or None."""
        return self.declaration.accuracy

    def open(self, runtime: RuntimeSettings | None = None) -> Classifier:
        """Load the model and resolve everything undeclared.

        Raises
        ------
        ModelError
            If the file is no usable image classifier; the message says why and what to declare.
        """
        from consensus_onnx.committee.opening import open_classifier

        return open_classifier(self, runtime or RuntimeSettings())

    def file_digest(self) -> str:
        """Return the sha256 (hex) of the ONNX file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def declared_digest(self, file_digest: str) -> str:
        """Return the digest of the file and the declarations that change results; names and paths do not count."""
        canonical = json.dumps(
            {"file": file_digest, "declared": self.declaration.digestible(), "classes": self.classes}, sort_keys=True
        )
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Committee(Sequence[Member]):
    """The ordered members of one audit."""

    name: str
    members: tuple[Member, ...]
    classes: int | None = None
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.members)

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> Committee: ...
    def __getitem__(self, index: int | slice) -> Member | Committee:
        if isinstance(index, slice):
            return Committee(self.name, self.members[index], self.classes, self.folder)
        return self.members[index]

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def member(self, name: str) -> Member:
        """Return the member of that name.

        Raises
        ------
        KeyError
            With the names there are.
        """
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(f"no member named {name!r}; there are: {', '.join(m.name for m in self.members)}")


def load_committee(models: str | Path) -> Committee:
    """Discover the classifiers in a folder.

    Parameters
    ----------
    models : path
        A folder of ``*.onnx`` files, optionally with a ``committee.yaml``; or one ONNX file, a committee of one.
        Where the manifest lists members, exactly those are taken, in its order.

    Returns
    -------
    Committee
        Members in the manifest's order, or sorted by file name. Nothing is loaded yet.

    Raises
    ------
    ConfigError
        If the path does not exist, holds no ONNX file, or its committee.yaml has problems.

    Notes
    -----
    Models are neither parsed nor run here: `Member.open` does that, and says what is wrong with a file.
    """
    path = Path(models)
    if path.is_file():
        manifest = read_manifest(path.parent) or Manifest()
        listed = [member for member in _listed(path.parent, manifest) if member.path.samefile(path)]
        member = listed[0] if listed else Member(path.stem, path.stem, path, manifest.defaults, manifest.classes)
        return Committee(member.name, (member,), manifest.classes, path.parent)
    if not path.is_dir():
        raise ConfigError(f"{path}: no such folder; give a folder of .onnx files")
    return _committee(path, read_manifest(path) or Manifest())


def _listed(folder: Path, manifest: Manifest) -> tuple[Member, ...]:
    return tuple(
        Member(
            name=declared.name or Path(declared.file).stem,
            family=declared.family or declared.name or Path(declared.file).stem,
            path=folder / declared.file,
            declaration=declared,
            classes=manifest.classes,
        )
        for declared in manifest.members
    )


def _committee(folder: Path, manifest: Manifest) -> Committee:
    name = manifest.name or folder.resolve().name
    if manifest.members:
        return Committee(name, _listed(folder, manifest), manifest.classes, folder)
    files = sorted(path for path in folder.glob("*.onnx") if path.is_file())
    if not files:
        raise ConfigError(
            f"{folder}: no .onnx files here; give the folder that holds the exported models "
            f"(optionally with a {MANIFEST_NAME})"
        )
    members = tuple(Member(path.stem, path.stem, path, manifest.defaults, manifest.classes) for path in files)
    return Committee(name, members, manifest.classes, folder)
