import math

import numpy as np
import pytest

from consensus_onnx.analysis import compare_ranks

NAMES = ["densenet", "resnet", "mobilenet", "vgg", "alexnet"]


def test_ranks_of_the_papers_table_1():
    """Network Dissection against the consensus by LIME, as Table 1 ranks five models."""
    dissection = {"densenet": 5.0, "resnet": 4.0, "mobilenet": 3.0, "vgg": 2.0, "alexnet": 1.0}
    found = compare_ranks(NAMES, np.array([0.80, 0.79, 0.78, 0.70, 0.60]), dissection)
    assert found.own.tolist() == found.imported.tolist() == [1, 2, 3, 4, 5]
    assert found.found.spearman == pytest.approx(1)


def test_only_members_with_both_are_ranked_and_ties_share():
    scores = np.array([0.5, math.nan, 0.7, 0.6, 0.4])
    found = compare_ranks(
        NAMES, scores, {"densenet": 1.0, "resnet": 9.0, "mobilenet": 2.0, "vgg": 2.0, "stranger": 5.0}
    )
    assert found.members == (2, 3, 0)
    assert found.imported.tolist() == [1.5, 1.5, 3.0]
    assert found.own.tolist() == [1.0, 2.0, 3.0]
    assert found.found.n == 3


def test_nothing_in_common():
    found = compare_ranks(NAMES, np.ones(5), {"stranger": 1.0})
    assert found.members == ()
    assert math.isnan(found.found.spearman)
