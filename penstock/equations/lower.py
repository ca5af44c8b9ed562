"""From a plan to its time loop: what runs inside, and which tensors it reads and writes.

Products with the input, and whatever they need, are done before the loop for all tokens at
once; element-wise work moves into the loop, where its operands are at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from penstock.caching import cached_property
from penstock.equations.attention import Attention, find_attention
from penstock.equations.functions import FUNCTIONS
from penstock.equations.loop import Block, Builder, Gaze, Loop, Matrix, Node, State
from penstock.equations.plan import Plan, Product
from penstock.equations.program import SOURCE, Slot

__all__ = ["Lowered", "Source", "is_elementwise", "lower", "members"]

K = TypeVar("K")
V = TypeVar("V")

EPSILON = 1e-5
"""Added to the variance by ``layernorm``, as ``torch.nn.functional.layer_norm`` does."""

Source = int | Product
"""Where an input of the loop comes from: an operation, or products that were joined."""


@dataclass(frozen=True)
class Lowered:
    """A loop, and what its tensors are in the program.

    Attributes:
        loop: what every token computes.
        tokens: source of each token input.
        sequences: operation, or slot whose first value is meant, of each sequence input; or
            operations whose values lie side by side, of what is read of a source.
        vectors: operation of each vector input.
        products: the joined products of the matrices.
        slots: of the states.
        kept: operation of each output.
        inside: whether each operation is computed in the loop.
    """

    loop: Loop
    tokens: tuple[Source, ...]
    sequences: tuple[int | Slot | tuple[int, ...], ...]
    vectors: tuple[int, ...]
    products: tuple[Product, ...]
    slots: tuple[Slot, ...]
    kept: tuple[int, ...]
    inside: tuple[bool, ...]


def lower(
    plan: Plan,
    sizes: Mapping[str, int],
    kept: Iterable[int],
    *,
    resets: bool = False,
    whole: bool = False,
) -> Lowered:
    """The time loop of a plan.

    Args:
        plan: of a program without random functions (see :mod:`penstock.equations.chance`).
        sizes: every size by name.
        kept: operations whose values of all tokens are wanted, beside what runs after the loop.
        resets: whether states may start anew on the way.
        whole: do everything in the loop but what depends on weights alone (for streaming).
    """
    return _Lowering(plan, sizes, set(kept), resets, whole).run()


def members(source: Source) -> tuple[int, ...]:
    """The operations whose values lie side by side in an input of the loop."""
    return source.members if isinstance(source, Product) else (source,)


def is_elementwise(op: str) -> bool:
    """Whether an operation treats every number of a row alike and alone."""
    if op in FUNCTIONS:
        return FUNCTIONS[op].kind == "elementwise"
    return op in ("add", "sub", "mul", "div", "neg")


class _Lowering:
    """One lowering: ``node`` holds the node of every operation inside."""

    def __init__(
        self,
        plan: Plan,
        sizes: Mapping[str, int],
        kept: Collection[int],
        resets: bool,
        whole: bool,
    ) -> None:
        self.plan, self.sizes, self.resets, self.whole = plan, sizes, resets, whole
        self.operations = plan.program.operations
        self.build = Builder()
        self.node: dict[int, int] = {}
        self.tokens: dict[Source, Block] = {}
        self.sequences: dict[int | Slot | tuple[int, ...], int] = {}
        self.vectors: dict[int, int] = {}
        self.products: dict[Product, Matrix] = {}
        self.attention = find_attention(plan, whole=whole)
        self.gaze: Gaze | None = None
        self.slots = tuple(slot for slot in plan.program.slots if slot.name != "x")
        self.kept = tuple(sorted(index for index in self._kept(kept) if self.inside[index]))

    def run(self) -> Lowered:
        """Build every node that is needed."""
        states = tuple(self._state(slot) for slot in self.slots)
        outputs = tuple((self._fitted(k),) for k in self.kept)
        loop = Loop(
            nodes=tuple(self.build.nodes),
            tokens=tuple(self.tokens.values()),
            sequences=tuple(self.sequences.values()),
            vectors=tuple(self.vectors.values()),
            matrices=tuple(self.products.values()),
            states=states,
            outputs=outputs,
            gaze=self.gaze,
        )
        return Lowered(
            loop.pruned(),
            tuple(self.tokens),
            tuple(self.sequences),
            tuple(self.vectors),
            tuple(self.products),
            self.slots,
            self.kept,
            tuple(self.inside),
        )

    @cached_property
    def inside(self) -> list[bool]:
        """Whether each operation runs in the loop."""
        stages, outside = self.plan.stages, self._fed_to_products_before()
        inside: list[bool] = []
        for index, operation in enumerate(self.operations):
            simple = is_elementwise(operation.op)
            match stages[index]:
                case "once":
                    inside.append(False)
                case "before":
                    is_leaf = operation.op in ("input", "noise")
                    inside.append(not is_leaf and (self.whole or (simple and index not in outside)))
                case "loop":
                    inside.append(True)
                case _:
                    ready = all(inside[a] or stages[a] != "after" for a in operation.args)
                    inside.append(self.whole or (simple and ready))
        return inside

    def value(self, index: int) -> int:
        """The node of an operation's value; made after its operands, however deep they lie."""
        pending = [index]
        while pending:
            last = pending[-1]
            missing = next((o for o in self._operands(last) if o not in self.node), None)
            if missing is not None:
                pending.append(missing)
            elif pending.pop() not in self.node:
                inside = self.inside[last]
                self.node[last] = self._compute(last) if inside else self._from_outside(last)
        return self.node[index]

    def _operands(self, index: int) -> tuple[int, ...]:
        """Operations whose nodes are made first; an attention sees to its own."""
        found = self.attention
        if not self.inside[index] or (found and index in (found.alignment, *found.contexts)):
            return ()
        operation = self.operations[index]
        return (
            (self.plan.product_of[index].operand,) if operation.op == "matmul" else operation.args
        )

    def _kept(self, kept: Collection[int]) -> set[int]:
        read = {
            arg
            for index, operation in enumerate(self.operations)
            if self.plan.stages[index] == "after" and not self.inside[index]
            for arg in operation.args
        }
        return read | set(kept) | ({self.attention.alignment} if self.attention else set())

    def _fed_to_products_before(self) -> set[int]:
        """What a product or reduction before the loop needs."""
        heavy = [
            index
            for index, operation in enumerate(self.operations)
            if self.plan.stages[index] == "before"
            and not is_elementwise(operation.op)
            and operation.op not in ("input", "noise")
        ]
        needed = self.plan.program.ancestors(
            arg for index in heavy for arg in self.operations[index].args
        )
        return set(needed)

    def _from_outside(self, index: int) -> int:
        operation = self.operations[index]
        width = self._width(operation.shape)
        if operation.op == "constant":
            return self.build.constant(operation.value)
        if self.plan.stages[index] != "once":
            return self._token(index)
        if index in self.plan.per_sequence:
            return self._of_sequence(index, width)
        return self.build.leaf("vector", width, source=_place(self.vectors, index, width))

    def _of_sequence(self, source: int | Slot, width: int) -> int:
        return self.build.leaf("sequence", width, source=_place(self.sequences, source, width))

    def _token(self, index: int) -> int:
        width = self._width(self.operations[index].shape)
        source: Source = self.plan.product_of.get(index, index)
        side_by_side = members(source)
        widths = tuple(self._width(self.operations[member].shape) for member in side_by_side)
        return self.build.leaf(
            "token",
            width,
            source=_place(self.tokens, source, widths),
            block=side_by_side.index(index),
        )

    def _compute(self, index: int) -> int:
        operation = self.operations[index]
        if operation.op == "state":
            return self._read(operation.name, operation.delay)
        if self.attention and index in (self.attention.alignment, *self.attention.contexts):
            return self._attend(index, self.attention)
        if operation.op == "matmul":
            return self._multiply(index)
        args = [self.value(arg) for arg in operation.args]
        match operation.op:
            case "sum":
                return self.build.reduce("sum", args[0])
            case "mean":
                return self._mean(args[0])
            case "layernorm":
                return self._layernorm(args[0])
            case "softmax":
                return self._softmax(args[0])
        return self.build.apply(operation.op, *args)

    def _read(self, name: str, delay: int) -> int:
        slot = next(s for s in self.slots if (s.name, s.delay) == (name, delay))
        width = self._width(slot.size)
        carried = self.build.leaf("state", width, source=self.slots.index(slot))
        if not self.resets:
            return carried
        return self.build.select(self._of_sequence(slot, width), carried)

    def _state(self, slot: Slot) -> State:
        """What becomes a slot: the new value, or what the slot before held as this step began."""
        is_new, width = slot.delay == 1, self._width(slot.size)
        index = self.plan.program.indices[slot.name]
        node = self.value(index) if is_new else self._read(slot.name, slot.delay - 1)
        return State(width, self.build.fit(node, width))

    def _multiply(self, index: int) -> int:
        product = self.plan.product_of[index]
        shapes = [self.operations[matrix].shape for matrix in product.matrices]
        rows = tuple(self.sizes[shape[0]] for shape in shapes)
        matrix = Matrix(rows, self.sizes[shapes[0][1]])
        source = _place(self.products, product, matrix)
        operand = self.build.fit(self.value(product.operand), matrix.columns)
        return self.build.matmul(
            (operand,),
            self._width(self.operations[index].shape),
            source=source,
            block=product.members.index(index),
        )

    def _attend(self, index: int, found: Attention) -> int:
        """What is read of the source, or the share of each of its words."""
        widths = [self._width(self.operations[context].shape) for context in found.contexts]
        looked = self._look(found, sum(widths))
        if index == found.alignment:
            return self.build.add(Node("shares", 0, (looked,)))
        if len(widths) == 1:
            return looked
        place = found.contexts.index(index)
        return self.build.add(Node("part", widths[place], (looked,), block=sum(widths[:place])))

    def _look(self, found: Attention, read: int) -> int:
        """All that is read of the source, side by side."""
        width = self.sizes[self.operations[found.keys].shape[0]]
        vector = None if found.vector is None else self.value(found.vector)
        self.gaze = Gaze(
            _place(self.sequences, found.keys, 0),
            _place(self.sequences, found.values, 0),
            -1 if vector is None else self.build.nodes[vector].source,
            width,
            read,
        )
        return self.build.add(
            Node("attend", read, (self.build.fit(self.value(found.query), width),))
        )

    def _mean(self, row: int) -> int:
        share = self.build.constant(1 / self.build.nodes[row].width)
        return self.build.apply("mul", self.build.reduce("sum", row), share)

    def _layernorm(self, row: int) -> int:
        apply = self.build.apply
        centred = apply("sub", row, self._mean(row))
        variance = self._mean(apply("square", centred))
        return apply(
            "div", centred, apply("sqrt", apply("add", variance, self.build.constant(EPSILON)))
        )

    def _softmax(self, row: int) -> int:
        apply = self.build.apply
        shares = apply("exp", apply("sub", row, self.build.reduce("largest", row)))
        return apply("div", shares, self.build.reduce("sum", shares))

    def _fitted(self, index: int) -> int:
        node, shape = self.value(index), self.operations[index].shape
        return node if shape == (SOURCE,) else self.build.fit(node, self._width(shape))

    def _width(self, shape: tuple[str, ...]) -> int:
        return self.sizes[shape[0]] if shape else 1


def _place(known: dict[K, V], key: K, value: V) -> int:
    """Where a key stands among those known, put there if it is new."""
    known.setdefault(key, value)
    return list(known).index(key)
