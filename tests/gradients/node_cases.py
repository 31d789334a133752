"""ONNX's own node tests as gradient tests: every case of `onnx.backend.test` whose operator can carry a gradient.

`PYTHONPATH=tests python -m gradients.node_cases` checks them all and writes what came out to `node_cases.csv` beside this file, from
which `make docs` makes the tables of `docs/operators.md`. A case is a model of one node (or of the nodes its operator is
defined by), inputs, and outputs. Of every case

- inputs of integers, truth values and text become constants, as exporters write axes, indices and sizes;
- every output of real numbers is differentiated by every input of real numbers, a *pair*, at the case's own inputs;
- a gradient is compared with central differences along random directions, of a forward pass in float64 that first has
  to reproduce the case's own outputs;
- where the two one-sided differences disagree there is a kink or a tie: the pair is checked again beside it, at inputs
  moved away from 0 by `SHIFT` times their spread (`test_ties.py` checks by hand what happens at the kink itself);
- a pair without gradient has to have differences of zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from consensus_onnx.errors import ConsensusError, ModelError, UnsupportedOperatorError
from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.canonical import canonicalise
from consensus_onnx.gradients.float64 import run_in_float64
from consensus_onnx.gradients.graphs import prune
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import RuntimeSettings, open_session
from gradients.node_exceptions import ESTIMATES, RANDOM, RUNTIME_DECIDES, SHAPING, reason

VERDICTS = ("passed", "estimate", "flat", "unsupported")
TABLE = Path(__file__).with_name("node_cases.csv")
# ONNX Runtime 1.31 loads models up to this opset; later ones are run by the reference evaluator, in float64.
NEWEST_OPSET = 26
STEP = 1e-6
SHIFT = 0.02
DIRECTIONS = 4
# Largest error along a direction, relative to the largest derivative: by the type the gradient is computed in.
TOLERANCES = {"float64": 1e-6, "float32": 1e-4, "float16": 2e-2, "bfloat16": 6e-2}
REALS = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
}
Feeds = Mapping[str, Any]
Forward = Callable[[Feeds], Any]


@dataclass(frozen=True)
class Outcome:
    """What came out of one case.

    Parameters
    ----------
    name, operator : str
        The case, and the operator it tests.
    verdict : {"passed", "estimate", "flat", "unsupported", "wrong"}
        Flat: no real number that goes in moves a real number that comes out.
    detail : str
        Why.
    pairs : int
        Derivatives compared.
    moved : int
        Those of them compared beside a kink.
    error : float
        The largest error of a pair.
    """

    name: str
    operator: str
    verdict: str
    detail: str = ""
    pairs: int = 0
    moved: int = 0
    error: float = 0.0


class NoGradient(Exception):
    """A pair whose gradient is zero everywhere."""


@cache
def cases() -> list[Any]:
    """Return ONNX's node tests, made once (4 s)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return collect_testcases(None)


def operator_of(case: Any, known: Mapping[str, str]) -> str:
    """Return the operator a case tests: its only node's, or that of the case it is the expansion of."""
    nodes = case.model.graph.node
    if len(nodes) == 1:
        return f"{nodes[0].domain}.{nodes[0].op_type}".lstrip(".")
    stem = case.name.split("_expanded")[0]
    return known.get(stem, nodes[-1].op_type)


def judge(case: Any, operator: str) -> Outcome:
    """Check one case."""
    outcome = Outcome(case.name, operator, "passed")
    infos = (*case.model.graph.input, *case.model.graph.output)
    if {info.type.WhichOneof("value") for info in infos} - {"tensor_type"}:
        return replace(outcome, verdict="unsupported", detail="takes or gives a sequence or an optional value")
    given, made = ([_array(value) for value in values] for values in case.data_sets[0])
    values = dict(zip((info.name for info in case.model.graph.input), given, strict=False))
    stored = dict(zip((info.name for info in case.model.graph.output), made, strict=True))
    reals = [info.name for info in case.model.graph.input if info.type.tensor_type.elem_type in REALS]
    results = [info.name for info in case.model.graph.output if info.type.tensor_type.elem_type in REALS]
    moving = [
        name for position, name in enumerate(values) if name in reals and position not in SHAPING.get(operator, ())
    ]
    operators = {node.op_type for node in case.model.graph.node}
    for why, flat in (
        ("no real number goes in", not reals),
        ("no real number comes out", not results),
        ("the real numbers that go in decide a size", not moving),
        ("what comes out is drawn", bool(RANDOM & operators)),
    ):
        if flat:
            return replace(outcome, verdict="flat", detail=why)
    model = with_constants(case.model, {name: value for name, value in values.items() if name not in moving})
    feeds = {name: np.asarray(values[name]) for name in moving}
    pairs = [(output, wrt) for output in results for wrt in moving]
    if ESTIMATES & operators:
        return replace(outcome, verdict="estimate")
    return _judge_pairs(outcome, model, feeds, stored, pairs)


