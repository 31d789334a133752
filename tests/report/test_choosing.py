from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.report.choosing import agreement_order, choose_images, mean_over_members


class Scores:
    """Stands in for a run: what choosing looks at."""

    def __init__(self, **scores: list[list[float]]) -> None:
        self.explainers = tuple(scores)
        self.scores = lambda name: np.array(scores[name])


def test_order_weighs_explainers_alike_whatever_their_scale():
    run = Scores(lime=[[0.9, 0.1, 0.5]], smoothgrad=[[0.003, 0.002, 0.001]])
    assert agreement_order(run)[0] == 0
    assert agreement_order(Scores(lime=[[0.2, 0.4, 0.9]])) == [2, 1, 0]


def test_images_without_scores_come_last():
    assert agreement_order(Scores(lime=[[np.nan, 0.4, 0.9], [np.nan, np.nan, 0.8]])) == [2, 1, 0]


@pytest.mark.parametrize(("wanted", "chosen"), [(0, []), (1, [5]), (2, [0, 9]), (3, [0, 4, 9]), (99, list(range(10)))])
def test_choice_spreads_from_most_to_least_agreement(wanted, chosen):
    assert choose_images(Scores(lime=[list(np.linspace(1, 0, 10))]), wanted) == chosen


def test_mean_leaves_nan_out():
    means = mean_over_members(np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]]))
    assert means[:2].tolist() == [2.0, 5.0]
    assert np.isnan(means[2])
