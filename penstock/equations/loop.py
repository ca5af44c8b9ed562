"""The time loop of a program, as a compiled engine takes it: every value of a step in numbers.

A :class:`Loop` is what is left when the products with the input and all that depends on
weights alone are done outside: values of one *token* (a step of one sequence), computed from
what the token brings, from the states, and from what is the same for every token.  It knows
no names and no cells; going backward in time is another Loop (:mod:`penstock.equations.adjoint`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Any

__all__ = [
    "COMMUTATIVE",
    "LEAVES",
    "Block",
    "Builder",
    "Gaze",
    "Loop",
    "Matrix",
    "Node",
    "State",
]

LEAVES = ("token", "previous", "sequence", "vector", "state", "constant")
COMMUTATIVE = ("add", "mul", "maximum", "minimum")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a token.

    Attributes:
        op: a leaf ("token", "previous", "sequence", "vector", "state", "constant"), "matmul",
            "broadcast", "sum" or "largest" (of a row), "select" (first operand where the
            state starts anew, else the second), "attend" (a query to what is read of the
            source), "part" (of that, from place ``block`` on), "shares" (that the source's
            words have of it), "attend back" (a gradient
            of what was read to that of the query), or an element-wise operation.
        width: how many numbers; 0: as many as the source has words.
        args: positions of the operands; those of a product lie side by side.
        source: which tensor a leaf is read from, which matrix a product uses.
        block: which of the values that lie side by side in that tensor, or of the
            matrices stacked there.
        value: of a constant.
        first: of "previous": the sequence input that stands before the first token.

    Of "attend back", ``source``, ``block`` and ``first`` are the token inputs that hold the
    query, the shares and their gradient.
    """

    op: str
    width: int
    args: tuple[int, ...] = ()
    source: int = 0
    block: int = 0
    value: float = 0.0
    first: int = 0


