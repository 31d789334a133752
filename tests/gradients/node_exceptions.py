"""What is special about some of ONNX's node tests: where a number is no variable, and what is not supported, and why."""

from __future__ import annotations

# Inputs of real numbers, by position, that decide how large the output is: constants, as integers are.
SHAPING = {"Resize": (1, 2), "Upsample": (1,), "OneHot": (1,), "Range": (0, 1, 2), "Dropout": (1,)}

# Outputs that are drawn.
RANDOM = frozenset({"Bernoulli", "RandomUniformLike", "RandomNormalLike"})

# A straight-through estimate is no derivative: differences of a staircase say nothing. test_quantisation.py has it.
ESTIMATES = frozenset({"DynamicQuantizeLinear"})

# Cases whose stored outputs are not what ONNX Runtime computes. What runs counts: its own differences decide.
RUNTIME_DECIDES = {
    "test_l1normalization_axis_last": "the reference evaluator's 1-norm is a sum without absolute values",
    "test_resize_downsample_scales_linear_align_corners": "the case's last pixel is scale * size - 1, not rounded",
    "test_resize_downsample_scales_cubic_align_corners": "the case's last pixel is scale * size - 1, not rounded",
}

_SEQUENCES = "sequences and optional values are not followed; exports of static sizes write Split and Concat instead"
_OPTIMISER = "a training step, not part of a classifier"

# Operators no case of which is supported.
UNSUPPORTED = {
    "ConcatFromSequence": _SEQUENCES,
    "OptionalGetElement": _SEQUENCES,
    "OptionalHasElement": _SEQUENCES,
    "SequenceAt": _SEQUENCES,
    "SequenceConstruct": _SEQUENCES,
    "SequenceEmpty": _SEQUENCES,
    "SequenceErase": _SEQUENCES,
    "SequenceInsert": _SEQUENCES,
    "SequenceLength": _SEQUENCES,
    "SequenceMap": _SEQUENCES,
    "SplitToSequence": _SEQUENCES,
    "ai.onnx.preview.training.Adagrad": _OPTIMISER,
    "ai.onnx.preview.training.Adam": _OPTIMISER,
    "ai.onnx.preview.training.Momentum": _OPTIMISER,
    "ai.onnx.ml.ArrayFeatureExtractor": "belongs to tables of features, not to images",
    "Det": "needs the inverse of the matrix, for which ONNX has no operator",
    "MaxRoiPool": "pools regions: detectors, not classifiers",
    "MelWeightMatrix": "a filter bank for audio, constant in every model",
    "RoiAlign": "pools regions: detectors, not classifiers",
    "STFT": "spectra of audio, not of images",
    "TensorScatter": "writes the cache of a language model",
    "Unique": "the size of its output depends on the values of its input",
}

# Cases, by how their names begin, of operators that are supported otherwise.
UNSUPPORTED_CASES = {
    "test_affine_grid_2d_expanded": "the expansion gives Range a vector, which ONNX's own shape inference refuses",
    "test_affine_grid_2d_align_corners_expanded": "the expansion gives Range a vector, as above",
    "test_affine_grid_3d_expanded": "the expansion gives Range a vector, as above",
    "test_affine_grid_3d_align_corners_expanded": "the expansion gives Range a vector, as above",
    "test_batchnorm_example_training_mode": "statistics of the batch: an exported classifier has stored ones",
    "test_batchnorm_epsilon_training_mode": "statistics of the batch: an exported classifier has stored ones",
    "test_identity_sequence": _SEQUENCES,
    "test_identity_opt": _SEQUENCES,
    "test_if_opt": _SEQUENCES,
    "test_if_seq": _SEQUENCES,
    "test_loop13_seq": _SEQUENCES,
    "test_loop16_seq_none": _SEQUENCES,
    "test_maxunpool_export_with_output_shape": "its indices count in another shape than the output's",
    "test_scan_sum": "Scan of opset 8 has another form than since, and is refused by name",
    "test_training_dropout": "drops at random: an exported classifier does not",
}


def reason(case: str, operator: str) -> str | None:
    """Return why a case is not supported, None where it has to be."""
    if operator in UNSUPPORTED:
        return UNSUPPORTED[operator]
    return next((why for start, why in UNSUPPORTED_CASES.items() if case.startswith(start)), None)