def _judge_pairs(
    outcome: Outcome, model: ModelProto, feeds: Feeds, stored: Feeds, pairs: list[tuple[str, str]]
) -> Outcome:
    """Compare every derivative of a case; the first that fails decides."""
    forwards: dict[str, Forward] = {}
    for output, wrt in pairs:
        try:
            moved, error = check_pair(outcome.name, model, feeds, stored, (output, wrt), forwards)
        except NoGradient:
            continue
        except ConsensusError as error:
            return replace(outcome, verdict="unsupported", detail=f"{output} by {wrt}: {error}".splitlines()[0])
        except AssertionError as error:
            return replace(outcome, verdict="wrong", detail=f"{output} by {wrt}: {error}".splitlines()[0])
        outcome = replace(
            outcome, pairs=outcome.pairs + 1, moved=outcome.moved + moved, error=max(outcome.error, error)
        )
    return outcome if outcome.pairs else replace(outcome, verdict="flat", detail="declared, and its differences are 0")


def _array(value: Any) -> Any:
    """Return a stored value as an array; some cases keep theirs in protobuf."""
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def with_constants(model: ModelProto, values: Feeds) -> ModelProto:
    """Return a model with some of its inputs as initialisers."""
    fixed = ModelProto()
    fixed.CopyFrom(model)
    fixed.ir_version = max(fixed.ir_version, 4)  # before that every constant had to be an input too
    kept = [info for info in fixed.graph.input if info.name not in values]
    del fixed.graph.input[:]
    fixed.graph.input.extend(kept)
    fixed.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in values.items())
    return fixed


def check_pair(
    case: str, model: ModelProto, feeds: Feeds, stored: Feeds, pair: tuple[str, str], forwards: dict[str, Forward]
) -> tuple[bool, float]:
    """Compare one derivative with differences; return whether it was moved off a kink, and its error.

    Raises
    ------
    NoGradient
        If the gradient is zero everywhere, and so are the differences.
    AssertionError
        If they disagree.
    """
    output, wrt = pair
    gradient = None
    try:
        gradient = _gradient(model, feeds, output, wrt)
    except ModelError as error:
        if "by any way that has a gradient" not in str(error) and "is zero everywhere" not in str(error):
            raise
    by_runtime = case in RUNTIME_DECIDES
    if output not in forwards:
        forwards[output] = _runtime(model, output) if by_runtime else _forward(model, feeds, stored, output)
    forward = forwards[output]
    x, y = np.asarray(feeds[wrt]), np.asarray(stored[output])
    rng = np.random.default_rng(5)
    finite = _finite((x.shape, y.shape), (*feeds.values(), y))
    seed = np.where(finite[y.shape], rng.standard_normal(y.shape), 0).astype(y.dtype)
    ways = np.where(finite[x.shape], rng.standard_normal((DIRECTIONS, *x.shape)), 0)
    wide = seed.astype(np.float64)

    def loss(point: Any) -> float:
        with np.errstate(all="ignore"):
            terms = np.where(wide != 0, forward({**feeds, wrt: point}) * wide, 0)
        return float(terms.sum())

    for moved in (True,) if by_runtime else (False, True):
        at = x.astype(np.float64)
        if moved:
            noise = SHIFT * (at[finite[x.shape]].std() if finite[x.shape].any() else 1.0) or SHIFT
            away = noise * rng.uniform(0.5, 1, x.shape) * np.where(at < 0, -1, 1)
            at = (at + away).astype(x.dtype).astype(np.float64)
        expected, smooth = _differences(loss, at, ways, 1e-2 if by_runtime else STEP)
        largest = float(np.abs(expected).max())
        if not moved and (not smooth or (gradient is None and largest > 1e-6)):
            continue
        if gradient is None:
            assert largest < 1e-6, f"declared without gradient, but differences are {largest:.3g}"
            raise NoGradient
        point = {**feeds, wrt: at.astype(x.dtype)}
        return moved, _error(gradient, wrt, point, seed, ways, expected, 1e-2 if by_runtime else 0.0)
    raise AssertionError


