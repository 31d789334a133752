"""Write docs/timm.md from docs/timm.csv: `python tests/references/timm_page.py docs/timm.csv` (timm_sweep.py does it, too)."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What counts as PyTorch's gradient: largest error over largest entry.
CLOSE = 1e-3
LOOK_CLOSER = 1e-4
MODELS = Path(__file__).parent / "timm_models.csv"
EXPORTERS = {"torchscript": "TorchScript", "dynamo": "dynamo"}
Row = Mapping[str, str]


def page(rows: Sequence[Row]) -> str:
    """Return the page's text."""
    parts = [
        "# timm: the wild",
        "The smallest architecture of every module of [timm](https://github.com/huggingface/pytorch-image-models), with "
        "seeded random weights, exported by PyTorch, differentiated here, and compared with PyTorch's autograd: the "
        "gradient of one logit of each of two random pictures, max |difference| / max |gradient|. Written by",
        "```\npython tests/references/timm_sweep.py docs/timm.csv --torch TORCH_PYTHON [--dynamo]\n```",
        "where `TORCH_PYTHON` is a Python with torch, torchvision, timm and onnxscript.",
        summary(rows),
        "A network of Relus and max pools in float32 has units that rounding puts on one or the other side of a kink, "
        "and with random weights and few channels one of them can move the gradient by percents, in PyTorch as in ONNX "
        "Runtime. Where the two differ by more than 1e-4, both were therefore compared with PyTorch's gradient in "
        "float64, and the same weights were exported in float64, differentiated here, and run in float64 by ONNX's "
        "reference evaluator: the last column of the second table, where a wrong rule would be as wrong as in float32 "
        "and rounding is nothing. An empty cell was not measured.",
        "Where they differ by more than 1e-3 they were compared in float32 once more, at two other pictures: of forty "
        "seeded ones the first two at which PyTorch's own gradient is steady, that is, where neither float64 nor an input "
        "that differs by 1e-7 of its largest number (four times) changes it by more than 2e-5 of its largest. PyTorch "
        "alone chooses them; nothing of ours is looked at. *Passed over* are the pictures before the second that are not "
        "steady. These columns are aside: no count of the column *at most 1e-3* comes from them.",
        "An export that ONNX's own checker refuses does not count as one: in that of gemma4_vit by dynamo, nodes read "
        "constants that the file lacks, and ONNX Runtime does not load it.",
        "Seconds of dynamo's rows were taken while other work shared the two cores: not to be compared with the others.",
        _table(rows),
        *_closer(rows),
        *_failures(rows),
    ]
    return "\n\n".join(parts) + "\n"


def agrees(row: Row) -> bool:
    """Say whether a gradient is PyTorch's in float32."""
    return row["status"] == "done" and float(row["error"]) <= CLOSE


def agrees_in_float64(row: Row) -> bool:
    """Say whether a gradient that is not PyTorch's in float32 is PyTorch's in float64, itself in either."""
    return row["status"] == "done" and not agrees(row) and _in_float64(row) <= CLOSE


def _in_float64(row: Row) -> float:
    """Return the smaller error of ours from PyTorch in float64: computed in float32, or in float64."""
    looks = (float(row[name] or "inf") for name in ("error64", "error_in_float64"))
    return min((error for error in looks if not math.isnan(error)), default=math.inf)


def agrees_where_steady(row: Row) -> bool:
    """Say whether a gradient that is not PyTorch's in float32 is, where PyTorch's own does not hang on rounding."""
    return row["status"] == "done" and not agrees(row) and float(row["steady_error"] or "nan") <= CLOSE


def summary(rows: Sequence[Row]) -> str:
    """Return the table of counts, exporter by exporter, and what either gives."""
    modules = len(table_of(MODELS))
    lines = [
        "| exporter | modules tried | exported | differentiated | at most 1e-3 from PyTorch "
        "| of the others, from PyTorch in float64 | of the others, from PyTorch where its gradient is steady |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for exporter, title in EXPORTERS.items():
        mine = [row for row in rows if row["exporter"] == exporter]
        exported = [row for row in mine if row["status"] != "not exported"]
        done = [row for row in mine if row["status"] == "done"]
        close = [row for row in done if agrees(row)]
        aside = [row for row in done if agrees_in_float64(row)]
        where = [row for row in done if agrees_where_steady(row)]
        counts = [f"{len(mine)} of {modules}", *map(str, map(len, (exported, done, close, aside, where)))]
        lines.append(f"| {title} | {' | '.join(counts)} |")
    either = {row["module"] for row in rows if agrees(row)}
    aside = {row["module"] for row in rows if agrees_in_float64(row)} - either
    worst = max((_in_float64(row) for row in rows if agrees_in_float64(row)), default=0.0)
    return (
        "\n".join(lines)
        + f"\n\nBy either exporter: {len(either)} modules, and {len(aside)} more of PyTorch in float64, at "
        f"most {worst:.1e} from it."
    )


def _table(rows: Sequence[Row]) -> str:
    lines = ["| module | architecture | exporter | nodes | build, s | error |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['module']} | {row['model']} | {EXPORTERS[row['exporter']]} | {row['nodes']} | {row['build_seconds']} "
        f"| {row['error']} |"
        for row in rows
        if row["status"] == "done"
    ]
    return "\n".join(lines)


def _closer(rows: Sequence[Row]) -> list[str]:
    looked = [row for row in rows if row["status"] == "done" and not float(row["error"]) <= LOOK_CLOSER]
    if not looked:
        return []
    head = "| architecture | exporter | error | ours to float64 | PyTorch to float64 | error, both in float64 "
    head += "| error where steady | passed over |"
    lines = ["## Looked at closer", "", head, "|---|---|---|---|---|---|---|---|"]
    for row in looked:
        named = ("error", "error64", "torch_error64", "error_in_float64", "steady_error", "passed")
        found = [row[name] or "" for name in named]
        if row["message"]:
            found[-2] = row["message"].removeprefix("RuntimeError: ")
        lines.append(f"| {row['model']} | {EXPORTERS[row['exporter']]} | {' | '.join(found)} |")
    return ["\n".join(lines)]


def _failures(rows: Sequence[Row]) -> list[str]:
    failed = [row for row in rows if row["status"] != "done"]
    if not failed:
        return []
    lines = ["## Not differentiated", "", "| architecture | exporter | what happened |", "|---|---|---|"]
    for row in failed:
        message = row["message"].replace("|", "/").replace("\n", " ")
        lines.append(f"| {row['model']} | {EXPORTERS[row['exporter']]} | {row['status']}: {message} |")
    return ["\n".join(lines)]


def table_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(table: Path) -> None:
    """Write the page beside the table."""
    table.with_suffix(".md").write_text(page(table_of(table)), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
