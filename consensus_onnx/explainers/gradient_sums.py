"""Sums of a member's input gradients over many inputs, added up inside the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.committee import Classifier
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.accumulate import SQUARE_SUM, SQUARE_SUM_OUT, SUM, SUM_OUT, add_up_inside
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import on_device, open_session, serialise
from consensus_onnx.runtime.memory import give_back_freed, shrinking
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

    def over(self, inputs: AnyArray, target: int, onto: GradientSums | None = None) -> GradientSums:
        """Add up the gradients of a common class over inputs (S, ...) of the member's own form.

        Passes become smaller where there is not the memory; the sums are the same bytes.

        Parameters
        ----------
        inputs : array (S, ...)
            What the member is given.
        target : int
            The common class.
        onto : GradientSums, optional
            Sums over earlier inputs, to go on from: the bytes are those of all inputs at once.

        Raises
        ------
        ModelError
            If the run fails, or a gradient is NaN or infinite.
        """
        fixed = self.classifier.facts.input.batch
        zero = np.zeros(inputs.shape[1:])
        state = self._state(onto or GradientSums(zero, zero))
        start = 0
        while start < len(inputs):
            left = inputs[start:]

            def add(size: int, left: AnyArray = left, state: tuple[Any, ...] = state) -> tuple[int, Any]:
                return min(size, len(left)), self._add(left[:size], target, state)

            try:
                count, state = self.classifier.ceiling.run(self._batch(), fixed or 1, add)
            except Exception as error:  # the runtime's own classes, MemoryError, ValueError alike
                raise ModelError(
                    f"{self.classifier.member.path}: its gradient graph fails while running: {first_line(error)}"
                ) from error
            start += count
        sums, squares = (value.numpy() for value in state)
        if not (np.isfinite(sums).all() and np.isfinite(squares).all()):
            raise ModelError(f"{self.classifier.member.path}: its gradient is NaN or infinite")
        return GradientSums(sums[0].astype(np.float64), squares[0].astype(np.float64))

    def _add(self, batch: AnyArray, target: int, state: tuple[Any, ...], options: Any = None) -> tuple[Any, ...]:
        """Return the sums after a batch that fits into one pass; they stay where the model runs."""
        facts = self.classifier.facts
        seed = self._seed(len(batch), facts.output.class_offset + target)
        missing = facts.input.batch - len(batch)
        if missing > 0:  # a seed of zeros adds nothing to the sums
            batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            seed = np.concatenate([seed, np.zeros((missing, *seed.shape[1:]), seed.dtype)])
        binding = self.session.io_binding()
        binding.bind_cpu_input(facts.input.name, np.ascontiguousarray(batch))
        binding.bind_cpu_input(SEED, seed)
        for name, value in zip((SUM, SQUARE_SUM), state, strict=True):
            binding.bind_ortvalue_input(name, value)
        for name in (SUM_OUT, SQUARE_SUM_OUT):
            binding.bind_output(name, self.classifier.provider)
        self.session.run_with_iobinding(binding, options)
        return tuple(binding.get_outputs())

    def _state(self, sums: GradientSums) -> tuple[Any, ...]:
        """Return sums so far where the model runs."""
        provider = self.classifier.provider
        return tuple(on_device(part[None].astype(np.float32), provider) for part in (sums.sum, sums.squares))

    def _batch(self) -> int:
        """Return how many pictures a gradient pass takes."""

        def run(size: int, options: Any = None) -> None:
            blank = self.classifier.blank(size)
            zero = np.zeros(blank.shape[1:])
            state = self._state(GradientSums(zero, zero))
            self.classifier.ceiling.run(size, 1, lambda fewer: self._add(blank[:fewer], 0, state, options))

        def quickest() -> int:
            paces = self.classifier.paces
            known = paces is None or "gradient_batch" in paces
            batch = self.classifier.batch_for("gradient_batch", run, each=2)
            if not known and self.classifier.provider == "cpu":
                run(batch, shrinking())  # larger ones were tried
            return batch

        return self.classifier.ceiling.under(self.classifier.derived("gradient_passes", quickest))

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
        classifier.load(),
        output=facts.output.name,
        wrt=facts.input.name,
        of="output" if of == facts.output.kind else of,
        lowering="cuda" if classifier.provider == "cuda" else "cpu",
    )
    add_up_inside(gradient)
    serialised = serialise(gradient)
    del gradient  # ResNet-50: 158 MB of weights, which ONNX Runtime is about to hold twice for a moment
    session = open_session(serialised, classifier.runtime)
    give_back_freed()
    seed = next(value for value in session.get_inputs() if value.name == SEED)
    # A symbolic number of classes, which some exporters leave, is the one size that the others determine.
    shape = tuple(size if isinstance(size, int) else -1 for size in seed.shape[1:])
    return GradientSession(classifier, session, shape, _NUMPY_NAMES[seed.type])
