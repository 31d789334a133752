"""Operators that answer with integers, truth values, shapes or steps: their gradient is zero wherever it exists."""

from __future__ import annotations

from consensus_onnx.gradients.registry import no_gradient

no_gradient("Shape", "Size", "Constant", "ConstantOfShape", "EyeLike", "NonZero")
no_gradient("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")
no_gradient("ArgMax", "ArgMin", "Hardmax", "NonMaxSuppression", "HannWindow", "HammingWindow", "BlackmanWindow")
no_gradient("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not", "IsNaN", "IsInf")
no_gradient("BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "BitCast")
no_gradient("Floor", "Ceil", "Round", "Sign")
no_gradient("Binarizer", "TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor", domain="ai.onnx.ml")
