"""What an explanation says about its own certainty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from consensus_onnx.explainers.explanation import Explanation, ExplanationError, split_half_agreement

VALUES = arrays(np.float64, 12, elements=st.floats(-1e6, 1e6, allow_nan=False))


@given(VALUES, VALUES)
def test_agreement_is_pearsons_correlation_or_nan(first: np.ndarray, second: np.ndarray) -> None:
    found = split_half_agreement(first, second)
    assert np.isnan(found) or -1 - 1e-9 <= found <= 1 + 1e-9
    if first.std() > 1e-3 and second.std() > 1e-3:
        assert found == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-9)


@given(VALUES)
def test_agreement_with_itself_and_its_opposite(values: np.ndarray) -> None:
    if values.std() > 1e-3:
        assert split_half_agreement(values, 3 * values + 1) == pytest.approx(1)
        assert split_half_agreement(values, -values) == pytest.approx(-1)


@pytest.mark.parametrize("other", [np.zeros(4), np.array([1.0, np.nan, 2, 3]), np.array([1.0, np.inf, 2, 3])])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_constant_or_broken_halves_have_no_agreement(other: np.ndarray) -> None:
    assert np.isnan(split_half_agreement(np.arange(4.0), other))


def test_weights_are_painted_maps_are_left() -> None:
    error = ExplanationError(np.zeros(2), 1.0)
    segments = np.array([[0, 1], [1, 1]], np.int32)
    painted = Explanation("lime", np.array([5.0, -2.0]), segments, 0, 0, 0.5, error, 10)
    assert painted.on_canvas().tolist() == [[5, -2], [-2, -2]]
    a_map = Explanation("smoothgrad", np.eye(3, dtype=np.float32), None, 0, 0, 0.5, error, 10)
    assert a_map.on_canvas() is a_map.values
    assert np.isnan(error.r2)
