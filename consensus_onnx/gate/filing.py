"""A baseline as a file, and back: what is read is held against itself, field by field."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from consensus_onnx.arrays import AnyArray
from consensus_onnx.committee import MemberDeclaration
from consensus_onnx.config import build_settings, to_mapping
from consensus_onnx.consensus import ConsensusSettings
from consensus_onnx.engine.settings import StorageSettings
from consensus_onnx.errors import BaselineError, ConfigError
from consensus_onnx.explainers import Lime, SmoothGrad
from consensus_onnx.gate.baseline import (
    Baseline,
    BuiltIn,
    FrozenExplainer,
    FrozenImage,
    FrozenMember,
    Reruns,
)
from consensus_onnx.gate.container import read_container, write_container
from consensus_onnx.images import CanvasSettings, canvas_digest
from consensus_onnx.runtime import RuntimeSettings

T = TypeVar("T")

_TABLES = ("scores", "leave_one_out", "mask_ap", "split_half")
_RERUNS = ("scores", "similarities", "mask_ap")
_MOST = 100_000  # images, members, superpixels, classes: more are no baseline


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline file; the same baseline gives the same bytes.

    Raises
    ------
    BaselineError
        If it cannot be written or would be too large.
    """
    settings = {
        "canvas": to_mapping(baseline.canvas),
        "explainers": {
            entry.name: {
                "explainer": to_mapping(entry.explainer),
                "grid": entry.grid,
                "sigma": entry.sigma,
                "voting": to_mapping(entry.voting),
            }
            for entry in baseline.explainers
        },
        "optimisation": baseline.runtime.optimisation,
        "provider": baseline.runtime.provider,
        "seed": baseline.seed,
        "storage": to_mapping(baseline.storage),
        "target": baseline.target,
    }
    content = {
        "classes": baseline.classes,
        "committee": baseline.committee,
        "images": [asdict(image) for image in baseline.images],
        "kept": {entry.name: sorted(entry.explanations) for entry in baseline.explainers},
        "members": [asdict(member) for member in baseline.members],
        "order": [entry.name for entry in baseline.explainers],
        "reruns": {entry.name: entry.reruns.source for entry in baseline.explainers},
        "versions": dict(baseline.versions),
    }
    arrays: dict[str, AnyArray] = {"members/predicted": baseline.predicted}
    if baseline.canvases is not None:
        arrays["images/canvas"] = baseline.canvases
    if baseline.masks is not None:
        arrays["images/mask"] = baseline.masks
    for name, labels in baseline.segments.items():
        arrays[f"{name}/superpixels"] = labels.astype(np.uint16)
    for entry in baseline.explainers:
        arrays |= _arrays_of(entry, baseline)
    write_container(path, {"settings": settings, "content": content}, arrays)


def _arrays_of(entry: FrozenExplainer, baseline: Baseline) -> dict[str, AnyArray]:
    arrays = {table: getattr(entry, table) for table in _TABLES}
    arrays |= {"targets": entry.targets, "consensus_ap": entry.consensus_ap, "consensus": _stacked(entry.consensus)}
    arrays |= {f"reruns-{name}": getattr(entry.reruns, name) for name in _RERUNS}
    for member, explanations in entry.explanations.items():
        arrays[f"explanations/{baseline.names.index(member)}"] = _stacked(explanations)
    return {f"{entry.name}/{name}": array for name, array in arrays.items()}


def _stacked(pieces: Sequence[AnyArray]) -> AnyArray:
    """Stack pieces of one rank (I, ...); shorter ones, and those that are not there, are filled up with nan."""
    present = [piece for piece in pieces if piece.size]
    shape = np.max([piece.shape for piece in present], axis=0) if present else (0,)
    stacked = np.full((len(pieces), *shape), np.nan, present[0].dtype if present else np.float64)
    for row, piece in zip(stacked, pieces, strict=True):
        if piece.size:
            row[tuple(slice(size) for size in piece.shape)] = piece
    return stacked


