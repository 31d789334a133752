"""A pilot of an audit: the same few images three times over, to learn what scores' errors are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from consensus_onnx.analysis.planning import ErrorSources, error_sources
from consensus_onnx.committee import Committee
from consensus_onnx.engine.audit import audit
from consensus_onnx.engine.events import Event, Listener, UnitDone, silent
from consensus_onnx.engine.run import Run
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import ConfigError
from consensus_onnx.images.items import Dataset


@dataclass(frozen=True)
class Pilot:
    """What three small audits told.

    Attributes
    ----------
    sources : dict of str to ErrorSources
        What scores' errors are made of, by explainer.
    costs : dict of str to float
        Seconds that one sample on one image takes with all members, by explainer.
    samples : dict of str to int
        Of the two smaller audits, by explainer.
    superpixels : int
        The most that any of its images was cut into; 0 without an explainer over superpixels.
    images : int
        On how many images it rests.
    members : int
        On how many members.
    problems : tuple of str
        Members and images that took no part, and why.
    """

    sources: Mapping[str, ErrorSources]
    costs: Mapping[str, float]
    samples: Mapping[str, int]
    superpixels: int
    images: int
    members: int
    problems: tuple[str, ...]


def run_pilot(
    committee: Committee,
    dataset: Dataset,
    folder: Path,
    settings: AuditSettings,
    *,
    samples: Mapping[str, int],
    images: int = 6,
    listen: Listener = silent,
) -> Pilot:
    """Audit a few images, spread over the data set, twice with `samples` and once with twice as many.

    Parameters
    ----------
    committee, dataset, settings
        Of the audit that is planned; its own samples do not matter.
    folder : Path
        Where the three run folders go.
    samples : mapping of str to int
        Of the two smaller audits, by explainer.
    images : int
        How many; all if there are fewer.
    listen : callable
        Is told the events of all three.

    Raises
    ------
    ConfigError
        If scores on these images are too few to plan by.
    ConsensusError
        As `audit` does.
    """
    chosen = np.unique(np.linspace(0, len(dataset.items) - 1, images).round().astype(int))
    few = replace(dataset, items=tuple(dataset.items[index] for index in chosen))
    spent: dict[str, float] = {}
    asked: dict[str, int] = {}

    def hear(event: Event) -> None:
        listen(event)
        if isinstance(event, UnitDone):
            spent[event.explainer] = spent.get(event.explainer, 0.0) + event.seconds
            asked[event.explainer] = asked.get(event.explainer, 0) + event.pictures

    runs: list[Run] = []
    for number, factor in enumerate((1, 1, 2)):
        spent.clear()  # a worker's first pictures are slow, and the last audit is the longest
        asked.clear()
        made = _with_samples(settings, {name: factor * count for name, count in samples.items()})
        made = replace(made, seed=settings.seed + number, limit=None)
        runs.append(audit(committee, few, out=folder / f"pilot{number}", settings=made, listen=hear))
    first, second, whole = runs
    members = sum(member.status == "ok" for member in whole.members)
    try:
        sources = {
            name: error_sources(
                first.scores(name), second.scores(name), whole.scores(name), samples[name], _bound(whole, name)
            )
            for name in whole.explainers
        }
    except ValueError as error:
        raise ConfigError(
            f"the pilot on {len(few.items)} images: {error}; raise --pilot, or mend the models"
        ) from error
    costs = {name: spent[name] / asked[name] * members / settings.engine.workers for name in whole.explainers}
    problems = [f"{one.name}: {one.status}: {one.reason}" for one in whole.members if one.status != "ok"]
    problems += [f"{one.name}: {one.status}: {one.reason}" for one in whole.failed_images]
    superpixels = max(image.segments for image in whole.images)
    return Pilot(sources, costs, dict(samples), superpixels, len(whole.images), members, tuple(problems))


def _bound(run: Run, explainer: str) -> float:
    """Return how many samples an explainer's fit takes: one per superpixel, on average over images."""
    if run.kind(explainer) == "pixel":
        return 0.0
    return float(np.mean([image.segments for image in run.images]))


def _with_samples(settings: AuditSettings, samples: Mapping[str, int]) -> AuditSettings:
    changed = {name: replace(getattr(settings, name), samples=count) for name, count in samples.items()}
    return replace(settings, **changed)
