"""Gradients of exported models: ONNX graph in, ONNX graph with its gradient out."""

from consensus_onnx.gradients.accumulate import averaging_model
from consensus_onnx.gradients.check import GradientCheck, check_gradient
from consensus_onnx.gradients.head import Head, find_head
from consensus_onnx.gradients.lowering import Lowering
from consensus_onnx.gradients.model import gradient_model, unsupported_operators
from consensus_onnx.gradients.registry import gradient_rule, no_gradient, supported_operators
from consensus_onnx.gradients.saving import save_model
from consensus_onnx.gradients.target import fix_target

__all__ = [
    "GradientCheck",
    "Head",
    "Lowering",
    "averaging_model",
    "check_gradient",
    "find_head",
    "fix_target",
    "gradient_model",
    "gradient_rule",
    "no_gradient",
    "save_model",
    "supported_operators",
    "unsupported_operators",
]
