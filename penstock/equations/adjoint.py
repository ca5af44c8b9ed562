"""The loop that runs backward in time: gradients of everything a loop reads.

Reverse accumulation, node by node, on the values of one token.  What a state was worth to
later tokens arrives as a state of the backward loop; gradients of products are stored for
each token, so that the gradient of a matrix is one large product after the loop; gradients
of vectors are added up on the way.  Activated values are saved rather than what was
activated, since the derivatives of sigmoid and tanh follow from their values.

Source: Griewank & Walther 2008, chapter 3; Werbos 1990 for the way back through time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from penstock.equations.derivatives import RULES
from penstock.equations.loop import Block, Builder, Loop, Matrix, Node, State

__all__ = ["Adjoint", "Tap", "adjoint"]


@dataclass(frozen=True)
class Tap:
    """Where the operand of a product is found after the loop.

    Attributes:
        kind: "output" of the forward loop, or "previous": that output of the token before.
        output: which output of the forward loop.
        first: of "previous": the state that stands before the first token.
    """

    kind: str
    output: int
    first: int = 0


@dataclass(frozen=True)
class Adjoint:
    """A loop's way forward and back.

    Attributes:
        forward: the loop, with the values the way back needs among its outputs.
        backward: its sequences are those of ``forward``, then the first states; its states
            the gradients of the forward states, then of the sequences ``carried``.
        inputs: what each token input of ``backward`` is: ("gradient", output of ``forward``),
            ("input", token input of ``forward``) or ("output", output of ``forward``).
        token_outputs: for each token input the output of ``backward``, and the first of its
            values, that are its gradient.
        product_outputs: for each matrix the same for the gradients of the products' results.
        taps: where to find the operand of each matrix.
        carried: the sequence inputs whose gradients are the last states of ``backward``.
        summed: the vectors whose gradients are the sums of ``backward``.
    """

    forward: Loop
    backward: Loop
    inputs: tuple[tuple[str, int], ...]
    token_outputs: tuple[tuple[int, int], ...]
    product_outputs: tuple[tuple[int, int], ...]
    taps: tuple[Tap, ...]
    carried: Block
    summed: Block


def adjoint(loop: Loop) -> Adjoint:
    """Derive the way back of a loop.

    Args:
        loop: whose outputs are single values.
    """
    return _Adjoint(loop).run()


class _Adjoint:
    """One derivation: ``gradient`` holds, for each forward node, a node of the way back."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.build = loop, Builder()
        self.gradient: dict[int, int] = {}
        self.outputs = list(loop.outputs)
        self.inputs: list[tuple[str, int]] = []
        self.of_token: dict[tuple[int, int], int] = {}
        self.of_product: dict[tuple[int, int], int] = {}
        self.of_state: dict[int, int] = {}
        self.of_sequence: dict[int, int] = {}
        self.of_vector: dict[int, int] = {}
        self.values: dict[int, int] = {}
        self.members: dict[int, list[int]] = {}
        for index, node in enumerate(loop.nodes):
            if node.op == "matmul":
                self.members.setdefault(node.source, []).append(index)

    def run(self) -> Adjoint:
        """Seed, go back through the nodes, and gather what came out."""
        for source, (index,) in enumerate(self.loop.outputs):
            self._add(index, self._input("gradient", source, self._width(index)))
        for source, state in enumerate(self.loop.states):
            self._add(state.new, self.build.leaf("state", state.width, source=source))
        for index in reversed(range(len(self.loop.nodes))):
            self._back(index)
        taps = tuple(self._tap(source) for source in range(len(self.loop.matrices)))
        return self._gathered(taps)

    def _back(self, index: int) -> None:
        node = self.loop.nodes[index]
        if node.op == "matmul":
            if index == self.members[node.source][0]:
                self._back_through_product(index)
            return
        if node.op == "attend":
            self._back_through_attention(index)
            return
        if index not in self.gradient:
            return
        gradient = self.gradient[index]
        match node.op:
            case "token":
                self.of_token[node.source, node.block] = gradient
            case "sequence":
                self.of_sequence[node.source] = gradient
            case "vector":
                self.of_vector[node.source] = gradient
            case "state":
                self.of_state[node.source] = gradient
            case "broadcast":
                self._add(node.args[0], self.build.reduce("sum", gradient))
            case "sum":
                self._add(node.args[0], self.build.fit(gradient, self._width(node.args[0])))
            case "select":
                nothing = self.build.constant(0.0, node.width)
                self._add(node.args[0], self.build.select(gradient, nothing))
                self._add(node.args[1], self.build.select(nothing, gradient))
            case "shares":
                pass  # "attend back" reads it
            case "constant" | "largest":
                pass  # a softmax does not change when all its operands are shifted
            case op:
                for arg, part in zip(node.args, RULES[op](self, index, gradient), strict=True):
                    self._add(arg, part)

    def _back_through_product(self, first: int) -> None:
        """All results of one stacked matrix at once; its operand comes before any of them."""
        node = self.loop.nodes[first]
        rows = self.loop.matrices[node.source].rows
        blocks = {self.loop.nodes[m].block: self.gradient.get(m) for m in self.members[node.source]}
        if not any(gradient is not None for gradient in blocks.values()):
            return
        parts = []
        for block, width in enumerate(rows):
            gradient = blocks.get(block)
            parts.append(self.build.constant(0.0, width) if gradient is None else gradient)
            self.of_product[node.source, block] = parts[-1]
        operand = node.args[0]
        back = self.build.matmul(tuple(parts), self._width(operand), source=node.source)
        self._add(operand, back)

    def _back_through_attention(self, index: int) -> None:
        """Gradients of keys, values and vector are the machine's; the query's is a node."""
        (query,) = self.loop.nodes[index].args
        shares = self._output(self.loop.nodes.index(Node("shares", 0, (index,))))
        gradient = self.gradient.get(index)
        if gradient is None:
            gradient = self.build.constant(0.0, self._width(index))
        saved = self._save(query)
        node = Node(
            "attend back",
            self._width(query),
            (gradient,),
            source=self.build.nodes[saved].source,
            block=self._source("output", shares),
            first=self._source("gradient", shares),
        )
        self._add(query, self.build.add(node))

    def _gathered(self, taps: tuple[Tap, ...]) -> Adjoint:
        loop, outputs = self.loop, list[Block]()

        def values(found: dict[tuple[int, int], int], source: int, widths: Block) -> Block:
            return tuple(
                found[source, block] if (source, block) in found else self.build.constant(0.0, w)
                for block, w in enumerate(widths)
            )

        states = [*self._states(), *self._sequence_states()]
        tokens = [
            _placed(outputs, values(self.of_token, s, widths))
            for s, widths in enumerate(loop.tokens)
        ]
        products = [
            _placed(outputs, values(self.of_product, s, m.rows))
            for s, m in enumerate(loop.matrices)
        ]
        backward = Loop(
            nodes=tuple(self.build.nodes),
            tokens=tuple(self._widths(kind, place) for kind, place in self.inputs),
            sequences=(*loop.sequences, *(state.width for state in loop.states)),
            vectors=loop.vectors,
            matrices=tuple(Matrix(m.rows, m.columns, transposed=True) for m in loop.matrices),
            states=tuple(states),
            outputs=tuple(outputs),
            sums=tuple(self.of_vector.values()),
            gaze=loop.gaze,
        )
        tiled = self._only_for_the_way_back(taps)
        return Adjoint(
            forward=replace(loop, outputs=tuple(self.outputs), tiled_outputs=tiled).pruned(),
            backward=replace(
                backward,
                tiled_tokens=tuple(self.inputs.index(("output", place)) for place in tiled),
            ).pruned(),
            inputs=tuple(self.inputs),
            token_outputs=tuple(tokens),
            product_outputs=tuple(products),
            taps=taps,
            carried=tuple(self.of_sequence),
            summed=tuple(self.of_vector),
        )

    def _only_for_the_way_back(self, taps: tuple[Tap, ...]) -> Block:
        """Outputs that no one reads but the way back, token by token."""
        others = {tap.output for tap in taps} | set(range(len(self.loop.outputs)))
        others |= {
            self.inputs[node.source][1]
            for node in self.build.nodes
            if node.op in ("previous", "attend back")
        }
        saved = [place for kind, place in self.inputs if kind == "output"]
        return tuple(  # a single number may be read by tiles of another width
            place
            for place in saved
            if place not in others and self._width(self.outputs[place][0]) > 1
        )

    def _widths(self, kind: str, place: int) -> Block:
        """How wide the values of a token input of the way back are."""
        return self.loop.tokens[place] if kind == "input" else self.loop.widths(self.outputs[place])

    def _states(self) -> list[State]:
        return [
            State(s.width, self.of_state.get(j, self.build.constant(0.0, s.width)))
            for j, s in enumerate(self.loop.states)
        ]

    def _sequence_states(self) -> list[State]:
        """A running sum over the tokens of each sequence, for what it brought itself."""
        states = []
        for place, (source, gradient) in enumerate(self.of_sequence.items(), len(self.loop.states)):
            width = self.loop.sequences[source]
            total = self.build.leaf("state", width, source=place)
            states.append(State(width, self.build.apply("add", total, gradient)))
        return states

    def _add(self, index: int, part: int | None) -> None:
        if part is None:
            return
        part = self.build.fit(part, self._width(index))
        known = self.gradient.get(index)
        self.gradient[index] = part if known is None else self.build.apply("add", known, part)

    def value(self, index: int) -> int:
        """The value of a forward node, on the way back."""
        if index not in self.values:
            self.values[index] = self._value(index)
        return self.values[index]

    def _value(self, index: int) -> int:
        node = self.loop.nodes[index]
        match node.op:
            case "constant":
                return self.build.constant(node.value, node.width)
            case "vector" | "sequence":
                return self.build.leaf(node.op, node.width, source=node.source)
            case "token":
                return self._input("input", node.source, node.width, node.block)
            case "state":
                return self._value_before(index)
            case "broadcast":
                return self.build.fit(self.value(node.args[0]), node.width)
        if node.op in CHEAP and all(self._is_at_hand(arg) for arg in node.args):
            args = [self.value(arg) for arg in node.args]
            return self.build.select(*args) if node.op == "select" else self.apply(node.op, *args)
        return self._save(index)

    def _value_before(self, index: int) -> int:
        """A state as the token found it: the token before left it so."""
        node = self.loop.nodes[index]
        output = self._output(self.loop.states[node.source].new)
        first = len(self.loop.sequences) + node.source
        source = self._source("output", output)
        return self.build.leaf("previous", node.width, source=source, first=first)

    def _save(self, index: int) -> int:
        return self._input("output", self._output(index), self._width(index))

    def _input(self, kind: str, place: int, width: int, block: int = 0) -> int:
        return self.build.leaf("token", width, source=self._source(kind, place), block=block)

    def _source(self, kind: str, place: int) -> int:
        """Number of a token input of the way back."""
        if (kind, place) not in self.inputs:
            self.inputs.append((kind, place))
        return self.inputs.index((kind, place))

    def _is_at_hand(self, index: int) -> bool:
        """Whether a value costs nothing on the way back: given, or saved for its own sake."""
        node = self.loop.nodes[index]
        if node.op in ("broadcast", "select"):
            return all(self._is_at_hand(arg) for arg in node.args)
        given = ("constant", "vector", "sequence", "state", "sigmoid", "tanh")
        return node.op in given or index in self.values

    def _output(self, index: int) -> int:
        """The output of the forward loop that holds a node's value."""
        if (index,) not in self.outputs:
            self.outputs.append((index,))
        return self.outputs.index((index,))

    def _tap(self, source: int) -> Tap:
        operand = self.loop.nodes[self.members[source][0]].args[0]
        node = self.loop.nodes[operand]
        if node.op == "state":
            return Tap("previous", self._output(self.loop.states[node.source].new), node.source)
        return Tap("output", self._output(operand))

    def operands(self, index: int) -> Block:
        """The operands of a forward node."""
        return self.loop.nodes[index].args

    def apply(self, op: str, *args: int) -> int:
        """An element-wise operation on the way back."""
        return self.build.apply(op, *args)

    def is_number(self, index: int) -> bool:
        """Whether a forward node is a constant, which needs no gradient."""
        return self.loop.nodes[index].op == "constant"

    def number(self, value: float) -> int:
        """A constant on the way back."""
        return self.build.constant(value)

    def _width(self, index: int) -> int:
        return self.loop.nodes[index].width


CHEAP = ("add", "sub", "neg", "mul", "select")


def _placed(outputs: list[Block], nodes: Block) -> tuple[int, int]:
    """Where nodes lie side by side among the outputs: in which, and from which place on."""
    for number, output in enumerate(outputs):
        for start in range(len(output) - len(nodes) + 1):
            if output[start : start + len(nodes)] == nodes:
                return number, start
    outputs.append(nodes)
    return len(outputs) - 1, 0