def _finite(shapes: tuple[tuple[int, ...], ...], values: tuple[Any, ...]) -> dict[tuple[int, ...], Any]:
    """Return, for each shape, where every value of that shape is a number: elsewhere there are no differences."""
    finite = {shape: np.ones(shape, bool) for shape in shapes}
    for value in values:
        if value.shape in finite:
            finite[value.shape] &= np.isfinite(np.asarray(value).astype(np.float64))
    return finite


def _differences(loss: Callable[[Any], float], at: Any, ways: Any, step: float) -> tuple[Any, bool]:
    """Return the derivative along each direction, and whether both sides and a smaller step agree about it."""
    try:
        here = loss(at)
        right = np.asarray([loss(at + step * way) - here for way in ways]) / step
        left = np.asarray([here - loss(at - step * way) for way in ways]) / step
        nearer = (loss(at + step / 4 * ways[0]) - here) / step * 4
    except ValueError:  # the output has another shape beside these inputs
        return np.full(len(ways), np.nan), False
    expected = (right + left) / 2
    kink = float(np.abs(np.asarray([*(right - left), nearer - right[0]])).max())
    return expected, kink <= 1e-3 * max(float(np.abs(expected).max()), 1e-3)


def _error(gradient: ModelProto, wrt: str, feeds: Feeds, seed: Any, ways: Any, expected: Any, least: float) -> float:
    """Return how far the gradient is from differences, by the first way of running it that is near enough."""
    scale = max(float(np.abs(expected).max()), 1e-3)
    failures = []
    for run, tolerance in _runs(gradient, wrt):
        got = run(feeds, seed)
        assert got.shape == feeds[wrt].shape, f"shape {got.shape}, expected {feeds[wrt].shape}"
        got = np.where((ways != 0).any(0), got.astype(np.float64), 0)
        along = (got * ways).reshape(DIRECTIONS, -1).sum(1)
        error = float(np.abs(along - expected).max()) / scale
        if error <= max(tolerance, least):
            return error
        failures.append(f"error {error:.3g}, allowed {tolerance}: {along} instead of {expected}")
    raise AssertionError("; ".join(failures))


def _gradient(model: ModelProto, feeds: Feeds, output: str, wrt: str) -> ModelProto:
    """Return the gradient model of the case, its other inputs as constants where a rule cannot do without."""
    try:
        return gradient_model(model, output=output, wrt=wrt)
    except UnsupportedOperatorError:
        raise
    except ModelError as error:
        if not any(word in str(error) for word in ("computed", "constant", "cannot be inferred")):
            raise
        others = {name: value for name, value in feeds.items() if name != wrt}
        return gradient_model(with_constants(model, others), output=output, wrt=wrt)


def _forward(model: ModelProto, feeds: Feeds, stored: Feeds, output: str) -> Forward:
    """Return the output as a function of the inputs in float64 that reproduces what the case has stored."""
    failures: list[str] = []
    narrow: list[Forward] = []
    for candidate in _candidates(model, output):
        try:
            run = run_in_float64(candidate)
            names = {info.name for info in candidate.graph.input}
            got = run(_only(feeds, names))[output]
            expected = np.asarray(stored[output])
            assert got.dtype == np.float64, f"{got.dtype}"
            assert got.shape == expected.shape, f"{got.shape}"
            loose = 2e-3 if expected.dtype.name in ("float32", "float64") else 4e-2
            np.testing.assert_allclose(got, expected.astype(np.float64), rtol=loose, atol=loose * 0.1)
        except Exception as error:  # the evaluator raises whatever NumPy does
            failures.append((str(error).strip().splitlines() or [type(error).__name__])[0][:80])
            continue
        narrow.append(lambda point, run=run, names=names: run(_only(point, names))[output])
        if _is_wide(narrow[-1], feeds):
            return narrow[-1]
    assert narrow, f"no forward pass in float64 gives the case's outputs: {failures}"
    return narrow[0]


def _runtime(model: ModelProto, output: str) -> Forward:
    """Return the output as ONNX Runtime computes it."""
    session = open_session(model, RuntimeSettings(threads=1))

    def run(feeds: Feeds) -> Any:
        return session.run([output], {name: value.astype(np.float32) for name, value in feeds.items()})[0]

    return run


