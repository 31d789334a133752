import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from consensus_onnx.consensus import log_similarity, similarity, vote

LIME = np.array([3.0, -4.0, 0.0])
vectors = hnp.arrays(np.float64, 7, elements=st.floats(-4, 4, allow_subnormal=False))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("absolute", (27 + 64) / (5 * math.sqrt(81 + 256))),
        ("signed", (27 - 64) / (5 * math.sqrt(81 + 256))),
        ("squared", 1.0),
    ],
)
def test_cosine_by_hand(form, expected):
    assert similarity(LIME, [9.0, 16.0, 0.0], "cosine", form=form) == pytest.approx(expected, rel=1e-14)


def test_rbf_by_hand():
    consensus = np.array([[1.0, 0.0], [0.5, 0.5]])
    explanation = np.array([[4.0, 2.0], [4.0, 3.0]])  # scaled: 1, 0, 1, 0.5; distance 0.5
    assert similarity(explanation, consensus, "rbf", sigma=0.25) == pytest.approx(math.exp(-2))
    assert log_similarity(explanation, consensus, sigma=0.25) == pytest.approx(-2)


@given(vectors)
@settings(max_examples=50, deadline=None)
def test_a_lone_member_is_compared_with_its_own_square(values):
    score = similarity(values, vote([values]), "cosine")
    cubes, squares = np.sum(np.abs(values) ** 3), np.linalg.norm(values) * np.linalg.norm(values**2)
    if np.abs(values).max() > 1e-3:
        assert score == pytest.approx(cubes / squares, rel=1e-9)
    elif not values.any():
        assert math.isnan(score)


@given(vectors)
@settings(max_examples=50, deadline=None)
def test_limits_of_sigma(values):
    consensus = np.linspace(0, 1, 7)
    assert similarity(values, consensus, "rbf", sigma=1e9) == pytest.approx(1.0)
    narrow = similarity(values, consensus, "rbf", sigma=1e-9)
    assert narrow in (0.0, 1.0) or log_similarity(values, consensus, sigma=1e-9) > -800
    wide, wider = (similarity(values, consensus, "rbf", sigma=sigma) for sigma in (1.0, 2.0))
    assert wide <= wider


def test_log_similarity_tells_apart_what_underflows():
    far, farther = np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.5])
    consensus = np.array([0.0, 1.0, 0.0])
    assert similarity(far, consensus, "rbf", sigma=0.01) == 0.0
    assert similarity(farther, consensus, "rbf", sigma=0.01) == 0.0
    assert log_similarity(far, consensus, sigma=0.01) > log_similarity(farther, consensus, sigma=0.01) > -math.inf


def test_zero_has_no_direction():
    assert math.isnan(similarity(np.zeros(3), np.ones(3)))
    assert math.isnan(similarity(np.ones(3), np.zeros(3)))
    assert similarity(np.zeros(3), np.zeros(3), "rbf", sigma=1.0) == 1.0


def test_explanations_may_be_objects_and_float32():
    explanation = SimpleNamespace(values=LIME.astype(np.float32))
    assert similarity(explanation, SimpleNamespace(values=LIME**2)) == pytest.approx(
        similarity(LIME, LIME**2), rel=1e-7
    )


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((LIME, np.ones(4)), {}, r"consensus: expected shape \(3,\) as the explanation has, got \(4,\)"),
        ((LIME * np.nan, LIME), {}, "explanation: 3 of 3 values are nan"),
        ((LIME, LIME + np.inf), {}, "consensus: 3 of 3 values"),
        ((LIME, LIME, "rbf"), {}, "sigma: the rbf needs a finite number > 0, got None"),
        ((LIME, LIME, "rbf"), {"sigma": 0.0}, "sigma"),
        ((LIME, LIME, "cos"), {}, "measure: must be 'cosine' or 'rbf', got 'cos'"),
        ((LIME, LIME), {"form": "abs"}, "form: must be 'absolute', 'signed' or 'squared', got 'abs'"),
    ],
)
def test_wrong_input_is_named(arguments, options, text):
    with pytest.raises(ValueError, match=text):
        similarity(*arguments, **options)
