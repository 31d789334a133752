"""A finished run, opened: everything in its folder as arrays and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, UInt8Array
from consensus_onnx.committee import ModelFacts
from consensus_onnx.config import read_yaml
from consensus_onnx.consensus import to_grid
from consensus_onnx.engine.folder import RUN_FILE
from consensus_onnx.engine.member_state import facts_digest
from consensus_onnx.engine.receipts import Journal
from consensus_onnx.engine.records import FailureRow, ImageRecord, MemberRecord, PerImageRow, ScoreRow
from consensus_onnx.engine.store import RECEIPTS, RunStore
from consensus_onnx.engine.stored import stored_explanation
from consensus_onnx.engine.tables import read_table
from consensus_onnx.errors import StoreError
from consensus_onnx.explainers import Explanation


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes
    ----------
    path : Path
        The folder.
    settings : mapping
        All of run.yaml: identity, settings, versions, and what was used (`consensus.<explainer>.sigma_used`, ...).
    members : tuple of MemberRecord
        M, in the committee's order; failed ones too, with status and reason.
    images : tuple of ImageRecord
        I, in the dataset's order, without the failed ones (those are in `failed_images`).
    failed_images : tuple of ImageRecord
        What could not be used, with the reason.
    """

    path: Path
    settings: Mapping[str, Any]
    members: tuple[MemberRecord, ...]
    images: tuple[ImageRecord, ...]
    failed_images: tuple[ImageRecord, ...]

    @staticmethod
    def open(path: str | Path) -> Run:
        """Open the folder of a finished audit.

        Raises
        ------
        StoreError
            If it is none, or its tables are damaged.
        """
        folder = Path(path)
        if not (folder / RUN_FILE).is_file():
            raise StoreError(f"{folder}: is no run folder (it holds no {RUN_FILE}); give the --out of an audit")
        settings = read_yaml(folder / RUN_FILE).values
        if "explainers" not in settings:
            raise StoreError(f"{folder}: its audit has not finished; run the same command again to go on")
        images = read_table(folder / "images.csv", ImageRecord)
        return Run(
            path=folder,
            settings=settings,
            members=read_table(folder / "committee.csv", MemberRecord),
            images=tuple(image for image in images if image.status == "ok"),
            failed_images=tuple(image for image in images if image.status != "ok"),
        )

    @property
    def name(self) -> str:
        """The committee's name."""
        return str(self.settings["committee"]["name"])

    @property
    def explainers(self) -> tuple[str, ...]:
        """Names of the explainers."""
        return tuple(self.settings["explainers"])

    def kind(self, explainer: str) -> str:
        """Return 'superpixel' or 'pixel'."""
        return str(self.settings["kinds"][explainer])

    @cached_property
    def score_rows(self) -> tuple[ScoreRow, ...]:
        """The rows of scores.csv."""
        return read_table(self.path / "scores.csv", ScoreRow)

    @cached_property
    def per_image_rows(self) -> tuple[PerImageRow, ...]:
        """The rows of per_image.csv."""
        return read_table(self.path / "per_image.csv", PerImageRow)

    @cached_property
    def failures(self) -> tuple[FailureRow, ...]:
        """The rows of failures.csv: what single images cost members that are otherwise of use."""
        return read_table(self.path / "failures.csv", FailureRow)

    def scores(self, explainer: str) -> Float64Array:
        """Return similarities to the consensus, float64 (M, I); NaN where a member has no explanation."""
        return self._result(explainer, "scores")

    def leave_one_out(self, explainer: str) -> Float64Array:
        """Return similarities to the vote of the other members, float64 (M, I)."""
        return self._result(explainer, "leave_one_out")

    def mask_ap(self, explainer: str) -> Float64Array:
        """Return average precisions against object masks, float64 (M, I); NaN without a mask."""
        return self._result(explainer, "mask_ap")

    def consensus_ap(self, explainer: str) -> Float64Array:
        """Return the consensus' average precisions against object masks, float64 (I,)."""
        return self._result(explainer, "consensus_ap")

    def consensus(self, explainer: str, image: int | str) -> AnyArray:
        """Return the vote of an image: float64 (K,) or float32 (g, g) on the common grid."""
        column = self.image_index(image)
        vote = self._result(explainer, "consensus", column)
        pixel = self.kind(explainer) == "pixel"
        return vote if pixel else vote[: int(self.segments(explainer, column).max()) + 1]

    def explanation(self, explainer: str, member: int | str, image: int | str) -> Explanation:
        """Return what an explainer said; maps come on the common grid on which they were compared.

        Raises
        ------
        KeyError
            If there is no such member, image or explanation.
        StoreError
            If the stored bytes are not the ones that were receipted.
        """
        found = self.native_explanation(explainer, member, image)
        if found.segments is not None:
            return found
        side = int(self.settings["consensus"][explainer]["grid_used"])
        error = replace(found.error, standard_error=to_grid(found.error.standard_error, (side, side)))
        return replace(found, values=to_grid(found.values, (side, side)), error=error)

    def native_explanation(self, explainer: str, member: int | str, image: int | str) -> Explanation:
        """Return what an explainer said, maps at the member's own input size; raises as `explanation` does."""
        record, picture, receipt = self._receipted(explainer, member, image)
        segments = self.segments(explainer, image) if self.kind(explainer) == "superpixel" else None
        return stored_explanation(self._store, explainer, record.digest, picture.row, receipt, segments)

    def values(self, explainer: str, member: int | str, image: int | str) -> AnyArray:
        """Return the values of `explanation` alone, half the reading: float64 (K,) or float32 (g, g)."""
        record, picture, receipt = self._receipted(explainer, member, image)
        stored = self._store.explanation_array(explainer, record.digest, picture.row, "values", receipt)
        if self.kind(explainer) == "superpixel":
            return stored
        side = int(self.settings["consensus"][explainer]["grid_used"])
        return to_grid(stored, (side, side))

    def facts(self, member: int | str) -> ModelFacts:
        """Return what was found out about a member when it was opened.

        Raises
        ------
        KeyError
            If it was not opened, or the receipt of that is gone.
        """
        record = self.members[self.member_index(member)]
        for path in sorted((self.path / RECEIPTS / "members").glob("*.jsonl")):
            for receipt in Journal(path).read().values():
                facts = ModelFacts.from_json(receipt["facts"])
                if facts_digest(facts) == record.digest:
                    return facts
        raise KeyError(f"{record.name}: nothing is known of it ({record.status})")

    def file_digest(self, image: int | str) -> str:
        """Return the sha256 (hex) of the picture's file as it was audited."""
        row = self.images[self.image_index(image)].row
        return str(self._store.journal("rows").read()[str(row)]["file"])

    def canvas(self, image: int | str) -> UInt8Array:
        """Return the canvas of an image, uint8 (H, W, 3)."""
        return self._store.canvas(self.images[self.image_index(image)].row)

    def mask(self, image: int | str) -> BoolArray | None:
        """Return the object mask on the canvas, bool (H, W), or None."""
        record = self.images[self.image_index(image)]
        return self._store.mask(record.row) if record.mask else None

    def segments(self, explainer: str, image: int | str) -> AnyArray:
        """Return the superpixels an explainer used, int32 (H, W)."""
        return self._store.segments(explainer, self.images[self.image_index(image)].row)

    def probabilities(self, member: int | str, image: int | str) -> AnyArray:
        """Return a member's probabilities of the common classes on the clean canvas, float32 (L,)."""
        record = self.members[self.member_index(member)]
        return self._store.probabilities(record.digest, self.images[self.image_index(image)].row)

    def member_index(self, member: int | str) -> int:
        """Return the index of a member given by index or name."""
        return _index(member, [record.name for record in self.members], "member")

    def image_index(self, image: int | str) -> int:
        """Return the index of an image given by index or name."""
        return _index(image, [record.name for record in self.images], "image")

    def _receipted(
        self, explainer: str, member: int | str, image: int | str
    ) -> tuple[MemberRecord, ImageRecord, Mapping[str, Any]]:
        """Return a member, an image and the receipt of the explanation; KeyError if there is none."""
        record, picture = self.members[self.member_index(member)], self.images[self.image_index(image)]
        receipt = self._receipts(explainer, record.digest).get(picture.row) if record.digest else None
        if receipt is None:
            raise KeyError(f"{record.name} has no {explainer} explanation of {picture.name} ({record.status})")
        return record, picture, receipt

    @cached_property
    def _store(self) -> RunStore:
        return RunStore(self.path)

    @cached_property
    def _cache(self) -> dict[tuple[str, str], Any]:
        return {}

    def _result(self, explainer: str, name: str, row: int | None = None) -> AnyArray:
        """Return a derived array, which is kept, or one row, which is not: all votes of a large run are a gigabyte."""
        if explainer not in self.explainers:
            raise KeyError(f"no explainer {explainer!r} in {self.path}; there are: {', '.join(self.explainers)}")
        if row is not None:
            return self._store.result(explainer, name, row)
        if (explainer, name) not in self._cache:
            self._cache[explainer, name] = self._store.result(explainer, name)
        found: AnyArray = self._cache[explainer, name]
        return found

    def _receipts(self, explainer: str, digest: str) -> Mapping[int, Mapping[str, Any]]:
        if (explainer, digest) not in self._cache:
            self._cache[explainer, digest] = self._store.explanation_receipts(explainer, digest)
        found: Mapping[int, Mapping[str, Any]] = self._cache[explainer, digest]
        return found


def _index(wanted: int | str, names: list[str], what: str) -> int:
    if isinstance(wanted, str):
        if wanted not in names:
            raise KeyError(f"no {what} named {wanted!r}; there are {len(names)}, the first: {', '.join(names[:3])}")
        return names.index(wanted)
    return range(len(names))[wanted]
