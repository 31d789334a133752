"""A finished run as one offline HTML page, and its explanations as pictures."""

from consensus_onnx.report.document import write_report
from consensus_onnx.report.explanation_row import figure, write_figure

__all__ = ["figure", "write_figure", "write_report"]
