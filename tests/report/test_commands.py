"""The report's commands, called in this process."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from PIL import Image
from pypdf import PdfReader

from consensus_onnx.cli.app import main


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_json_holds_every_experiment(run, tmp_path):
    done = call("report", run.path, "--format", "json", "-o", tmp_path / "r.json")
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "r.json").read_text(), parse_constant=pytest.fail)  # no NaN
    lime = content["explainers"]["lime"]
    assert content["members"][0]["scores"]["lime"]["score"] == pytest.approx(run.score_rows[0].score)
    assert lime["accuracy"]["over_members"]["n"] == 6
    assert lime["committee_size"]["sizes"] == [1, 2, 3, 5, 6]
    assert lime["sensitivity"][0]["name"] == "as audited"
    assert content["members"][6]["accuracy_measured"] is None
    assert np.array(lime["similarity"]["matrix"], dtype=float).shape == (7, 7)


def test_markdown_has_the_ranking_and_escapes_names(make_run, fakes, tmp_path):
    from dataclasses import replace

    run = make_run([replace(fakes[0], name="a|b_*c"), *fakes[1:3]], explainers=["lime"])
    done = call("report", run.path, "--format", "md", "-o", tmp_path / "r.md")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r.md").read_text()
    assert "| a\\|b\\_\\*c | Net | 81.0 % |" in text
    assert "## Before you quote a number" in text
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| a\\|b")}
    assert widths == {8}


def test_figures_are_whole_svg_pdf_and_png(run, tmp_path):
    done = call("report", run.path, "--format", "figures", "--images", "2", "-o", tmp_path / "figures")
    assert done.exit_code == 0, done.output
    files = [Path(line) for line in done.output.split()]
    names = {file.name for file in files}
    assert {"explanations_1.png", "fig5_accuracy_lime.svg", "fig5_lime_and_smoothgrad.svg"} <= names
    assert {"fig4_lime_accuracy_and_mask_ap.svg", "fig8_smoothgrad_score_and_mask_ap.svg"} <= names
    assert {"fig6_lime_mask_ap.svg", "similarity_lime.svg"} <= names
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as picture:
                assert picture.width > 300
        elif file.suffix == ".pdf":
            assert len(PdfReader(file, strict=True).pages) == 1
        else:
            root = ElementTree.fromstring(file.read_text())
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert "alpha" in "".join(root.itertext()) or "fig6" in file.name


def test_external_scores_are_compared_by_rank(run, tmp_path):
    study = tmp_path / "user_study.csv"
    study.write_text("member,score,remark\nalpha,3.5,x\nbeta,2.1,\nepsilon,0.4,\nzeta,0.1,\n")
    done = call("report", run.path, "--external", study, "-o", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text()
    assert "Scores from elsewhere" in page
    assert "user_study and LIME" in page
    assert "4 members with both scores: Spearman +" in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,score\nalpha,1\n", "expected a header with the columns member and score, got name, score"),
        ("member,score\n", "holds no scores"),
        ("member,score\nalpha,high\nalhpa,1\n", "2: score must be a finite number, got 'high'"),
        ("member,score\nalpha,1\nalhpa,1\n", "3: no member named 'alhpa' in this run"),
        ("member,score\nalpha,1\nalpha,2\n", "3: member 'alpha' stands here a second time"),
        ("member,score\nalpha,nan\n", "score must be a finite number, got 'nan'"),
    ],
)
def test_bad_external_scores_are_named_by_line(text, said, run, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    done = call("report", run.path, "--external", tmp_path / "bad.csv", "-o", tmp_path / "page.html")
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_missing_external_file(run, tmp_path):
    done = call("report", run.path, "--external", tmp_path / "gone.csv")
    assert done.exit_code == 2
    assert "gone.csv: cannot be read as CSV" in done.output


def test_sensitivity_prints_a_table_that_fits(run):
    done = call("sensitivity", run.path)
    assert done.exit_code == 0, done.output
    assert re.search(r"as audited +\+1\.00 +\+1\.00 +0", done.output)
    assert "leave-one-out" in done.output
    assert max(map(len, done.output.splitlines())) <= 100


@pytest.fixture
def other(run, tmp_path) -> Path:
    """The same run as if it had explained the labels."""
    folder = shutil.copytree(run.path, tmp_path / "labels")
    content = yaml.safe_load((folder / "run.yaml").read_text())
    content["identity"]["target"] = "label"
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_sensitivity_over_runs_names_what_differs(run, other):
    done = call("sensitivity", run.path, other, "--json")
    assert done.exit_code == 0, done.output
    content = json.loads(done.output)
    last = content["explainers"]["lime"][-1]
    assert last["name"] == "labels: target label"
    assert last["agreement"]["pearson"] == pytest.approx(1.0)


def test_runs_of_another_committee_are_refused(run, make_run, fakes):
    from dataclasses import replace

    strangers = make_run([replace(fake, name=f"other_{fake.name}") for fake in fakes[:3]], explainers=["lime"])
    done = call("sensitivity", run.path, strangers.path)
    assert done.exit_code == 2
    assert "has 0 members of" in done.output


def test_reproduce_prints_both_numbers(run):
    done = call("reproduce", run.path)
    assert done.exit_code == 0, done.output
    assert "Fig. 5 a, d" in done.output
    assert "0.809 ImageNet" in done.output
    assert "What differs:" in done.output
    content = json.loads(call("reproduce", run.path, "--json").output)
    assert len(content["numbers"]) == 18
    assert content["differences"][0].startswith("members: 6 here")


@pytest.mark.parametrize("command", ["reproduce", "sensitivity"])
def test_no_run_is_one_line(command, tmp_path):
    done = call(command, tmp_path)
    assert done.exit_code == 2
    assert "is no run folder" in done.output


def test_negative_images(run):
    done = call("report", run.path, "--images", "-1")
    assert done.exit_code == 2
    assert "--images: must be >= 0, got -1" in done.output