def file_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a baseline file: what a CI job can pin."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file.

    Raises
    ------
    BaselineError
        If it cannot be read, is damaged, or what it holds does not fit together; one line says what.
    """
    texts, arrays = read_container(path)
    try:
        return _Reading(path, arrays).baseline(texts)
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        what = error.problems[0] if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        raise _unfit(path, what) from error


class _Reading:
    """What a file says, field by field."""

    def __init__(self, path: Path, arrays: Mapping[str, AnyArray]) -> None:
        self._path, self._arrays, self._used = path, arrays, set[str]()

    def baseline(self, texts: Mapping[str, Any]) -> Baseline:
        if texts.keys() != {"settings", "content"}:
            raise ValueError(f"it holds the texts {sorted(texts)}")
        settings, content = texts["settings"], texts["content"]
        images = tuple(self._image(entry) for entry in _list(content["images"]))
        members = tuple(self._member(entry) for entry in _list(content["members"]))
        canvas = self._settings(CanvasSettings, settings["canvas"])
        side, shape = canvas.crop, (len(members), len(images))
        order = _list(content["order"])
        if not images or not members or not order or len(set(order)) != len(order):
            raise ValueError("it names no image, no member or no explainer")
        if len({member.name for member in members}) != len(members):
            raise ValueError("two members have one name")
        canvases = masks = None
        if "images/canvas" in self._arrays:
            canvases = self._array("images/canvas", np.uint8, (len(images), side, side, 3))
        if "images/mask" in self._arrays:
            masks = self._array("images/mask", np.bool_, (len(images), side, side))
        explainers = tuple(
            self._explainer(_text(name), settings["explainers"][name], content, [m.name for m in members], shape)
            for name in order
        )
        segments = {
            entry.name: self._array(f"{entry.name}/superpixels", np.uint16, (len(images), side, side)).astype(np.int32)
            for entry in explainers
            if entry.explainer.kind == "superpixel"
        }
        runtime = self._settings(RuntimeSettings, {key: settings[key] for key in ("provider", "optimisation")})
        target = settings["target"]
        baseline = Baseline(
            committee=_text(content["committee"]),
            classes=_whole(content["classes"], 2, _MOST),
            target=target if target in ("predicted", "label", "majority") else _whole(target, 0, _MOST),
            seed=_whole(settings["seed"], 0, 1 << 63),
            canvas=canvas,
            runtime=runtime,
            storage=self._settings(StorageSettings, settings.get("storage", {})),
            members=members,
            images=images,
            predicted=self._array("members/predicted", np.int64, shape),
            canvases=canvases,
            masks=masks,
            segments=segments,
            explainers=explainers,
            versions={_text(name): _text(version) for name, version in content["versions"].items()},
        )
        _check(baseline)
        unused = sorted(self._arrays.keys() - self._used)
        if unused:
            raise ValueError(f"it holds {unused[0]}, which nothing names")
        return baseline

    def _explainer(
        self,
        name: str,
        settings: Mapping[str, Any],
        content: Mapping[str, Any],
        names: list[str],
        shape: tuple[int, int],
    ) -> FrozenExplainer:
        kinds: dict[str, Callable[[], BuiltIn]] = {
            "lime": lambda: self._settings(Lime, settings["explainer"]),
            "smoothgrad": lambda: self._settings(SmoothGrad, settings["explainer"]),
        }
        explainer = kinds[name]()
        grid = None if explainer.kind == "superpixel" else _whole(settings["grid"], 1, 4096)
        sigma = settings["sigma"]
        if sigma is not None and not (isinstance(sigma, float | int) and 0 < sigma < np.inf):
            raise ValueError(f"{name}: sigma is {sigma!r}")
        voting = self._settings(ConsensusSettings, settings["voting"])
        if (voting.similarity == "rbf") != (sigma is not None):
            raise ValueError(f"{name}: similarity {voting.similarity} with sigma {sigma!r}")
        tables = {table: self._array(f"{name}/{table}", np.float64, shape) for table in _TABLES}
        reruns = [self._array(f"{name}/reruns-{part}", np.float64, (None, *shape)) for part in _RERUNS]
        source = content["reruns"][name]
        if source not in ("measured", "predicted") or len({len(part) for part in reruns}) != 1 or not len(reruns[0]):
            raise ValueError(f"{name}: its reruns do not fit together")
        kept = [_text(member) for member in _list(content["kept"][name])]
        return FrozenExplainer(
            explainer=explainer,
            voting=voting,
            sigma=None if sigma is None else float(sigma),
            grid=grid,
            consensus=self._pieces(f"{name}/consensus", name, shape[1], grid),
            targets=self._array(f"{name}/targets", np.int64, shape),
            consensus_ap=self._array(f"{name}/consensus_ap", np.float64, shape[1:]),
            explanations={
                member: self._pieces(f"{name}/explanations/{names.index(member)}", name, shape[1], grid)
                for member in kept
            },
            reruns=Reruns(source, *reruns),
            **tables,
        )

    def _pieces(self, entry: str, name: str, images: int, grid: int | None) -> tuple[AnyArray, ...]:
        """Cut a stack of explanations into one piece per picture; empty where there is none."""
        if grid is not None:
            stack = self._array(entry, np.float32, (images, grid, grid))
            sizes: list[tuple[int, ...]] = [(grid, grid)] * images
        else:
            stack = self._array(entry, np.float64, (images, None))
            labels = self._arrays[f"{name}/superpixels"]
            sizes = [(int(one.max()) + 1,) for one in labels]
        pieces = [row[tuple(slice(part) for part in size)] for row, size in zip(stack, sizes, strict=True)]
        for piece, size in zip(pieces, sizes, strict=True):
            if piece.size and not np.isnan(piece).all() and (piece.shape != size or not np.isfinite(piece).all()):
                raise ValueError(f"{entry} does not fit the superpixels, or holds nan")
        return tuple(np.zeros(0) if not piece.size or np.isnan(piece).all() else piece for piece in pieces)

    def _array(self, name: str, dtype: npt.DTypeLike, shape: Sequence[int | None]) -> AnyArray:
        array = self._arrays[name]
        self._used.add(name)
        fits = array.ndim == len(shape) and all(
            wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {tuple(shape)}")
        return array

    def _settings(self, kind: type[T], values: Any) -> T:
        return build_settings(kind, values, source=str(self._path))

    def _image(self, entry: Mapping[str, Any]) -> FrozenImage:
        label = entry["label"]
        return FrozenImage(
            _relative(entry["name"]),
            None if label is None else _whole(label, 0, _MOST),
            _digest(entry["file_digest"]),
            _digest(entry["canvas_digest"]),
        )

    def _member(self, entry: Mapping[str, Any]) -> FrozenMember:
        accuracy, inherited = entry["accuracy"], entry["inheritable"]
        self._settings(MemberDeclaration, inherited)
        if accuracy is not None and not (isinstance(accuracy, float | int) and 0 <= accuracy <= 1):
            raise ValueError(f"an accuracy is {accuracy!r}")
        return FrozenMember(
            _text(entry["name"]),
            _text(entry["family"]),
            _digest(entry["digest"]),
            _text(entry["provider"]),
            accuracy,
            inherited,
        )


def _check(baseline: Baseline) -> None:
    """Hold what is frozen against itself.

    Raises
    ------
    ValueError
        If canvases are not those whose digests are named, or classes lie outside the label space.
    """
    if baseline.canvases is not None:
        for image, canvas in zip(baseline.images, baseline.canvases, strict=True):
            if canvas_digest(canvas) != image.canvas_digest:
                raise ValueError(f"the canvas of {image.name} is not the one whose digest is named")
    classes = [baseline.predicted, baseline.labels, *(entry.targets for entry in baseline.explainers)]
    if any(array.min() < -1 or array.max() >= baseline.classes for array in classes):
        raise ValueError(f"classes outside 0..{baseline.classes - 1}")
    for name, labels in baseline.segments.items():
        if any(len(np.unique(one)) != one.max() + 1 for one in labels):
            raise ValueError(f"superpixels of {name} are not numbered from 0 without gaps")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise TypeError(f"expected a list, got {value!r:.40}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000 or not value.isprintable():
        raise TypeError(f"expected a printable text, got {value!r:.40}")
    return value


def _relative(value: Any) -> str:
    """Return a picture's name, which leads nowhere but into the folder it will be looked for in."""
    path = PurePosixPath(_text(value))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in value:
        raise ValueError(f"an image is named {value!r:.80}, which leads out of its folder")
    return str(value)


def _digest(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise TypeError(f"expected a sha256, got {value!r:.40}")
    return value


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise TypeError(f"expected a whole number in {least}..{most}, got {value!r:.40}")
    return value


def _unfit(path: Path, what: str) -> BaselineError:
    return BaselineError(f"{path}: is damaged or was tampered with: {what[:300]}; freeze the run again")
