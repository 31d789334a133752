import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score

import naive
from consensus_onnx_kernels import ranking


@given(st.data(), st.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_equals_scikit_learn_with_ties(data, size):
    scores = data.draw(hnp.arrays(np.float64, size, elements=st.integers(-3, 3)))
    positive = data.draw(hnp.arrays(np.bool_, size))
    ours = ranking.average_precision(scores, positive)
    if positive.any():
        assert ours == pytest.approx(average_precision_score(positive, scores), abs=1e-12)
    assert ours == pytest.approx(naive.average_precision(scores, positive), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_scikit_learn_without_ties(dtype):
    rng = np.random.default_rng(4)
    scores = rng.normal(size=5000).astype(dtype)
    positive = rng.random(5000) < 0.2
    expected = average_precision_score(positive, scores)
    assert ranking.average_precision(scores, positive) == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    positive = np.array([True, False, True, False])
    assert ranking.average_precision(scores, positive) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert ranking.average_precision(np.zeros(4), positive) == 0.5


def test_empty_and_full_objects():
    scores = np.array([0.3, 0.3, 0.1])
    assert np.isnan(ranking.average_precision(scores, np.zeros(3, bool)))
    assert ranking.average_precision(scores, np.ones(3, bool)) == 1.0
