"""ONNX's 1,884 node tests as gradient tests; `node_cases.py` says how."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper, numpy_helper

from gradients import node_cases
from gradients.node_cases import TABLE, Outcome, all_outcomes, cases, check_pair, judge, table, unjustified
from gradients.node_exceptions import RUNTIME_DECIDES, UNSUPPORTED, UNSUPPORTED_CASES


def test_one_case_in_a_hundred() -> None:
    outcomes = all_outcomes(every=100)
    assert not unjustified(outcomes)
    assert sum(outcome.verdict == "passed" for outcome in outcomes) > 8


@pytest.mark.slow
def test_every_case_passes_is_flat_or_is_justified_and_the_table_says_so() -> None:
    outcomes = all_outcomes()
    assert not unjustified(outcomes)
    stored = TABLE.read_text(encoding="utf-8")
    assert table(outcomes) == stored, "run `PYTHONPATH=tests python -m gradients.node_cases` and `make docs`"


def test_every_exception_is_about_a_case_there_is() -> None:
    collected = cases()
    operators = {f"{node.domain}.{node.op_type}".lstrip(".") for case in collected for node in case.model.graph.node}
    absent = {
        "ConcatFromSequence",
        "SequenceAt",
        "SequenceConstruct",
        "SequenceErase",
        "MaxRoiPool",
    }  # operators without a case
    assert UNSUPPORTED.keys() - absent <= operators
    names = [case.name for case in collected]
    assert all(any(name.startswith(start) for name in names) for start in UNSUPPORTED_CASES)
    assert RUNTIME_DECIDES.keys() <= set(names)


def test_a_wrong_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in cases() if case.name == "test_tanh")
    assert judge(case, "Tanh").verdict == "passed"
    right = node_cases.gradient_model

    def wrong(*args: object, **keywords: object):  # type: ignore[no-untyped-def]
        gradient = right(*args, **keywords)  # type: ignore[arg-type]
        for node in gradient.graph.node:
            node.output[:] = ["right" if name == "grad/x" else name for name in node.output]
        gradient.graph.initializer.append(numpy_helper.from_array(np.float32(1.001).reshape(()), "factor"))
        gradient.graph.node.append(helper.make_node("Mul", ["right", "factor"], ["grad/x"]))
        return gradient

    monkeypatch.setattr(node_cases, "gradient_model", wrong)
    outcome = judge(case, "Tanh")
    assert outcome.verdict == "wrong"
    assert "y by x: error 0.001" in outcome.detail


def test_a_gradient_declared_zero_that_is_not_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in cases() if case.name == "test_tanh")
    monkeypatch.setattr("consensus_onnx.gradients.registry._flat", {("", "Tanh")})
    outcome = judge(case, "Tanh")
    assert outcome.verdict == "wrong"
    assert "declared without gradient, but differences are" in outcome.detail


def test_a_kink_is_checked_beside_it() -> None:
    case = next(case for case in cases() if case.name == "test_abs")
    model = node_cases.with_constants(case.model, {})
    x = np.zeros_like(case.data_sets[0][0][0])
    moved, error = check_pair(case.name, model, {"x": x}, {"y": x}, ("y", "x"), {"y": lambda feeds: np.abs(feeds["x"])})
    assert moved
    assert error < 1e-6


def test_an_unjustified_case_is_found() -> None:
    assert unjustified([Outcome("test_x", "Tanh", "unsupported", "because")])
    assert not unjustified([Outcome("test_x", "Det", "unsupported", "because")])
    assert unjustified([Outcome("test_x", "Det", "wrong", "because")])
