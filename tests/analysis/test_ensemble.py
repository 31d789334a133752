import math

import numpy as np
import pytest

from consensus_onnx.analysis import ensemble_accuracy


def one(*rows):
    return np.array(rows, np.float32)


def test_by_hand():
    # Two of three put class 1 first, but the mean says class 0: the two ensembles differ.
    split = one([0.9, 0.1, 0.0], [0.45, 0.55, 0.0], [0.45, 0.55, 0.0])
    found = ensemble_accuracy([(split, 0), (split, 1), (one([0, 0, 1], [0, 1, 0], [0, 0, 1]), 2)])
    assert found.averaged == pytest.approx(2 / 3)
    assert found.voted == pytest.approx(2 / 3)
    assert found.members.tolist() == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert ensemble_accuracy([(split, 0)]).averaged == 1
    assert ensemble_accuracy([(split, 0)]).voted == 0


def test_ties_go_to_the_larger_mean_among_the_tied():
    tied = one([0.1, 0.6, 0.3], [0.0, 0.3, 0.7])
    assert ensemble_accuracy([(tied, 2)]).voted == 1  # 1 and 2 have a vote each; 2 has the larger mean
    stranger = one([0.5, 0.5 - 1e-3, 0.0], [0.0, 0.5 - 1e-3, 0.5])
    assert ensemble_accuracy([(stranger, 1)]).voted == 0  # class 1 has the largest mean, and no vote
    assert ensemble_accuracy([(stranger, 1)]).averaged == 1


def test_many_weak_members_are_strong_together():
    rng = np.random.default_rng(0)
    answers = []
    for label in rng.integers(0, 3, 300):
        logits = rng.normal(0, 1, (25, 3))
        logits[:, label] += 0.8
        answers.append((np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), int(label)))
    found = ensemble_accuracy(answers)
    assert found.averaged > found.members.max() + 0.2
    assert found.voted > found.members.max() + 0.2
    assert found.images == 300


def test_nothing_labelled():
    found = ensemble_accuracy([])
    assert found.images == 0
    assert math.isnan(found.averaged)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"label: expected 0\.\.1 and at least one member, got 2"):
        ensemble_accuracy([(one([0.5, 0.5]), 2)])
    with pytest.raises(ValueError, match="expected 1 members as before, got 2"):
        ensemble_accuracy([(one([0.5, 0.5]), 1), (one([0.5, 0.5], [0.5, 0.5]), 1)])
