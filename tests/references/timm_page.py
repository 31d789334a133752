"""Write docs/timm.md from docs/timm.csv: `python tests/references/timm_page.py docs/timm.csv` (timm_sweep.py does it, too)."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What counts as PyTorch's gradient: largest error over largest entry.
CLOSE = 1e-3
LOOK_CLOSER = 1e-4
EXPORTERS = {"torchscript": "TorchScript", "dynamo": "dynamo"}
Row = Mapping[str, str]


def page(rows: Sequence[Row], modules: int) -> str:
    """Return the page's text."""
    parts = [
        "# timm: the wild",
        "The smallest architecture of every module of [timm](https://github.com/huggingface/pytorch-image-models), with "
        "seeded random weights, exported by PyTorch, differentiated here, and compared with PyTorch's autograd: the "
        "gradient of one logit of each of two random pictures, max |difference| / max |gradient|. Written by",
        "```\npython tests/references/timm_sweep.py docs/timm.csv --torch TORCH_PYTHON [--dynamo]\n```",
        "where `TORCH_PYTHON` is a Python with torch, torchvision, timm and onnxscript.",
        _summary(rows, modules),
        "A network of Relus and max pools in float32 has units that rounding puts on one or the other side of a kink, "
        "and with random weights and few channels one of them can move the gradient by percents, in PyTorch as in ONNX "
        "Runtime. Where the two differ by more than 1e-4 the same graph was therefore run without ONNX Runtime's "
        "optimisations (other kernels, other rounding), and both gradients were compared with PyTorch's in float64, each "
        "picture alone, too. A wrong rule would be wrong in all of them. An empty cell was not measured.",
        _table(rows),
        *_closer(rows),
        *_failures(rows),
    ]
    return "\n\n".join(parts) + "\n"


def agrees(row: Row) -> bool:
    """Say whether a gradient is PyTorch's, kinks aside."""
    return any(float(row[name] or "nan") <= CLOSE for name in ("error", *_OTHER_LOOKS))


_OTHER_LOOKS = ("error_unoptimised", "best_sample_error", "error64")


def _summary(rows: Sequence[Row], modules: int) -> str:
    lines = [
        "| exporter | modules tried | exported | differentiated | at most 1e-3 from PyTorch | of these, kinks aside |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for exporter, title in EXPORTERS.items():
        mine = [row for row in rows if row["exporter"] == exporter]
        exported = [row for row in mine if row["status"] != "not exported"]
        done = [row for row in mine if row["status"] == "done"]
        close = [row for row in done if agrees(row)]
        aside = [row for row in close if not float(row["error"]) <= CLOSE]
        counts = [f"{len(mine)} of {modules}", *map(str, map(len, (exported, done, close, aside)))]
        lines.append(f"| {title} | {' | '.join(counts)} |")
    either = {row["module"] for row in rows if row["status"] == "done" and agrees(row)}
    return "\n".join(lines) + f"\n\nBy either exporter: {len(either)} modules."


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
    head = "| architecture | exporter | error | not optimised | better run and picture to float64 | ours to float64 | PyTorch to float64 |"
    lines = ["## Looked at closer", "", head, "|---|---|---|---|---|---|---|"]
    for row in looked:
        errors = [row[name] for name in ("error", *_OTHER_LOOKS, "torch_error64")]
        lines.append(f"| {row['model']} | {EXPORTERS[row['exporter']]} | {' | '.join(errors)} |")
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


def write(table: Path) -> None:
    """Write the page beside the table."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    modules = len((Path(__file__).parent / "timm_models.csv").read_text(encoding="utf-8").splitlines()) - 1
    table.with_suffix(".md").write_text(page(rows, modules), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
