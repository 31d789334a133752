"""What is said to be found four times of five is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from consensus_onnx.analysis import bounded_mean, images_needed, smallest_change


@pytest.mark.parametrize("images", [12, 30])
def test_the_smallest_change_is_found_as_often_as_said(images: int) -> None:
    rng = np.random.default_rng(6)
    change = smallest_change(0.1, images, threshold=0.03)
    found = [bounded_mean(rng.normal(change, 0.1, images), seed=trial).at_least > 0.03 for trial in range(200)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.09)


def test_images_and_change_are_inverse_to_each_other() -> None:
    for images in (5, 24, 1000):
        assert images_needed(smallest_change(0.2, images, threshold=0.01) + 1e-12, 0.2, threshold=0.01) == images


def test_no_number_of_images_finds_what_is_allowed() -> None:
    assert images_needed(0.03, 0.1, threshold=0.03) is None
    assert images_needed(math.nan, 0.1) is None
    assert math.isnan(smallest_change(0.1, 0))


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"power: must be >= 0.5 and < 1, got 1"):
        smallest_change(0.1, 10, power=1)
