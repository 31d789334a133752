from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.analysis import correlate
from consensus_onnx.report.wording import coefficient, verdict


def said(x, y) -> str:
    return verdict(correlate(x, y), more="MORE", less="LESS", undecided="they go together")


def test_clear_correlations_are_called_by_their_direction():
    x = np.arange(12.0)
    assert said(x, x) == "MORE."
    assert said(x, -x) == "LESS."


def test_few_members_are_pointed_out():
    assert said([1, 2, 3, 4], [1, 2, 3, 4.5]) == "MORE. With 4 members the interval itself is uncertain."


def test_an_interval_around_0_decides_nothing():
    rng = np.random.default_rng(0)
    text = said(rng.normal(size=15), rng.normal(size=15))
    assert text == "These members do not tell whether they go together: the interval holds 0."


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([], []), ([1, 1, 1, 1], [1, 2, 3, 4])])
def test_where_there_is_no_coefficient_nothing_is_said(x, y):
    assert said(x, y) == "Nothing can be said about whether they go together."


def test_coefficients():
    assert coefficient(correlate([1], [2])) == "r cannot be computed from 1 member"
    text = coefficient(correlate([1, 1, 1], [1, 2, 3]))
    assert text == "r is not defined: one of the two is the same for all 3 members"
    text = coefficient(correlate([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]))
    assert text.replace("\N{MINUS SIGN}", "-") == "r = -1.00, 95 % interval -1.00 to -1.00, 6 members"
