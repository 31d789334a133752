"""The report as Markdown: the numbers and sentences, for a README, an issue or a paper's appendix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from consensus_onnx.analysis import Correlation
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.finding_objects import MEASURES
from consensus_onnx.report.section import ReportOptions
from consensus_onnx.report.sections import caveats, committees, external, objects, structure, summary
from consensus_onnx.report.standings import score_decimals, standings, title_of
from consensus_onnx.report.templating import clean, number, p_value, percent, signed


def report_markdown(experiments: Experiments, scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    experiments : Experiments
        Of a finished run.
    scores : mapping of str to (mapping of str to float)
        Imported scores by member, by the name of their source.

    Returns
    -------
    str
        Headings, sentences and tables; texts of models and files are cleaned and escaped.
    """
    options = ReportOptions(0, scores)
    parts = [f"# {escaped(experiments.run.name)}", escaped(summary.build(experiments, options).content.lede)]
    warned = caveats.build(experiments, options)
    if warned is not None:
        parts.append("## Before you quote a number")
        parts.append("\n".join(f"- **{escaped(one.title)}.** {escaped(one.text)}" for one in warned.content.caveats))
    for explainer in experiments.run.explainers:
        parts += [f"## {title_of(explainer)}", *_explainer(experiments, explainer)]
    compared = external.build(experiments, options)
    if compared is not None:
        parts.append("## Scores from elsewhere")
        found = compared.content.comparisons
        parts.append("\n".join(f"- {escaped(one.title)}: {escaped(one.sentence)}" for one in found))
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are aligned right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _explainer(experiments: Experiments, explainer: str) -> list[str]:
    found = standings(experiments.run, explainer)
    decimals = score_decimals(found)
    rows = [
        [
            escaped(entry.member.name),
            escaped(entry.member.family),
            percent(entry.member.accuracy),
            number(entry.row.score, decimals),
            f"{number(entry.row.ci_low, decimals)} to {number(entry.row.ci_high, decimals)}",
            number(entry.row.leave_one_out, decimals),
            number(entry.row.mask_ap),
        ]
        for entry in found
    ]
    parts = [table(["member", "family", "accuracy", "score", "95 %", "without itself", "mask AP"], rows)]
    parts.append("\n".join(f"- {line}" for line in _sentences(experiments, explainer)))
    changes = experiments.sensitivity(explainer)
    parts.append(
        table(
            ["choice", "Spearman with the audit", "largest move", "r with accuracy"],
            [
                [escaped(one.name), signed(one.agreement.spearman), str(one.largest_move), signed(one.accuracy.pearson)]
                for one in changes
            ],
        )
    )
    return parts


def _sentences(experiments: Experiments, explainer: str) -> list[str]:
    run = experiments.run
    against = experiments.against_accuracy(explainer)
    lines = [f"accuracy and score: {_coefficients(against.over_members)}"]
    if np.isfinite(against.both_low):
        lines[0] += f"; with other images and members r {signed(against.both_low)} to {signed(against.both_high)}"
    blind = experiments.baselines(explainer)
    known = ", ".join(f"{name} {number(value)}" for name, value in blind.scores.items())
    shuffled = blind.shuffled[np.isfinite(blind.shuffled)]
    middle = float(np.median(shuffled)) if shuffled.size else float("nan")
    lines.append(f"scores of what knows nothing: {known}, members' own shuffled {number(middle)}")
    found = experiments.objects(explainer)
    if found.images:
        values = dict(zip(MEASURES, found.consensus.tolist(), strict=True))
        named = ", ".join(f"{objects.TITLES[name].lower()} {number(values[name])}" for name in objects.TITLES)
        lines.append(f"consensus against {found.images} masks: {named}; chance {number(values['chance'])}")
        lines.append(f"score and mask AP: {_coefficients(experiments.against_masks(explainer).over_members)}")
    options = ReportOptions()
    grown = committees.build(experiments, options)
    if grown is not None:
        lines += [part.sentence for part in grown.content.growth if part.title == title_of(explainer) and part.sentence]
    shaped = structure.build(experiments, options)
    if shaped is not None:
        for matrix in shaped.content.matrices:
            if matrix.title == title_of(explainer):
                lines += [matrix.families, escaped(matrix.outliers)]
    if explainer in run.explainers and experiments.by_family(explainer):
        lines += [
            f"{escaped(one.family)} by all and by itself: Spearman {number(one.found.spearman, 2)} over {one.found.n}"
            for one in experiments.by_family(explainer)
        ]
    return lines


def _coefficients(found: Correlation) -> str:
    if not np.isfinite(found.pearson):
        return f"not defined over {found.n} members"
    return (
        f"Pearson {signed(found.pearson)} (p {p_value(found.pearson_p)}), Spearman {signed(found.spearman)}, Kendall "
        f"{signed(found.kendall)}, {found.n} members"
    )


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is."""
    shown = clean(text).replace("\\", "\\\\")
    for character in "|`*_<>[]#":
        shown = shown.replace(character, "\\" + character)
    return shown
