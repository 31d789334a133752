"""Differentiate the smallest architecture of every timm module and compare with PyTorch's autograd.

    python tests/references/timm_sweep.py docs/timm.csv --torch TORCH_PYTHON [--dynamo | --steady] [--only MODEL ...]

runs with the Python that has consensus_onnx; TORCH_PYTHON is one of another environment with torch, torchvision, timm,
onnx and onnxscript. One process per step and model, each with a time limit, small models first. The table grows by one
row per model and exporter, and docs/timm.md with it; rows that stand there are not made again, so the sweep can be
stopped and resumed; --again makes those that --only names anew. Where the two gradients differ by more than 1e-4, both
are compared with PyTorch's in float64, and a second export, of the same weights in float64, is differentiated and run in
float64. --steady looks again at the rows of TorchScript that stand there with more than 1e-3: at two pictures that are
chosen by PyTorch's own gradient, which float64 and rounding must not change (timm_export.py). About an hour on two idle
cores. `make docs` afterwards brings the counts into docs/operators.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import timm_page

HERE = Path(__file__).parent
# From this error on both gradients are compared with one in float64.
LOOK_CLOSER = 1e-4
COLUMNS = (
    "module",
    "model",
    "exporter",
    "status",
    "nodes",
    "build_seconds",
    "run_seconds",
    "logits_error",
    "error",
    "error64",
    "torch_error64",
    "error_in_float64",
    "steady_error",
    "passed",
    "message",
)

Row = dict[str, str]


def models() -> dict[str, str]:
    """Return the smallest model, by parameters, of each of timm's modules, the smallest first."""
    with (HERE / "timm_models.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["parameters"]))
    return {row["module"]: row["model"] for row in rows}


def call(command: list[str], limit: int) -> tuple[bool, str]:
    """Run a command; return whether it succeeded, and the last line it wrote."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return False, f"not done after {limit} s"
    if done.returncode == 0:
        return True, next(reversed(done.stdout.splitlines()), "")
    lines = [line.strip() for line in done.stderr.splitlines() if "Error" in line]
    return False, lines[-1][:300] if lines else f"exit status {done.returncode}"


def one(model: str, torch_python: str, limit: int, *options: str) -> dict[str, object]:
    """Export, differentiate and compare one model."""
    with tempfile.TemporaryDirectory() as folder:
        good, line = call([torch_python, str(HERE / "timm_export.py"), model, folder, *options], limit)
        if not good:
            return {"status": "not exported", "message": line}
        good, line = call([sys.executable, str(HERE / "timm_measure.py"), folder], limit)
    found: dict[str, object] = json.loads(line) if good else {"status": "failed", "message": line}
    error = found.get("error", 0.0)
    if isinstance(error, float) and not error <= LOOK_CLOSER and not {"--double", "--steady"} & set(options):
        closer = one(model, torch_python, limit, *options, "--double")
        return closer if closer["status"] == "done" else {**found, "message": f"in float64: {closer['message']}"}
    return found


def where_steady(rows: list[Row], torch_python: str, limit: int, only: list[str] | None) -> Iterator[Row]:
    """Compare the models that differ again where PyTorch's own gradient is steady; yield each row that changed."""
    for row in rows:
        looked = row.get("steady_error") or "steady gradient" in row["message"]
        skipped = only and row["model"] not in only
        if row["exporter"] != "torchscript" or row["status"] != "done" or timm_page.agrees(row) or looked or skipped:
            continue
        found = one(row["model"], torch_python, limit, "--steady")
        if found["status"] == "done":
            row |= {"steady_error": f"{found['error']:.1e}", "passed": str(found["passed"])}
        else:
            row["message"] = str(found["message"])
        yield row


def write(rows: list[Row], table: Path) -> None:
    """Write the table and the page beside it."""
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    timm_page.write(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--torch", required=True, help="Python of the environment with torch and timm")
    parser.add_argument("--dynamo", action="store_true", help="the newer exporter instead of TorchScript")
    parser.add_argument("--steady", action="store_true", help="only look again at those that differ")
    parser.add_argument("--only", nargs="+", help="these models")
    parser.add_argument("--again", action="store_true", help="with --only: make these rows anew")
    parser.add_argument("--limit", type=int, default=240, help="seconds for each step")
    options = parser.parse_args()
    exporter = "dynamo" if options.dynamo else "torchscript"
    rows = []
    if options.table.exists():
        with options.table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    if options.steady:
        for row in where_steady(rows, options.torch, options.limit, options.only):
            write(rows, options.table)
            sys.stdout.write(f"{row['model']}: {row['steady_error']} {row['passed']} {row['message']}\n")
            sys.stdout.flush()
        return
    again = set(options.only or ()) if options.again else set()
    done = {(row["model"], row["exporter"]) for row in rows if row["model"] not in again}
    for module, model in models().items():
        if (model, exporter) in done or (options.only and model not in options.only):
            continue
        found = one(model, options.torch, options.limit, *(["--dynamo"] if options.dynamo else []))
        row = {"module": module, "model": model, "exporter": exporter, **found}
        rows = [old for old in rows if (old["model"], old["exporter"]) != (model, exporter)]
        rows.append(
            {
                name: f"{value:.1e}" if isinstance(value, float) and "error" in name else value
                for name, value in row.items()
            }
        )
        rows.sort(key=lambda row: (row["module"], row["exporter"]))
        write(rows, options.table)
        sys.stdout.write(f"{model} {exporter}: {found}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
