"""A node as a gradient rule sees it: named inputs and outputs, typed attributes, shapes and constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onnx import NodeProto, helper

from consensus_onnx.errors import ModelError

if TYPE_CHECKING:
    from consensus_onnx.arrays import AnyArray
    from consensus_onnx.gradients.facts import Facts, Shape


@dataclass(frozen=True)
class NodeView:
    """One node of the forward graph, read only.

    Parameters
    ----------
    proto : NodeProto
        The node.
    version : int
        The schema version its opset gives it.
    facts : Facts
        What is known about the tensors of the graph.
    wanted : frozenset of int
        Positions of the inputs whose gradient leads on to the input; rules may answer None for the others.
    makers : mapping of str to NodeProto
        The nodes on the gradient's way, by what they make.
    """

    proto: NodeProto
    version: int
    facts: Facts
    wanted: frozenset[int]
    makers: Mapping[str, NodeProto] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input names, '' for one left out."""
        return tuple(self.proto.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output names, '' for one left out."""
        return tuple(self.proto.output)

    @property
    def label(self) -> str:
        """The node's name, or its first output where it has none."""
        return self.proto.name or self.proto.output[0]

    def has_input(self, position: int) -> bool:
        """Say whether an optional input is given."""
        return position < len(self.proto.input) and bool(self.proto.input[position])

    def constant(self, position: int) -> AnyArray | None:
        """Return an input's value where it is known before the model runs, else None (also where it is left out)."""
        return self.facts[self.proto.input[position]].constant if self.has_input(position) else None

    def require_constant(self, position: int, what: str) -> AnyArray:
        """Return an input's value, which the rule cannot do without.

        Raises
        ------
        ModelError
            If the model computes it while running.
        """
        value = self.constant(position)
        if value is None:
            raise ModelError(
                f"node {self.label!r} ({self.proto.op_type}-{self.version}): its {what} is computed while the model "
                "runs; its gradient is implemented for constant ones only"
            )
        return value

    def shape(self, name: str) -> Shape:
        """Return the shape of one of the node's tensors.

        Raises
        ------
        ModelError
            If not even the rank is known.
        """
        shape = self.facts[name].shape
        if shape is None:
            raise ModelError(
                f"node {self.label!r} ({self.proto.op_type}-{self.version}): the shape of {name!r} cannot be inferred, "
                "and the gradient needs it"
            )
        return shape

    def rank(self, name: str) -> int:
        """Return the number of dimensions of one of the node's tensors."""
        return len(self.shape(name))

    def axis(self, default: int, rank: int, attribute: str = "axis") -> int:
        """Return an axis attribute counted from the front."""
        return self.integer(attribute, default) % max(rank, 1)

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self._attribute(name)
        return default if value is None else int(value)

    def real(self, name: str, default: float) -> float:
        """Return a float attribute."""
        value = self._attribute(name)
        return default if value is None else float(value)

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self._attribute(name)
        return default if value is None else value.decode()

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
        """Return a list of integers, or the default."""
        value = self._attribute(name)
        chosen = default if value is None else value
        return None if chosen is None else tuple(chosen)

    def reals(self, name: str) -> tuple[float, ...]:
        """Return a list of floats, empty where it is not given."""
        value = self._attribute(name)
        return () if value is None else tuple(float(number) for number in value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, empty where it is not given."""
        value = self._attribute(name)
        return () if value is None else tuple(text.decode() for text in value)

    def has_attribute(self, name: str) -> bool:
        """Say whether an attribute is given."""
        return self._attribute(name) is not None

    def _attribute(self, name: str) -> Any:
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return None
