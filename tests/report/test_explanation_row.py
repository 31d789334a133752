from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from consensus_onnx.errors import StoreError
from consensus_onnx.report import figure, write_figure


def test_row_shows_picture_consensus_and_members(run):
    row = figure(run, "lime", 0)
    shorter = figure(run, "lime", 0, members=["alpha", "zeta"])
    assert row.mode == "RGB"
    assert row.height == shorter.height
    assert row.width - shorter.width == 4 * (224 + 14)  # six scored members, or the two asked for
    canvas = Image.fromarray(run.canvas(0)).resize((224, 224), Image.Resampling.LANCZOS)
    assert (np.asarray(row.crop((24, 24, 24 + 224, 24 + 224))) == np.asarray(canvas)).all()


def test_members_come_by_their_score_on_the_image(run):
    scores = run.scores("lime")[:, 0]
    names = sorted(("alpha", "zeta"), key=lambda name: -scores[run.member_index(name)])
    assert figure(run, "lime", 0, ["alpha", "zeta"]) == figure(run, "lime", 0, ["zeta", "alpha"])
    alone = figure(run, "lime", 0, names[:1])
    assert figure(run, "lime", 0, names).crop((0, 0, alone.width - 24, alone.height)) == alone.crop(
        (0, 0, alone.width - 24, alone.height)
    )


def test_what_is_not_there_is_named(run):
    with pytest.raises(KeyError, match="delta has no smoothgrad explanation"):
        figure(run, "smoothgrad", 0, ["delta"])
    with pytest.raises(KeyError, match="no member named 'nobody'"):
        figure(run, "lime", 0, ["nobody"])


def test_written_figure_stacks_the_explainers(run, tmp_path):
    path = write_figure(run, tmp_path / "figure.png", "picture1.png", members=["alpha", "beta"])
    with Image.open(path) as sheet:
        assert sheet.height == 2 * figure(run, "lime", 1, ["alpha"]).height
    one = write_figure(run, tmp_path / "one.webp", 1, explainers=["lime"])
    with Image.open(one) as sheet:
        assert sheet.format == "WEBP"


def test_unknown_ending_is_told(run, tmp_path):
    with pytest.raises(StoreError, match=r"figure.xyz: cannot be written .*\.png"):
        write_figure(run, tmp_path / "figure.xyz", 0)
