"""How rankings change with choices that change explanations: the same members in runs with other settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from consensus_onnx.analysis import RankChange, rank_changes
from consensus_onnx.engine.run import Run
from consensus_onnx.errors import ConfigError
from consensus_onnx.report.experiments import Experiments

_MOST_NAMED = 3


def compare_runs(experiments: Experiments, others: Sequence[Run], explainer: str) -> tuple[RankChange, ...]:
    """Compare the rankings of other runs with a run's.

    Parameters
    ----------
    experiments : Experiments
        Of the run to compare with.
    others : sequence of Run
        Runs of members of the same names; those without the explainer are passed over.
    explainer : str
        Whose scores.

    Returns
    -------
    tuple of RankChange
        One per run, named by the settings that differ; members of either run alone take no part.

    Raises
    ------
    ConfigError
        If a run has fewer than three members in common with the first.
    """
    run = experiments.run
    names = [member.name for member in run.members]
    labels, rows = [], []
    for other in others:
        if explainer not in other.explainers:
            continue
        scores = dict(zip([m.name for m in other.members], Experiments(other).scores(explainer), strict=True))
        row = np.array([scores.get(name, np.nan) for name in names])
        common = int(sum(name in scores for name in names))
        if common < 3:
            raise ConfigError(
                f"{other.path}: has {common} members of {run.path} by name; expected three or more: give runs of the "
                "same committee"
            )
        labels.append(what_differs(run, other, explainer))
        rows.append(row)
    if not rows:
        return ()
    return rank_changes(labels, np.array(rows), experiments.scores(explainer), experiments.accuracy)


def what_differs(run: Run, other: Run, explainer: str) -> str:
    """Say in a line in which settings another run differs: those that make this explainer's scores."""
    found = list(_differences(_relevant(other, explainer), _relevant(run, explainer)))
    if [image.digest for image in run.images] != [image.digest for image in other.images]:
        found.append(f"other images ({len(other.images)})")
    if not found:
        return f"{other.path.name}: same settings"
    more = f", {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"{other.path.name}: {', '.join(found[:_MOST_NAMED])}{more}"


def _relevant(run: Run, explainer: str) -> dict[str, Any]:
    identity = run.settings["identity"]
    mine = identity.get("explainers", {}).get(explainer, {})
    return {
        **{key: value for key, value in identity.items() if key not in ("explainers", "format")},
        explainer: mine.get("settings", {}),
        "consensus": {
            key: value for key, value in run.settings["consensus"][explainer].items() if not key.endswith("_used")
        },
    }


def _differences(here: Any, there: Any, key: str = "") -> Iterator[str]:
    if isinstance(here, Mapping) and isinstance(there, Mapping):
        for name in sorted({*here, *there}):
            yield from _differences(here.get(name), there.get(name), f"{key}.{name}" if key else str(name))
    elif here != there:
        yield f"{key} {here}"
