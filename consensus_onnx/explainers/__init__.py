"""Explainers: LIME, SmoothGrad, and the protocol users write their own by."""

from consensus_onnx.explainers.explanation import Explanation, ExplanationError
from consensus_onnx.explainers.lime import Lime
from consensus_onnx.explainers.protocol import Explainer, SuperpixelExplainer
from consensus_onnx.explainers.smoothgrad import SmoothGrad
from consensus_onnx.explainers.stopping import Stopping

__all__ = ["Explainer", "Explanation", "ExplanationError", "Lime", "SmoothGrad", "Stopping", "SuperpixelExplainer"]
