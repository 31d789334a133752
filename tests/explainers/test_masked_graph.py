"""Masking inside the graph, as on a GPU, against masking outside, as on the CPU; both on the CPU here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.explainers.lime import probabilities_of
from consensus_onnx.explainers.masked_graph import ANSWER, ROWS, can_mask_inside, masked_session
from consensus_onnx.explainers.masking import Masking, make_masking
from consensus_onnx.explainers.surrogate import perturbation_rows
from tiny_models import TinyNet, grid_segments, nan_classifier, noise_canvas, open_model

CANVAS = noise_canvas(7)
SEGMENTS = grid_segments(16, 3)
ROWS_OF_BITS = perturbation_rows(np.array([1, 2], np.uint64), 11, 9)

FORMS = [
    TinyNet(),
    TinyNet(layout="NHWC"),
    TinyNet(color="BGR"),
    TinyNet(color="GRAY", layout="NHWC"),
    TinyNet(size=(10, 14)),
    TinyNet(size=(23, 17), layout="NHWC", color="BGR"),
    TinyNet(size=None),
    TinyNet(kind="probabilities"),
    TinyNet(background=True),
    TinyNet(batch=1),
]


def both(classifier: co.Classifier, fill: int | str, target: int) -> tuple[np.ndarray, np.ndarray]:
    masking = make_masking(classifier, CANVAS, SEGMENTS, fill)
    inside = masked_session(classifier).probabilities(masking, ROWS_OF_BITS, target)
    return inside, probabilities_of(classifier, masking, ROWS_OF_BITS, target)


@pytest.mark.parametrize("fill", ["mean", 128])
@pytest.mark.parametrize("net", FORMS, ids=str)
def test_inside_and_outside_answer_alike(net: TinyNet, fill: int | str, tmp_path: Path) -> None:
    classifier = open_model(tmp_path, net)
    assert can_mask_inside(classifier)
    inside, outside = both(classifier, fill, 2)
    assert inside.shape == (11,)
    assert np.ptp(outside) > 1e-4
    np.testing.assert_allclose(inside, outside, rtol=1e-6)  # of float32 logits; the softmax is float64 in both


def test_any_number_of_pictures_per_pass_answers_the_same_bytes(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    masking = make_masking(classifier, CANVAS, SEGMENTS, "mean")
    answers = [
        masked_session(replace(classifier, runtime=co.RuntimeSettings(provider="cpu", batch=size), _derived={}))
        .probabilities(masking, ROWS_OF_BITS, 1)
        .tobytes()
        for size in (2, 3, 8, 64)
    ]
    assert len(set(answers)) == 1


def test_only_bits_go_in_and_one_number_a_row_comes_out(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    session = masked_session(classifier).session
    assert next(value for value in session.get_inputs() if value.name == ROWS).type == "tensor(uint8)"
    assert [(value.name, value.type) for value in session.get_outputs()] == [(ANSWER, "tensor(double)")]
    assert masked_session(classifier) is masked_session(classifier)


def test_a_label_that_is_off_by_one_is_seen(tmp_path: Path) -> None:
    """The check can fail: one pixel in another superpixel changes answers."""
    classifier = open_model(tmp_path, TinyNet())
    masking = make_masking(classifier, CANVAS, SEGMENTS, 128)
    labels = masking.labels.copy()
    labels[0] += 1
    wrong = Masking(classifier, masking.count, labels, masking.shown, masking.hidden)
    right = probabilities_of(classifier, masking, ROWS_OF_BITS, 2)
    assert np.abs(masked_session(classifier).probabilities(wrong, ROWS_OF_BITS, 2) / right - 1).max() > 1e-4


def test_models_that_cannot_take_it_in_are_known(tmp_path: Path) -> None:
    assert not can_mask_inside(open_model(tmp_path, TinyNet(batch=3)))


def test_nan_is_refused_as_outside(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, nan_classifier(), "")
    masking = make_masking(classifier, CANVAS, SEGMENTS, "mean")
    with pytest.raises(co.ModelError, match="answers NaN or infinity"):
        masked_session(classifier).probabilities(masking, ROWS_OF_BITS, 0)
