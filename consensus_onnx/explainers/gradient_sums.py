"""Sums of a member's input gradients over many inputs, added up inside the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.committee import Classifier
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import averaging_model, gradient_model
from consensus_onnx.gradients.accumulate import SQUARE_SUM, SQUARE_SUM_OUT, SUM, SUM_OUT
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import open_session
from consensus_onnx.runtime.text import first_line

Of = Literal["logits", "probabilities"]

# The seed has the output's type, which need not be the input's: float16 models often answer in float32.
_NUMPY_NAMES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}


@dataclass(frozen=True)
class GradientSums:
    """Sum and sum of squares of the gradients of some inputs, float64, in the shape of one input."""

    sum: Float64Array
    squares: Float64Array


@dataclass(frozen=True)
class GradientSession:
    """An open session that adds up d output[target] / d input over batches of inputs.

    The running sums go in with every batch and come out with it; inputs are added one after the other, so the
    result does not depend on how they are split into batches.
    """

    classifier: Classifier
    session: Any
    seed_shape: tuple[int, ...]
    seed_dtype: str

    def over(self, inputs: AnyArray, target: int) -> GradientSums:
        """Add up the gradients of a common class over inputs (S, ...) of the member's own form.

        Passes become smaller where there is not the memory; the sums are the same bytes.

        Raises
        ------
        ModelError
            If the run fails, or a gradient is NaN or infinite.
        """
        fixed = self.classifier.facts.input.batch
        sums = np.zeros((1, *inputs.shape[1:]), np.float32)
        state = (sums, np.zeros_like(sums))
        start = 0
        while start < len(inputs):
            left = inputs[start:]

            def add(size: int, left: AnyArray = left, state: tuple[AnyArray, AnyArray] = state) -> tuple[int, Any]:
                return min(size, len(left)), self._add(left[:size], target, state)

            try:
                count, state = self.classifier.ceiling.run(self.classifier.batch, fixed or 1, add)
            except Exception as error:  # the runtime's own classes, MemoryError, ValueError alike
                raise ModelError(
                    f"{self.classifier.member.path}: its gradient graph fails while running: {first_line(error)}"
                ) from error
            start += count
        sums, squares = state
        if not (np.isfinite(sums).all() and np.isfinite(squares).all()):
            raise ModelError(f"{self.classifier.member.path}: its gradient is NaN or infinite")
        return GradientSums(sums[0].astype(np.float64), squares[0].astype(np.float64))

    def _add(self, batch: AnyArray, target: int, state: tuple[AnyArray, AnyArray]) -> tuple[AnyArray, AnyArray]:
        """Return the sums after a batch that fits into one pass."""
        facts = self.classifier.facts
        seed = self._seed(len(batch), facts.output.class_offset + target)
        missing = facts.input.batch - len(batch)
        if missing > 0:  # a seed of zeros adds nothing to the sums
            batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            seed = np.concatenate([seed, np.zeros((missing, *seed.shape[1:]), seed.dtype)])
        sums, squares = state
        feeds = {facts.input.name: batch, SEED: seed, SUM: sums, SQUARE_SUM: squares}
        sums, squares = self.session.run([SUM_OUT, SQUARE_SUM_OUT], feeds)
        return sums, squares

    def _seed(self, count: int, output: int) -> AnyArray:
        seed = np.zeros((count, self.classifier.facts.output.width), self.seed_dtype)
        seed[:, output] = 1
        return seed.reshape(count, *self.seed_shape)


def gradient_sums(classifier: Classifier, of: Of) -> GradientSession:
    """Open a classifier's gradient graph; made once per classifier and kept with it.

    Raises
    ------
    UnsupportedOperatorError
        If an operator of the member has no gradient rule.
    ModelError
        If logits are asked of a model that only shows probabilities and has no softmax to take off.
    """
    return classifier.derived(derived_key(of), lambda: _open(classifier, of))


def derived_key(of: Of) -> str:
    """Return what a classifier keeps its gradient session under."""
    return f"gradient_sums/{of}"


def _open(classifier: Classifier, of: Of) -> GradientSession:
    facts = classifier.facts
    gradient = gradient_model(
        classifier.model,
        output=facts.output.name,
        wrt=facts.input.name,
        of="output" if of == facts.output.kind else of,
        lowering="cuda" if classifier.provider == "cuda" else "cpu",
    )
    session = open_session(averaging_model(gradient), classifier.runtime)
    seed = next(value for value in session.get_inputs() if value.name == SEED)
    # A symbolic number of classes, which some exporters leave, is the one size that the others determine.
    shape = tuple(size if isinstance(size, int) else -1 for size in seed.shape[1:])
    return GradientSession(classifier, session, shape, _NUMPY_NAMES[seed.type])