Block = tuple[int, ...]
"""Widths, or nodes, that lie side by side in one tensor."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Matrices stacked by rows that multiply one operand, or their transpose.

    Attributes:
        rows: heights of the matrices.
        columns: width of each.
        transposed: whether each multiplies from the other side and the results are added.
    """

    rows: Block
    columns: int
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A value carried from token to token: the node that becomes it."""

    width: int
    new: int


@dataclass(frozen=True, slots=True)
class Gaze:
    """How a loop looks at a source, once a token.

    Attributes:
        keys: the sequence input (B, S, key_width) that queries are held against.
        values: the sequence input (B, S, value_width) that is read.
        vector: the vector input v of ``v @ tanh(query + key)``; -1 for ``query @ key``.
        key_width, value_width: of a source word.
    """

    keys: int
    values: int
    vector: int
    key_width: int
    value_width: int


@dataclass(frozen=True)
class Loop:
    """What every token computes.

    Attributes:
        nodes: in an order in which each can be computed.
        tokens: widths of the inputs that each token brings, by tensor (N, sum of widths).
        sequences: widths of the inputs of a whole sequence, each (B, width); 0 for a source.
        vectors: widths of the inputs that all tokens share, each (width,).
        matrices: of the products.
        states: carried along.
        outputs: nodes stored for each token, by tensor (N, sum of widths).
        sums: nodes added up over all tokens, each to (width,).
        tiled_tokens: token inputs that lie in the machine's own order.
        tiled_outputs: outputs that nothing but another loop reads, in that order.
        gaze: at a source, of "attend" and "attend back".
    """

    nodes: tuple[Node, ...]
    tokens: tuple[Block, ...]
    sequences: tuple[int, ...]
    vectors: tuple[int, ...]
    matrices: tuple[Matrix, ...]
    states: tuple[State, ...]
    outputs: tuple[Block, ...]
    sums: tuple[int, ...] = ()
    tiled_tokens: tuple[int, ...] = ()
    tiled_outputs: tuple[int, ...] = ()
    gaze: Gaze | None = None

    def widths(self, output: Block) -> Block:
        """How wide each value of an output is."""
        return tuple(self.nodes[index].width for index in output)

    def pruned(self) -> Loop:
        """The same loop without nodes that nothing needs."""
        needed: set[int] = set()
        open_nodes = [
            *(s.new for s in self.states),
            *(n for o in self.outputs for n in o),
            *self.sums,
        ]
        while open_nodes:
            index = open_nodes.pop()
            if index not in needed:
                needed.add(index)
                open_nodes.extend(self.nodes[index].args)
        moved = {old: new for new, old in enumerate(sorted(needed))}
        return replace(
            self,
            nodes=tuple(
                replace(self.nodes[old], args=tuple(moved[arg] for arg in self.nodes[old].args))
                for old in moved
            ),
            states=tuple(replace(state, new=moved[state.new]) for state in self.states),
            outputs=tuple(tuple(moved[node] for node in output) for output in self.outputs),
            sums=tuple(moved[node] for node in self.sums),
        )

    def to_text(self) -> str:
        """The loop as one line of JSON."""
        return json.dumps(_plain(self), default=_plain, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Loop:
        """The loop that :meth:`to_text` wrote."""
        nodes, tokens, sequences, vectors, matrices, states, outputs, *more = json.loads(text)
        sums, tiled_tokens, tiled_outputs, gaze = more
        return cls(
            tuple(Node(op, width, tuple(args), *rest) for op, width, args, *rest in nodes),
            tuple(map(tuple, tokens)),
            tuple(sequences),
            tuple(vectors),
            tuple(Matrix(tuple(rows), *rest) for rows, *rest in matrices),
            tuple(State(*state) for state in states),
            tuple(map(tuple, outputs)),
            tuple(sums),
            tuple(tiled_tokens),
            tuple(tiled_outputs),
            Gaze(*gaze) if gaze else None,
        )


def _plain(part: Any) -> list[Any]:
    """The fields of a dataclass; ``dataclasses.astuple`` copies them all, which takes long."""
    return [getattr(part, field.name) for field in fields(part)]


class Builder:
    """Collects nodes; equal ones are one, and arithmetic with 0 and 1 is done at once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[Node, int] = {}

    def add(self, node: Node) -> int:
        """The position of a node, new or known."""
        if node not in self._known:
            self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return self._known[node]

    def leaf(
        self,
        op: str,
        width: int,
        *,
        source: int = 0,
        block: int = 0,
        first: int = 0,
    ) -> int:
        """An input or a state."""
        return self.add(Node(op, width, source=source, block=block, first=first))

    def constant(self, value: float, width: int = 1) -> int:
        """A number."""
        return self.add(Node("constant", width, value=value))

    def is_constant(self, index: int, value: float) -> bool:
        """Whether a node is this number."""
        node = self.nodes[index]
        return node.op == "constant" and node.value == value

    def fit(self, index: int, width: int) -> int:
        """A single number as a row of equal ones; a row as it is."""
        node = self.nodes[index]
        if node.width == width:
            return index
        if node.op == "constant":
            return self.constant(node.value, width)
        if node.op in (*LEAVES, "matmul", "sum", "largest"):
            return self.add(Node("broadcast", width, (index,)))
        # Cheaper than waiting until every tile of the row could read the number.
        return self.add(
            replace(node, width=width, args=tuple(self.fit(a, width) for a in node.args))
        )

    def apply(self, op: str, *args: int) -> int:
        """An element-wise operation; single numbers are broadcast."""
        width = max(self.nodes[arg].width for arg in args)
        fitted = tuple(self.fit(arg, width) for arg in args)
        known = self._simplified(op, fitted, width)
        if known is not None:
            return known
        if op in COMMUTATIVE:
            fitted = tuple(sorted(fitted))
        return self.add(Node(op, width, fitted))

    def reduce(self, op: str, arg: int) -> int:
        """One number from a row: "sum" or "largest"."""
        return arg if self.nodes[arg].width == 1 else self.add(Node(op, 1, (arg,)))

    def matmul(self, args: Block, width: int, *, source: int, block: int = 0) -> int:
        """A product with a matrix."""
        return self.add(Node("matmul", width, args, source, block))

    def select(self, anew: int, carried: int) -> int:
        """``anew`` where the state starts anew, else ``carried``."""
        width = max(self.nodes[anew].width, self.nodes[carried].width)
        args = (self.fit(anew, width), self.fit(carried, width))
        return args[0] if args[0] == args[1] else self.add(Node("select", width, args))

    def _simplified(self, op: str, args: tuple[int, ...], width: int) -> int | None:
        match op, args:
            case "add", (a, b) if self.is_constant(a, 0):
                return b
            case (("add" | "sub"), (a, b)) if self.is_constant(b, 0):
                return a
            case "sub", (a, b) if self.is_constant(a, 0):
                return self.apply("neg", b)
            case (("mul" | "div"), (a, b)) if self.is_constant(b, 1):
                return a
            case "mul", (a, b) if self.is_constant(a, 1):
                return b
            case (("dsigmoid" | "dtanh" | "neg"), (a, *_)) if self.is_constant(a, 0):
                return a
            case "neg", (a,) if self.nodes[a].op == "neg":
                return self.nodes[a].args[0]
        return None
