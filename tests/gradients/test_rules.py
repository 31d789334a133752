"""Every gradient rule, at every schema version it claims, against differences in float64."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from consensus_onnx.gradients import supported_operators
from consensus_onnx.gradients.canonical import MINIMUM_OPSET
from gradients.operator_cases import CASES
from gradients.oracle import Case, compare

SUPPORTED = supported_operators()
# Straight-through estimates are no derivatives; test_quantisation.py checks them by hand.
ESTIMATES = {
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
    *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"),
}
LATEST = onnx.defs.onnx_opset_version()


def opset_for(op: str, version: int) -> int:
    """Return an opset at which an operator has a schema version."""
    return next(
        opset
        for opset in range(max(version, MINIMUM_OPSET), LATEST + 1)
        if onnx.defs.get_schema(op, opset).since_version == version
    )


def versions_of(case: Case) -> tuple[int, ...]:
    claimed = tuple(version for domain, op, version in SUPPORTED if (domain, op) == (case.domain, case.op))
    return claimed if case.versions is None else case.versions


RUNS = [(case, version, wrt) for case in CASES for version in versions_of(case)[-1:] for wrt in case.wrt]
OLDER = [(case, version, case.wrt[0]) for case in CASES for version in versions_of(case)[:-1]]


@pytest.mark.parametrize(
    ("case", "version", "wrt"), RUNS, ids=lambda value: value.label if isinstance(value, Case) else str(value)
)
def test_gradient_equals_differences(case: Case, version: int, wrt: int) -> None:
    compare(case, opset_for(case.op, version), wrt, symbolic=case.batch)


@pytest.mark.parametrize(
    ("case", "version", "wrt"), OLDER, ids=lambda value: value.label if isinstance(value, Case) else str(value)
)
def test_older_schema_versions(case: Case, version: int, wrt: int) -> None:
    compare(case, opset_for(case.op, version), wrt, symbolic=case.batch)


@pytest.mark.parametrize("operator", SUPPORTED, ids=lambda key: f"{key[1]}-{key[2]}")
def test_every_rule_has_a_case(operator: tuple[str, str, int]) -> None:
    domain, op, version = operator
    if op in ESTIMATES:
        return
    assert any((case.domain, case.op) == (domain, op) and version in versions_of(case) for case in CASES)


@pytest.mark.parametrize("operator", SUPPORTED, ids=lambda key: f"{key[1]}-{key[2]}")
def test_every_version_exists_and_can_be_reached(operator: tuple[str, str, int]) -> None:
    domain, op, version = operator
    assert domain or opset_for(op, version)


WINDOWED = [case for case in CASES if case.op in ("Conv", "MaxPool", "AveragePool", "Relu", "Clip", "HardSigmoid")]


@pytest.mark.parametrize("case", WINDOWED, ids=lambda case: case.label)
def test_cuda_lowering_gives_the_same_numbers(case: Case) -> None:
    compare(case, opset_for(case.op, versions_of(case)[-1]), case.wrt[0], symbolic=case.batch, lowering="cuda")


def test_spread_keeps_values_apart() -> None:
    from gradients.operator_cases import spread

    values = np.sort(spread(2, 3, 4).reshape(-1))
    assert np.diff(values).min() > 0.05
    assert np.abs(values).min() > 0.01
