from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.reproduction import _compared, differences, reproduction

PAPER = Path(__file__).parents[1] / "data" / "paper"


def rows(table):
    with open(PAPER / table, newline="") as file:
        return list(csv.DictReader(file))


def pearson(table, x, y):
    members = [row for row in rows(table) if row["model"] != "consensus"]
    return np.corrcoef([float(row[x]) for row in members], [float(row[y]) for row in members])[0, 1]


@pytest.fixture(scope="module")
def lines(run):
    return reproduction(Experiments(run))


IMAGENET, CUB = "table2a_imagenet.csv", "table2b_cub.csv"


@pytest.mark.parametrize(
    ("where", "what", "tables", "x", "y"),
    [
        ("Fig. 5 a, d", "LIME", (IMAGENET, CUB), "accuracy", "lime_score"),
        ("Fig. 5 b, e", "SmoothGrad", (IMAGENET, CUB), "accuracy", "smoothgrad_score"),
        ("Fig. 5 c, f", "LIME", (IMAGENET, CUB), "lime_score", "smoothgrad_score"),
        ("Fig. 4", "LIME mask AP", (CUB,), "accuracy", "lime_map"),
        ("Fig. 4", "SmoothGrad mask AP", (CUB,), "accuracy", "smoothgrad_map"),
        ("Fig. 8", "LIME", (CUB,), "lime_score", "lime_map"),
        ("Fig. 8", "SmoothGrad", (CUB,), "smoothgrad_score", "smoothgrad_map"),
    ],
)
def test_the_papers_numbers_are_those_of_its_table(lines, where, what, tables, x, y):
    (line,) = [line for line in lines if line.where == where and what in line.what and "Pearson" in line.what]
    stated = [float(text) for text in re.findall(r"(0\.\d{3}) (?:ImageNet|CUB)", line.paper)]
    assert stated == pytest.approx([pearson(table, x, y) for table in tables], abs=0.0006)


def test_the_papers_consensus_row(lines):
    consensus = rows("table2b_cub.csv")[-1]
    shown = " ".join(line.paper for line in lines if line.where == "Fig. 4")
    assert consensus["lime_map"] in shown
    assert consensus["smoothgrad_map"] in shown
    assert f"{100 * float(consensus['accuracy']):.1f} %" in shown
    for column in ("lime_map", "smoothgrad_map"):
        assert all(float(row[column]) < float(consensus[column]) for row in rows("table2b_cub.csv")[:-1])


def test_every_line_says_what_is_here_or_why_not(lines):
    assert len(lines) == 18
    for line in lines:
        assert line.here
        assert line.verdict
        assert line.here != "not in this run" or line.verdict.startswith(("needs", "audit"))


def test_a_run_without_masks_labels_or_an_explainer_says_so(make_run, fakes):
    bare = make_run(fakes[:3], explainers=["lime"], labels=False, masks=False)
    found = {(line.where, line.what): line for line in reproduction(Experiments(bare))}
    verdicts = {line.verdict for line in found.values()}
    assert {"needs object masks", "needs labels", "audit with smoothgrad", "audit with both explainers"} <= verdicts


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.1, 0.9, "undecided"),
        (-0.9, -0.2, "contradicts"),
        (0.1, 0.5, "weaker"),
        (0.95, 0.99, "stronger"),
        (0.5, 0.85, "agrees"),
    ],
)
def test_verdicts(low, high, text):
    assert text in _compared(low, high, 0.783, 0.880)


def test_what_differs_is_told(run):
    told = " ".join(differences(Experiments(run)))
    assert "members: 6 here; 81 (ImageNet) and 85 (CUB) there" in told
    assert "28x28, 56x56" in told
    assert "the paper gives no sigma" in told
