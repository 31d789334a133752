"""What is known about every tensor of a graph before it runs: type, shape, and value where it follows from shapes.

A symbolic size (the batch) is known by *probes*: the graph is analysed as if the size were 5, and again as if it were
12. A dimension that is equal under every probe is static; the others are told apart by the sizes they took, so that
`(5, 12)` is the batch and `(60, 144)` twelve times the batch. Shape arithmetic inside the graph (Shape, Gather, Concat,
...) is then plain arithmetic on numbers and needs no symbolic algebra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, TypeProto, ValueInfoProto, helper, numpy_helper

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.evaluation import can_evaluate, evaluate, schema_of

Dim: TypeAlias = int | tuple[int, ...]
Shape: TypeAlias = tuple[Dim, ...]

# Element types no gradient passes through.
INTEGERS = frozenset(
    int(getattr(TensorProto, name))
    for name in (
        "UINT2",
        "INT2",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "UINT32",
        "UINT64",
        "BOOL",
        "STRING",
        "INT4",
        "UINT4",
    )
)
# Sizes a symbolic leading dimension takes. Neither divides the other and neither is a usual size of anything else.
_BATCH_PROBES = (5, 12, 7)
# Sizes of symbolic inner dimensions: even, odd and odd, so that rounding up and rounding down come apart.
_INNER_PROBES = (224, 321, 263)
_INNER_STEP = 32
# Values that differ between probes are only needed for shape arithmetic; larger ones are not followed.
_LARGEST_VARYING_VALUE = 65_536
# Shape inference is told values up to this many entries: shapes, axes, pads.
_LARGEST_SHAPE_VALUE = 1_024


@dataclass(frozen=True)
class Fact:
    """What is known about one tensor.

    Parameters
    ----------
    elem_type : int
        ONNX element type, 0 where unknown.
    sizes : tuple
        Its shape under each probe, None where unknown.
    values : tuple
        Its value under each probe, None where it depends on the input's values.
    """

    elem_type: int
    sizes: tuple[tuple[int, ...] | None, ...]
    values: tuple[AnyArray | None, ...]

    @property
    def shape(self) -> Shape | None:
        """The shape, a static dimension as int, one that varies as the tuple of its probed sizes."""
        known = [size for size in self.sizes if size is not None]
        if len(known) < len(self.sizes) or len({len(size) for size in known}) != 1:
            return None
        return tuple(column[0] if len(set(column)) == 1 else column for column in zip(*known, strict=True))

    @property
    def constant(self) -> AnyArray | None:
        """The value where it is the same under every probe."""
        first = self.values[0]
        if first is None:
            return None
        for value in self.values[1:]:
            if value is not first and (value is None or value.shape != first.shape or not _same(value, first)):
                return None
        return first

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The NumPy dtype of the elements."""
        return np.dtype(helper.tensor_dtype_to_np_dtype(self.elem_type))

    def describe(self) -> str:
        """Return 'float32 (N, 3, 224, 224)' with letters for dimensions that vary."""
        kind = onnx.TensorProto.DataType.Name(self.elem_type).lower() if self.elem_type else "unknown type"
        if self.shape is None:
            return f"{kind}, unknown shape"
        dims = [str(dim) if isinstance(dim, int) else "x".join(("?", *map(str, dim))) for dim in self.shape]
        return f"{kind} ({', '.join(dims)})"


def static(shape: Shape) -> tuple[int, ...] | None:
    """Return the shape if every dimension is static, else None."""
    sizes = tuple(dim for dim in shape if isinstance(dim, int))
    return sizes if len(sizes) == len(shape) else None


