"""Statistics over results: what can be concluded from the scores of an audit, and with what certainty."""

from consensus_onnx.analysis.alignment import average_precision, chance_precision, mean_average_precision, paint
from consensus_onnx.analysis.correlation import Correlation, correlate
from consensus_onnx.analysis.intervals import MeanInterval, mean_interval

__all__ = [
    "Correlation",
    "MeanInterval",
    "average_precision",
    "chance_precision",
    "correlate",
    "mean_average_precision",
    "mean_interval",
    "paint",
]
