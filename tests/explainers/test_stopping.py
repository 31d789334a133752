"""`samples: auto`: when it stops, and that the answer is that of a fixed number."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import consensus_onnx as co
from consensus_onnx.config import build_settings
from tiny_models import TinyNet, grid_segments, noise_canvas, open_model

CANVAS = noise_canvas(7)
SEGMENTS = grid_segments(16, 3)


@given(least=st.integers(1, 5000), most=st.integers(8, 5000))
def test_looks_grow_by_whole_steps_up_to_the_most(least: int, most: int) -> None:
    looks = list(co.Stopping(most=most).looks("auto", least))
    assert looks[-1] == most
    assert looks == sorted(set(looks))
    assert all(look % 8 == 0 for look in looks[:-1])
    assert looks[0] == min(most, -(-least // 8) * 8)
    assert all(after <= before * 1.1 + 8 for before, after in itertools.pairwise(looks))


def test_a_number_is_looked_at_once() -> None:
    assert list(co.Stopping(most=10).looks(70, least=500)) == [70]
    assert (co.Stopping(most=10).at_most(70), co.Stopping(most=10).at_most("auto")) == (70, 10)
    assert not co.Stopping().satisfied(float("nan"))
    assert co.Stopping(agreement=0.5).satisfied(0.5)


@pytest.mark.parametrize("agreement", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("explainer", [co.Lime, co.SmoothGrad])
def test_the_answer_is_that_of_as_many_samples(explainer: type, agreement: float, tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet(batch=3))
    stopping = co.Stopping(agreement=agreement, most=300)
    auto = explainer(samples="auto", auto=stopping).explain(classifier, CANVAS, segments=SEGMENTS, seed=3)
    fixed = explainer(samples=auto.samples).explain(classifier, CANVAS, segments=SEGMENTS, seed=3)
    np.testing.assert_array_equal(auto.values, fixed.values)
    np.testing.assert_array_equal(auto.error.standard_error, fixed.error.standard_error)
    assert (auto.samples, auto.error.split_half) == (fixed.samples, fixed.error.split_half)
    assert auto.error.split_half >= agreement or auto.samples == 300
    earlier = [look for look in stopping.looks("auto", 27 if explainer is co.Lime else 16) if look < auto.samples]
    halves = [explainer(samples=look).explain(classifier, CANVAS, segments=SEGMENTS, seed=3).error for look in earlier]
    assert all(error.split_half < agreement for error in halves)


def test_a_steadier_answer_takes_more(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    spent = [
        co.SmoothGrad(samples="auto", auto=co.Stopping(agreement, most=3000), noise=1.0)
        .explain(classifier, CANVAS)
        .samples
        for agreement in (0.5, 0.9, 0.99)
    ]
    assert spent == sorted(spent)
    assert spent[0] < spent[-1]


def test_it_is_a_setting_like_others() -> None:
    built = build_settings(co.Lime, {"samples": "auto", "auto": {"agreement": 0.8}}, source="a.yaml")
    assert built == co.Lime(samples="auto", auto=co.Stopping(agreement=0.8))
    with pytest.raises(co.ConfigError, match=r"a.yaml: auto.agreement: must be > 0 and <= 0.999, got 0"):
        build_settings(co.Lime, {"auto": {"agreement": 0}}, source="a.yaml")
    with pytest.raises(co.ConfigError, match=r"a.yaml: samples: .*'auto'.*got 'often'"):
        build_settings(co.Lime, {"samples": "often"}, source="a.yaml")


def test_too_few_rows_for_all_superpixels_are_refused_before_the_member_is_asked(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    lime = co.Lime(samples="auto", auto=co.Stopping(most=8))
    with pytest.raises(ValueError, match="8 perturbations cannot determine the weights of 9 superpixels"):
        lime.explain(classifier, CANVAS, segments=SEGMENTS)
