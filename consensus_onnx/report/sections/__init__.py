"""The sections of the report in their order: each a module that prepares its content and a template that shows it."""

from consensus_onnx.report.section import Build
from consensus_onnx.report.sections import (
    accuracy,
    caveats,
    committees,
    explainers,
    external,
    gallery,
    objects,
    provenance,
    ranking,
    reading,
    structure,
    summary,
)

SECTIONS: tuple[Build, ...] = (
    summary.build,
    caveats.build,
    ranking.build,
    accuracy.build,
    explainers.build,
    objects.build,
    reading.build,
    committees.build,
    structure.build,
    external.build,
    gallery.build,
    provenance.build,
)
