"""The only maker of nodes, initialisers and names in the backward part of a graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.facts import Dim, Fact, Facts, Shape

if TYPE_CHECKING:
    from consensus_onnx.gradients.lowering import Lowering

PREFIX = "grad/"
# The end of an axis, for Slice: any size is smaller.
END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Piece:
    """A gradient that is zero outside one range of one axis."""

    content: str
    axis: int
    start: int
    size: int


class GraphWriter:
    """Appends operators and constants, and knows type and shape of everything it wrote.

    An operator whose inputs are all constants is computed at once and becomes a constant: flipping a kernel or
    transposing a weight costs nothing when the model runs. Equal constants are stored once.

    Parameters
    ----------
    facts : Facts
        What is known about the forward graph; grows with every operator.
    taken : set of str
        Names the forward graph uses.
    lowering : Lowering
        How the costly steps are written for the provider that will run them.
    prefix : str
        What every name begins with.
    """

    def __init__(self, facts: Facts, taken: set[str], lowering: Lowering, prefix: str = PREFIX) -> None:
        self.facts = facts
        self._prefix = prefix
        self.lowering = lowering
        self.nodes: list[NodeProto] = []
        self.pieces: dict[str, Piece] = {}
        self.scope = ""
        self._taken = taken
        self._constants: dict[tuple[object, ...], str] = {}
        self._arrays: dict[str, AnyArray] = {}
        self._counts: dict[str, int] = {}

    # ---- what is known ----------------------------------------------------------------------------------------

    @property
    def opset(self) -> int:
        """The opset of the standard domain."""
        return self.facts.opsets[""]

    def fact(self, name: str) -> Fact:
        """Return what is known about a tensor."""
        return self.facts[name]

    def shape(self, name: str) -> Shape:
        """Return a tensor's shape.

        Raises
        ------
        ModelError
            If its rank cannot be inferred.
        """
        shape = self.facts[name].shape
        if shape is None:
            raise ModelError(f"the shape of {name!r} cannot be inferred, and the gradient at {self.scope!r} needs it")
        return shape

    def rank(self, name: str) -> int:
        """Return a tensor's number of dimensions."""
        return len(self.shape(name))

    # ---- operators --------------------------------------------------------------------------------------------

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Append an operator with one output and return that output's name ('' among the inputs: left out)."""
        return self.ops(op_type, inputs, ("",), **attributes)[0]

    def ops(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any
    ) -> tuple[str, ...]:
        """Append an operator with several outputs.

        Parameters
        ----------
        op_type, domain : str
            The operator.
        inputs : sequence of str
            Its inputs, '' for one left out.
        outputs : sequence of str
            A suffix for each output's name; '-' leaves that output out.
        **attributes
            Its attributes; those that are None are left out.

        Returns
        -------
        tuple of str
            The outputs' names, '' for one left out.
        """
        stem = self._name(op_type)
        names = ["" if suffix == "-" else f"{stem}{suffix and ':'}{suffix}" for suffix in outputs]
        given = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(op_type, list(inputs), names, name=stem, domain=domain, **given)
        self.facts.infer(node)
        values = [self.facts[name].constant for name in names if name]
        if inputs and all(value is not None for value in values):
            found = iter(values)
            return tuple(self.constant(next(found)) if name else "" for name in names)  # type: ignore[arg-type]
        self.nodes.append(node)
        return tuple(names)

    def reduce(self, op_type: str, x: str, axes: Sequence[int], *, keepdims: bool = True) -> str:
        """Append a reduction over the given axes; over none it is the identity."""
        if not axes:
            return x
        if op_type == "ReduceSum" or self.opset >= 18:
            return self.op(op_type, x, self.ints(axes), keepdims=int(keepdims))
        return self.op(op_type, x, axes=list(axes), keepdims=int(keepdims))

    def scattered(
        self, op_type: str, x: str, indices: str, updates: str, *, reduction: str = "add", axis: int | None = None
    ) -> str:
        """Append a ScatterElements or ScatterND that combines what meets: in float32 where the type is narrower.

        ONNX Runtime's CPU kernels do not add float16.
        """
        kind = self.fact(x).elem_type
        narrow = kind in (TensorProto.FLOAT16, TensorProto.BFLOAT16) and reduction != "none"
        if narrow:
            x, updates = (self.op("Cast", name, to=TensorProto.FLOAT) for name in (x, updates))
        y = self.op(op_type, x, indices, updates, axis=axis, reduction=reduction)
        return self.op("Cast", y, to=kind) if narrow else y

    # ---- constants --------------------------------------------------------------------------------------------

    def constant(self, array: AnyArray) -> str:
        """Return the name of an initialiser that holds the array."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        digest = hashlib.blake2b(array.tobytes(), digest_size=16).digest()
        key = (digest, array.shape, array.dtype.str, array.dtype.name)
        if key not in self._constants:
            name = self._name("constant")
            self._constants[key] = name
            self._arrays[name] = array
            self.facts.add_constant(name, array)
        return self._constants[key]

    def ints(self, values: Sequence[int]) -> str:
        """Return a constant int64 vector."""
        return self.constant(np.asarray(values, np.int64).reshape(-1))

    def scalar(self, value: float, like: str) -> str:
        """Return a constant of rank 0 and of another tensor's type."""
        return self.constant(np.asarray(value).astype(self.fact(like).dtype))

    def scaled(self, x: str, factor: float) -> str:
        """Return x times a number."""
        return x if factor == 1 else self.op("Mul", x, self.scalar(factor, x))

    # ---- shapes -----------------------------------------------------------------------------------------------

    def shape_of(self, x: str) -> str:
        """Return a tensor's shape as an int64 vector: a constant where it is static."""
        return self.op("Shape", x)

    def reshape(self, x: str, dims: Sequence[Dim], like: str | None = None) -> str:
        """Return x with other dimensions.

        Parameters
        ----------
        x : str
            The tensor.
        dims : sequence
            The dimensions as facts give them: at most one that varies can be written into the graph (as 0 where it
            stays in place, else as -1); for more, `like` is asked while the model runs.
        like : str, optional
            A tensor of exactly these dimensions.
        """
        dims = tuple(dims)
        before = self.fact(x).shape
        if before == dims:
            return x
        written: list[int] = []
        free = 0
        for axis, dim in enumerate(dims):
            if isinstance(dim, int) and dim != 0:
                written.append(dim)
            elif before is not None and axis < len(before) and before[axis] == dim:
                written.append(0)
            else:
                written.append(-1)
                free += 1
        if free <= 1:
            return self.op("Reshape", x, self.ints(written))
        if like is None:
            raise ModelError(f"two sizes vary in a reshape at {self.scope!r}; give these inputs static sizes")
        return self.op("Reshape", x, self.shape_of(like))

    def reshape_like(self, x: str, like: str) -> str:
        """Return x with the dimensions of another tensor."""
        return self.reshape(x, self.shape(like), like)

    def expand_like(self, x: str, like: str) -> str:
        """Return x broadcast to the dimensions of another tensor."""
        return x if self.fact(x).shape == self.shape(like) else self.op("Expand", x, self.shape_of(like))

    def zeros_like(self, x: str, kind: str | None = None) -> str:
        """Return zeros of a tensor's shape and type, or of another tensor's type."""
        zero = numpy_helper.from_array(np.zeros(1, self.fact(kind or x).dtype))
        return self.op("ConstantOfShape", self.shape_of(x), value=zero)

    def unsqueeze(self, x: str, axes: Sequence[int]) -> str:
        """Return x with new axes of size 1 at the given positions of the result."""
        return self.op("Unsqueeze", x, self.ints(axes)) if axes else x

    def squeeze(self, x: str, axes: Sequence[int]) -> str:
        """Return x without the given axes, which have size 1."""
        return self.op("Squeeze", x, self.ints(axes)) if axes else x

    def transpose(self, x: str, order: Sequence[int]) -> str:
        """Return x with its axes in another order."""
        return x if list(order) == sorted(order) else self.op("Transpose", x, perm=list(order))

    def cut(self, x: str, axis: int, start: int, stop: int = END, step: int = 1) -> str:
        """Return a range of one axis."""
        if start == 0 and step == 1 and stop in (END, self.shape(x)[axis]):
            return x
        return self.op("Slice", x, *(self.ints([value]) for value in (start, stop, axis, step)))

    def pad(self, x: str, before: Sequence[int], after: Sequence[int]) -> str:
        """Return x with zeros around it, and without the rows that negative numbers take away."""
        pads = [*before, *after]
        for axis, (front, back) in enumerate(zip(before, after, strict=True)):
            if front < 0 or back < 0:  # ONNX Runtime crops by negative pads too, but its Conv fusion then fails
                x = self.cut(x, axis, max(-front, 0), back if back < 0 else END)
        pads = [max(pad, 0) for pad in pads]
        return self.op("Pad", x, self.ints(pads)) if any(pads) else x

    def embed(self, x: str, like: str, axis: int, start: int) -> str:
        """Return zeros of another tensor's shape with x in one range of one axis.

        Where several such gradients meet and fill an axis side by side, `accumulate` joins them instead of adding.
        """
        whole, part = self.shape(like), self.shape(x)
        size, total = part[axis], whole[axis]
        if not isinstance(size, int) or not isinstance(total, int):
            raise ModelError(f"axis {axis} of {like!r} varies, and the gradient at {self.scope!r} cuts it in pieces")
        rank = len(whole)
        before = [start if position == axis else 0 for position in range(rank)]
        after = [total - start - size if position == axis else 0 for position in range(rank)]
        padded = self.pad(x, before, after)
        if padded != x:
            self.pieces[padded] = Piece(x, axis, start, size)
        return padded

    def along(self, x: str, axis: int, matrix: AnyArray) -> str:
        """Return a linear map along one axis: x (..., n, ...) times a constant matrix (n, m)."""
        rank = self.rank(x)
        matrix = matrix.astype(self.fact(x).dtype)
        if axis == rank - 2:  # from the left, without turning x
            return self.op("MatMul", self.constant(np.ascontiguousarray(matrix.T)), x)
        order = [at for at in range(rank) if at != axis] + [axis]
        product = self.op("MatMul", self.transpose(x, order), self.constant(matrix))
        return self.transpose(product, [int(at) for at in np.argsort(order)])

    def unbroadcast(self, gradient: str, like: str) -> str:
        """Sum a gradient over the axes along which a tensor was broadcast, so that it has that tensor's shape."""
        have, want = self.shape(gradient), self.shape(like)
        if have == want:
            return gradient
        extra = len(have) - len(want)
        gradient = self.reduce("ReduceSum", gradient, range(extra), keepdims=False)
        have = have[extra:]
        return self.reduce("ReduceSum", gradient, [axis for axis in range(len(want)) if want[axis] != have[axis]])

    def cast_like(self, x: str, like: str) -> str:
        """Return x in another tensor's element type."""
        kind = self.fact(like).elem_type
        return x if self.fact(x).elem_type == kind else self.op("Cast", x, to=kind)

    # ---- the end ----------------------------------------------------------------------------------------------

    def rename(self, old: str, new: str) -> None:
        """Give a tensor this writer made its public name."""
        for node in self.nodes:
            node.input[:] = [new if name == old else name for name in node.input]
            node.output[:] = [new if name == old else name for name in node.output]
        self.facts.rename(old, new)

    def constants(self) -> Mapping[str, AnyArray]:
        """Return every constant made, needed or not."""
        return self._arrays

    def _name(self, op_type: str) -> str:
        """Return a name no other tensor or node has."""
        stem = self._prefix + (f"{self.scope}/{op_type}" if self.scope and op_type != "constant" else op_type)
        while True:
            count = self._counts.get(stem, 0)
            self._counts[stem] = count + 1
            name = f"{stem}_{count}" if count or op_type == "constant" else stem
            if name not in self._taken:
                self._taken.add(name)
                return name