def _is_wide(forward: Forward, feeds: Feeds) -> bool:
    """Say whether a hundredth of a step changes the output by a hundredth, which it does not where float32 rounds."""
    rng = np.random.default_rng(1)
    wide = {name: value.astype(np.float64) for name, value in feeds.items()}
    ways = {name: rng.standard_normal(value.shape) for name, value in wide.items()}
    here = forward(wide)
    try:
        far, near = (forward({name: wide[name] + step * ways[name] for name in wide}) - here for step in (1e-6, 1e-8))
    except ValueError:
        return True
    rest = np.abs(np.nan_to_num(near - far / 100))
    return bool(rest.max(initial=0) <= 1e-3 * np.abs(np.nan_to_num(far / 100)).max(initial=0) + 1e-13)


def _candidates(model: ModelProto, output: str) -> Iterator[ModelProto]:
    """Yield the case's model, then its canonical form."""
    for source in (lambda: model, lambda: canonicalise(model).model):
        only = ModelProto()
        only.CopyFrom(source())
        keep = [info for info in only.graph.output if info.name == output]
        del only.graph.output[:]
        only.graph.output.extend(keep)
        prune(only.graph, list(only.graph.node), [output])
        yield only


def _runs(gradient: ModelProto, wrt: str) -> list[tuple[Callable[[Feeds, Any], Any], float]]:
    """Return the gradient as a function of inputs and seed, and how exact it has to be.

    By ONNX Runtime where it can. Where rounding in the model's type hides what the formula gives, the same graph in
    float64 by the reference evaluator decides; as that is no test of what runs, its bound is a hundredth of the other.
    """
    result = f"grad/{wrt}"
    kinds = {info.type.tensor_type.elem_type for info in (*gradient.graph.input, *gradient.graph.output)}
    kind = max((REALS[kind] for kind in kinds if kind in REALS), key=lambda name: TOLERANCES[name])
    names = {info.name for info in gradient.graph.input}
    opset = max(entry.version for entry in gradient.opset_import if entry.domain == "")
    runs: list[tuple[Callable[[Feeds, Any], Any], float]] = []
    if opset <= NEWEST_OPSET and TensorProto.BFLOAT16 not in kinds:  # ONNX Runtime takes no bfloat16 from NumPy
        try:
            session = open_session(gradient, RuntimeSettings(threads=1))
        except ModelError as error:
            if "NOT_IMPLEMENTED" not in str(error) and "not implemented" not in str(error).lower():
                raise AssertionError(f"ONNX Runtime refuses the gradient model: {str(error)[:200]}") from error
        else:
            runs.append(
                (lambda feeds, seed: session.run([result], {**_only(feeds, names), SEED: seed})[0], TOLERANCES[kind])
            )
    constants = TOLERANCES[kind] if kind in ("float16", "bfloat16") else 1e-6  # they are folded in the model's type
    wide: list[Any] = []

    def exactly(feeds: Feeds, seed: Any) -> Any:
        if not wide:
            wide.append(run_in_float64(gradient))
        return wide[0]({**_only(feeds, names), SEED: seed})[result]

    return [*runs, (exactly, constants)]


def _only(feeds: Feeds, names: set[str]) -> Feeds:
    return {name: value for name, value in feeds.items() if name in names}


def all_outcomes(every: int = 1) -> list[Outcome]:
    """Check every case, or every so many."""
    collected = cases()
    known = {case.name: operator_of(case, {}) for case in collected if len(case.model.graph.node) == 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the empty and infinite inputs of some cases
        return [judge(case, operator_of(case, known)) for case in collected[::every]]


def unjustified(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the cases that neither pass nor are known not to."""
    return [
        outcome
        for outcome in outcomes
        if outcome.verdict not in ("passed", "estimate", "flat")
        and (outcome.verdict != "unsupported" or reason(outcome.name, outcome.operator) is None)
    ]


def table(outcomes: list[Outcome]) -> str:
    """Return how many cases of each operator came out how, as CSV."""
    lines = [",".join(("operator", "cases", *VERDICTS, "derivatives", "beside_a_kink"))]
    for operator in sorted({outcome.operator for outcome in outcomes}, key=str.lower):
        mine = [outcome for outcome in outcomes if outcome.operator == operator]
        counts = [sum(outcome.verdict == verdict for outcome in mine) for verdict in VERDICTS]
        sums = (sum(outcome.pairs for outcome in mine), sum(outcome.moved for outcome in mine))
        lines.append(",".join(map(str, (operator, len(mine), *counts, *sums))))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    found = all_outcomes()
    for outcome in unjustified(found):
        print(outcome)  # noqa: T201
    TABLE.write_text(table(found), encoding="utf-8")