class Facts:
    """The facts of a graph's tensors, by name; grows by one node at a time, in topological order.

    Parameters
    ----------
    opsets : mapping of str to int
        The opset each domain is imported at.
    ir_version : int
        The model's IR version.
    probes : int
        How many sizes each symbolic dimension is tried at: 1 where there is none.
    """

    def __init__(self, opsets: Mapping[str, int], ir_version: int, probes: int) -> None:
        self.opsets = dict(opsets)
        self.probes = probes
        self._imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
        self._ir_version = ir_version
        self._facts: dict[str, Fact] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._facts

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __getitem__(self, name: str) -> Fact:
        return self._facts[name]

    def forget(self, name: str) -> None:
        """Drop a tensor that a pass removed."""
        self._facts.pop(name, None)

    def rename(self, old: str, new: str) -> None:
        """Know a tensor by another name."""
        self._facts[new] = self._facts.pop(old)

    def add(self, name: str, fact: Fact) -> None:
        """Record a tensor."""
        self._facts[name] = fact

    def add_constant(self, name: str, array: AnyArray) -> Fact:
        """Record an initialiser or a folded value."""
        kind = int(helper.np_dtype_to_tensor_dtype(array.dtype))
        fact = Fact(kind, (array.shape,) * self.probes, (array,) * self.probes)
        self._facts[name] = fact
        return fact

    def infer(self, node: NodeProto) -> None:
        """Record the outputs of a node whose inputs are known."""
        if all(self._facts[name].constant is not None for name in node.input if name) and can_evaluate(node):
            per_probe = [self._infer(node, 0)] * self.probes
        else:
            per_probe = [self._infer(node, probe) for probe in range(self.probes)]
        for position, name in enumerate(node.output):
            if name:
                kinds, sizes, values = zip(*(columns[position] for columns in per_probe), strict=True)
                self._facts[name] = Fact(kinds[0], sizes, values)

    def _infer(self, node: NodeProto, probe: int) -> list[tuple[int, tuple[int, ...] | None, AnyArray | None]]:
        """Return elem type, shape and value of each output under one probe."""
        inputs = {name: self._facts[name] for name in node.input if name}
        values = {name: fact.values[probe] for name, fact in inputs.items()}
        known = {name: value for name, value in values.items() if value is not None}
        if node.op_type in ("Shape", "Size") and node.domain == "" and inputs[node.input[0]].sizes[probe] is not None:
            return [_of(_shape_value(node, inputs[node.input[0]].sizes[probe]))]
        types = self._types(node, probe, known)
        if len(known) == len(inputs) and can_evaluate(node) and self._worth_knowing(node, types):
            return [_of(value) for value in evaluate(node, self.opsets, known)]
        return [(*_shape_of(types.get(name)), None) for name in node.output]

    def _worth_knowing(self, node: NodeProto, types: Mapping[str, TypeProto]) -> bool:
        """Say whether a value is the same under every probe, or small enough to follow."""
        same = all(self._facts[name].constant is not None for name in node.input if name)
        return same or all(
            int(np.prod(_shape_of(types.get(name))[1] or (0,))) <= _LARGEST_VARYING_VALUE for name in node.output
        )

    def _types(self, node: NodeProto, probe: int, known: Mapping[str, AnyArray]) -> dict[str, TypeProto]:
        """Ask ONNX's own shape inference for one node's output types."""
        schema = schema_of(node, self.opsets)
        if schema is None:
            return {}
        inputs = [self._facts[name] for name in node.input if name]
        if any(not fact.elem_type for fact in inputs):  # behind an operator nobody knows: what it is waits for that
            return {}
        data = {
            name: numpy_helper.from_array(value, name)
            for name, value in known.items()
            if value.size <= _LARGEST_SHAPE_VALUE
        }
        try:
            return dict(
                onnx.shape_inference.infer_node_outputs(
                    schema,
                    node,
                    {name: _type(self._facts[name], probe) for name in node.input if name},
                    data,
                    opset_imports=self._imports,
                    ir_version=self._ir_version,
                )
            )
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"node {node.name or node.output[0]!r} ({node.op_type}): its inputs do not fit: "
                f"{', '.join(fact.describe() for fact in inputs)}: {str(error).splitlines()[0]} "
                "(sizes that vary are tried at several values: those that must agree need the same symbol)"
            ) from error


def probe_inputs(facts: Facts, inputs: Mapping[str, ValueInfoProto]) -> None:
    """Record a model's inputs, each symbolic dimension at its probed sizes."""
    symbols: dict[str, tuple[int, ...]] = {}
    for name, info in inputs.items():
        tensor = info.type.tensor_type
        columns: list[tuple[int, ...]] = []
        for axis, dim in enumerate(tensor.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value >= 0:
                columns.append((dim.dim_value,) * facts.probes)
                continue
            symbol = dim.dim_param or f"{name}[{axis}]"
            if symbol not in symbols:
                base, step = (_BATCH_PROBES, 17) if axis == 0 else (_INNER_PROBES, _INNER_STEP)
                symbols[symbol] = tuple(base[probe] + step * len(symbols) for probe in range(facts.probes))
            columns.append(symbols[symbol])
        sizes = tuple(zip(*columns, strict=True)) if columns else ((),) * facts.probes
        facts.add(name, Fact(tensor.elem_type, sizes, (None,) * facts.probes))


def probes_needed(inputs: Mapping[str, ValueInfoProto]) -> int:
    """Return how many probes tell the symbolic dimensions of these inputs apart: 1, 2 (batch only) or 3."""
    needed = 1
    for info in inputs.values():
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value"):
                needed = max(needed, 2 if axis == 0 else 3)
    return needed


def _same(left: AnyArray, right: AnyArray) -> bool:
    """Compare values bit for bit, NaN included."""
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()


def _of(value: AnyArray) -> tuple[int, tuple[int, ...] | None, AnyArray | None]:
    return int(helper.np_dtype_to_tensor_dtype(value.dtype)), value.shape, value


def _shape_value(node: NodeProto, size: tuple[int, ...] | None) -> AnyArray:
    """Return the value of Shape (with its start and end) or Size."""
    assert size is not None
    if node.op_type == "Size":
        return np.array(np.prod(size, dtype=np.int64))
    bounds = {attribute.name: attribute.i for attribute in node.attribute}
    return np.array(size[slice(bounds.get("start", 0), bounds.get("end"))], np.int64)


def _shape_of(kind: TypeProto | None) -> tuple[int, tuple[int, ...] | None]:
    """Return elem type and full shape of an inferred type."""
    if kind is None or not kind.HasField("tensor_type"):
        return 0, None
    tensor = kind.tensor_type
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return tensor.elem_type, None
    return tensor.elem_type, tuple(dim.dim_value for dim in tensor.shape.dim)


def _type(fact: Fact, probe: int) -> TypeProto:
    return helper.make_tensor_type_proto(fact.elem_type, fact.sizes[probe])
