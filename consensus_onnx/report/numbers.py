"""Everything the report says, as numbers: for programs, spreadsheets and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from consensus_onnx.analysis import (
    cluster,
    compare_ranks,
    correlate,
    family_likeness,
    mean_similarity,
    outliers,
)
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.finding_objects import MEASURES
from consensus_onnx.report.plain import plain
from consensus_onnx.report.remarks import remarks


def report_numbers(experiments: Experiments, external: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return all results of a run as plain values, ready for JSON.

    Parameters
    ----------
    experiments : Experiments
        Of a finished run.
    external : mapping of str to (mapping of str to float)
        Imported scores by member, by the name of their source.

    Returns
    -------
    dict
        `committee`, `members`, `images`, `ensemble`, `explainers` (every experiment of each), `between_explainers`,
        `external`, `remarks`. What does not exist is None.
    """
    run = experiments.run
    rows = {(row.member, row.explainer): row for row in run.score_rows}
    members = [
        {
            **{key: getattr(member, key) for key in ("name", "family", "status", "reason", "parameters", "input")},
            "accuracy_declared": member.accuracy_declared,
            "accuracy_measured": member.accuracy_measured,
            "scores": {name: plain(rows.get((member.name, name))) for name in run.explainers},
        }
        for member in run.members
    ]
    between = {
        f"{first} and {second}": plain(correlate(experiments.scores(first), experiments.scores(second)))
        for first, second in combinations(run.explainers, 2)
    }
    names = [member.name for member in run.members]
    return {
        "committee": run.name,
        "members": members,
        "images": [plain(image) for image in run.images],
        "failed_images": {image.name: image.reason for image in run.failed_images},
        "images_opened": len(experiments.images),
        "ensemble": plain(experiments.ensemble) if experiments.ensemble.images else None,
        "explainers": {name: _explainer(experiments, name) for name in run.explainers},
        "between_explainers": between,
        "external": {
            source: {
                name: plain(compare_ranks(names, experiments.scores(name), scores).found) for name in run.explainers
            }
            for source, scores in external.items()
        },
        "remarks": [plain(remark) for remark in remarks(experiments)],
    }


def _explainer(experiments: Experiments, explainer: str) -> dict[str, Any]:
    run, structure = experiments.run, experiments.structure(explainer)
    objects = experiments.objects(explainer)
    names = [member.name for member in run.members]
    changes = [{**plain(change), "first": _name(names, change.first), "last": _name(names, change.last)}
               for change in experiments.sensitivity(explainer)]  # fmt: skip
    return {
        "settings": plain(run.settings["consensus"][explainer]),
        "accuracy": plain(experiments.against_accuracy(explainer)),
        "accuracy_leave_one_out": plain(experiments.others_against_accuracy(explainer)),
        "mask_ap": plain(experiments.against_masks(explainer)) if objects.images else None,
        "objects": {
            "images": objects.images,
            "consensus": dict(zip(MEASURES, plain(objects.consensus), strict=True)),
            "members": {
                name: dict(zip(MEASURES, plain(row), strict=True))
                for name, row in zip(names, objects.members, strict=True)
            },
        }
        if objects.images
        else None,
        "committee_size": plain(experiments.convergence(explainer)),
        "cross_committee": plain(experiments.cross_committee(explainer)),
        "families": [plain(found) for found in experiments.by_family(explainer)],
        "baselines": plain(experiments.baselines(explainer)),
        "simple_properties": plain(experiments.simple_properties(explainer)),
        "confounds": plain(experiments.confounds(explainer)),
        "sensitivity": changes,
        "similarity": {
            "order": [names[member] for member in cluster(structure.similarity).members],
            "matrix": plain(structure.similarity),
            "families": plain(family_likeness(structure.similarity, experiments.families)),
            "outliers": [names[member] for member in outliers(mean_similarity(structure.similarity))],
        },
        "image_agreement": {
            run.images[image].name: plain(np.float64(value))
            for image, value in zip(experiments.images, structure.image_agreement, strict=True)
        },
    }


def _name(names: list[str], index: int) -> str | None:
    return names[index] if index >= 0 else None
