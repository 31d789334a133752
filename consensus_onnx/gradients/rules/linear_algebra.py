"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("MatMul", (13,))
def matmul(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dA = G B^T, dB = A^T G, summed over broadcast batch axes; a vector counts as a row (A) or a column (B).

    B^T of a weight is made at build time: a product with a constant right side gives each row the same bits whatever
    the number of rows, one with a computed right side does not (5e-6 between one row and several).
    """
    g = first(grads)
    a, b = node.inputs
    row, column = node.rank(a) == 1, node.rank(b) == 1
    left = emit.unsqueeze(a, [0]) if row else a
    right = emit.unsqueeze(b, [1]) if column else b
    if row:
        g = emit.unsqueeze(g, [emit.rank(g) if column else emit.rank(g) - 1])
    if column:
        g = emit.unsqueeze(g, [emit.rank(g)])
    da = db = None
    if 0 in node.wanted:
        da = emit.reshape_like(emit.unbroadcast(emit.op("MatMul", g, _swapped(emit, right)), left), a)
    if 1 in node.wanted:
        db = emit.reshape_like(emit.unbroadcast(emit.op("MatMul", _swapped(emit, left), g), right), b)
    return [da, db]


@gradient_rule("Gemm", (13,))
def gemm(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Y = alpha A' B' + beta C: dA' = alpha G B'^T, dB' = alpha A'^T G, dC = beta G."""
    g = first(grads)
    a, b = node.inputs[:2]
    alpha = node.real("alpha", 1.0)
    flip_a, flip_b = node.integer("transA", 0), node.integer("transB", 0)
    da = db = dc = None
    if 0 in node.wanted:
        left, right, trans_left, trans_right = (b, g, flip_b, 1) if flip_a else (g, b, 0, 1 - flip_b)
        da = emit.op("Gemm", left, right, alpha=alpha, transA=trans_left, transB=trans_right)
    if 1 in node.wanted:
        left, right, trans_left, trans_right = (g, a, 1, flip_a) if flip_b else (a, g, 1 - flip_a, 0)
        db = emit.op("Gemm", left, right, alpha=alpha, transA=trans_left, transB=trans_right)
    if 2 in node.wanted:
        dc = emit.scaled(emit.unbroadcast(g, node.inputs[2]), node.real("beta", 1.0))
    return [da, db, dc][: len(node.inputs)]


@gradient_rule("Einsum", (12, 28))
def einsum(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """The gradient of one operand is the einsum of g with the others; an index found nowhere else is broadcast.

    Of a repeated index (a trace, a diagonal) only the diagonal of the operand gets it. `...` stands for letters.
    """
    g = first(grads)
    operands, result = _letters(node)
    answers: list[Grad] = []
    for position, term in enumerate(operands):
        if position not in node.wanted:
            answers.append(None)
            continue
        others = [(operands[at], node.inputs[at]) for at in range(len(operands)) if at != position]
        reachable = set(result).union(*(other for other, _ in others))
        distinct = "".join(dict.fromkeys(term))
        found = "".join(letter for letter in distinct if letter in reachable)
        inputs = [g, *(name for _, name in others)]
        d = emit.op("Einsum", *inputs, equation=f"{','.join([result, *(other for other, _ in others)])}->{found}")
        d = emit.unsqueeze(d, [at for at, letter in enumerate(distinct) if letter not in reachable])
        answers.append(_on_diagonal(node, emit, d, term, node.inputs[position]))
    return answers


def _letters(node: NodeView) -> tuple[list[str], str]:
    """Return the indices of an Einsum's operands and of its result, `...` spelled out from the right."""
    equation = node.text("equation", "").replace(" ", "")
    terms, arrow, result = equation.partition("->")
    operands = terms.split(",")
    spare = [chr(code) for code in (*range(65, 91), *range(97, 123)) if chr(code) not in equation]
    hidden = [node.rank(name) - len(term) + 3 for term, name in zip(operands, node.inputs, strict=True) if "." in term]
    dots = "".join(spare[: max(hidden, default=0)])
    if not arrow:
        letters = "".join(operands).replace(".", "")
        result = "..." * bool(hidden) + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    written = [
        term.replace("...", dots[len(dots) - (node.rank(name) - len(term) + 3) :] if "." in term else "")
        for term, name in zip(operands, node.inputs, strict=True)
    ]
    return written, result.replace("...", dots)


def _on_diagonal(node: NodeView, emit: GraphWriter, d: str, term: str, operand: str) -> str:
    """Return d, whose indices are the distinct ones of a term, in the operand's shape: zero off its diagonals."""
    shape = node.shape(operand)
    distinct = list(dict.fromkeys(term))
    for at, letter in enumerate(term):  # give the second and later places of a letter their own axis
        if letter not in term[:at]:
            continue
        size = shape[at]
        if not isinstance(size, int):
            raise ModelError(f"node {node.label!r} (Einsum): the repeated index {letter!r} needs a static size")
        from_axis = distinct.index(letter)
        lead = [axis for axis in range(len(distinct)) if axis != from_axis]
        # (..., n) -> (..., n, 1) * identity (n, n)
        column = emit.unsqueeze(emit.transpose(d, [*lead, from_axis]), [len(distinct)])
        d = emit.op("Mul", column, emit.constant(np.eye(size, dtype=emit.fact(d).dtype)))
        distinct = [*(distinct[axis] for axis in lead), letter, f"{letter}{at}"]
    places = [letter if letter not in term[:at] else f"{letter}{at}" for at, letter in enumerate(term)]
    return emit.expand_like(emit.transpose(d, [distinct.index(place) for place in places]), operand)


def _swapped(emit: GraphWriter, x: str) -> str:
    """Return a tensor with its last two axes swapped."""
    rank = emit.rank(x)
    return emit.transpose(x, [*range(rank - 2), rank - 1, rank - 2])
