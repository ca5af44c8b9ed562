"""Loops on the native machine, as a PyTorch operator with a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from penstock._native import Machine, instruction_sets
from penstock.engines.assemble import assemble
from penstock.equations.adjoint import Adjoint, adjoint
from penstock.equations.loop import Loop

__all__ = ["TYPES", "Compiled", "Order", "compiled", "run_loop"]

ISA = instruction_sets()[0]
TYPES = (torch.float32, torch.float64)
Tensors = list[Tensor]


@dataclass(frozen=True)
class Order:
    """Which tokens there are, and in which order a run takes them.

    Attributes:
        steps: T.
        batch: B.
        reverse: from the last step to the first.
        offsets: (T + 1,) the first token of each step, or None if every row has one.
        rows: (N,) the row of each token, or None.
        resets: (N,) whether the state starts anew before a token, or None.
    """

    steps: int
    batch: int
    reverse: bool = False
    offsets: Tensor | None = None
    rows: Tensor | None = None
    resets: Tensor | None = None

    @property
    def count(self) -> int:
        """N, the number of tokens."""
        return self.steps * self.batch if self.rows is None else self.rows.shape[0]


class Compiled:
    """A loop assembled for this processor."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        assembly = assemble(loop)
        self.panels = assembly.panels
        self.machine = Machine(ISA, *assembly.arguments)
        self.token_widths = [sum(widths) for widths in loop.tokens]
        self.output_widths = [sum(loop.widths(output)) for output in loop.outputs]
        self.sum_widths = [loop.nodes[index].width for index in loop.sums]

    @cached_property
    def adjoint(self) -> Adjoint:
        """The way back."""
        return adjoint(self.loop)

    @cached_property
    def training(self) -> Compiled:
        """The same loop, with what the way back needs among its outputs."""
        return Compiled(self.adjoint.forward)

    def pack(self, matrices: Sequence[Tensor]) -> Tensors:
        """Copy matrices (sum of rows, columns) to the order in which the machine reads them."""
        packed = []
        for number, panel in enumerate(self.panels):
            matrix, shape = matrices[panel.source].contiguous(), self.loop.matrices[panel.source]
            out = matrix.new_empty(self.machine.panel_size(number))
            address, size = matrix.data_ptr(), matrix.element_size()
            strides = (1, shape.columns) if shape.transposed else (shape.columns, 1)
            starts = [sum(shape.rows[:block]) * shape.columns * size for block in panel.blocks]
            is_double = matrix.dtype == torch.float64
            self.machine.pack(
                number, [address + s for s in starts], *strides, out.data_ptr(), is_double
            )
            packed.append(out)
        return packed

    def run(
        self,
        tokens: Sequence[Tensor],
        sequences: Sequence[Tensor],
        vectors: Sequence[Tensor],
        packed: Sequence[Tensor],
        first: Sequence[Tensor],
        order: Order,
        like: Tensor,
    ) -> Tensors:
        """Outputs (N, width), last states (B, width) and sums (width,) of all tokens."""
        tokens, sequences, vectors, first = (
            [tensor.contiguous() for tensor in group]
            for group in (tokens, sequences, vectors, first)
        )
        outputs = [like.new_empty(order.count, width) for width in self.output_widths]
        last = [torch.empty_like(state) for state in first]
        sums = [like.new_empty(width) for width in self.sum_widths]
        self.machine.run(
            order.steps,
            order.batch,
            order.reverse,
            *(0 if t is None else t.data_ptr() for t in (order.offsets, order.rows, order.resets)),
            _addresses(tokens),
            self.token_widths,
            _addresses(sequences),
            _addresses(vectors),
            _addresses(packed),
            _addresses(first),
            _addresses(last),
            _addresses(outputs),
            self.output_widths,
            _addresses(sums),
            like.dtype == torch.float64,
            torch.get_num_threads(),
        )
        return [*outputs, *last, *sums]


@lru_cache(maxsize=512)
def compiled(program: str) -> Compiled:
    """The loop that a text describes, ready to run."""
    return Compiled(Loop.from_text(program))


def _addresses(tensors: Sequence[Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


@torch.library.custom_op("penstock::loop", mutates_args=())
def run_loop(
    program: str,
    tokens: Sequence[Tensor],
    sequences: Sequence[Tensor],
    vectors: Sequence[Tensor],
    matrices: Sequence[Tensor],
    first: Sequence[Tensor],
    like: Tensor,
    offsets: Tensor | None,
    rows: Tensor | None,
    resets: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
    training: bool,
) -> list[Tensor]:
    """Run a loop over a sequence.

    Args:
        program: the loop as text.
        tokens: each (N, sum of widths).
        sequences: each (B, width).
        vectors: each (width,).
        matrices: each (sum of rows, columns).
        first: each (B, width).
        like: any tensor of the numbers' type.
        offsets, rows, resets, steps, batch, reverse: see :class:`Order`.
        training: whether the outputs end with what the way back needs.

    Returns:
        Outputs, last states, sums: see :meth:`Compiled.run`.
    """
    order = Order(steps, batch, reverse, offsets, rows, resets)
    made = compiled(program).training if training else compiled(program)
    return made.run(tokens, sequences, vectors, made.pack(matrices), first, order, like)


@run_loop.register_fake
def _(
    program: str,
    tokens: Sequence[Tensor],
    sequences: Sequence[Tensor],
    vectors: Sequence[Tensor],
    matrices: Sequence[Tensor],
    first: Sequence[Tensor],
    like: Tensor,
    offsets: Tensor | None,
    rows: Tensor | None,
    resets: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
    training: bool,
) -> list[Tensor]:
    made = compiled(program).training if training else compiled(program)
    count = steps * batch if rows is None else rows.shape[0]
    outputs = [like.new_empty(count, width) for width in made.output_widths]
    sums = [like.new_empty(width) for width in made.sum_widths]
    return [*outputs, *(torch.empty_like(state) for state in first), *sums]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    program, tokens, sequences, vectors, matrices, first, like, *_ = inputs
    ctx.program, ctx.sizes = program, (len(tokens), len(sequences), len(vectors), len(matrices))
    ctx.steps, ctx.batch, ctx.reverse = inputs[10:13]
    ways = compiled(program).adjoint
    read = {place for kind, place in ways.inputs if kind == "input"}
    kept = [token if place in read else like for place, token in enumerate(tokens)]
    ctx.save_for_backward(
        like,
        *inputs[7:10],
        *kept,
        *sequences,
        *vectors,
        *matrices,
        *first,
        *output[: len(ways.forward.outputs)],
    )


def _backward(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    like, offsets, rows, resets, *rest = ctx.saved_tensors
    parts = []
    for size in ctx.sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    tokens, sequences, vectors, matrices = parts
    loop, ways = compiled(ctx.program).loop, compiled(ctx.program).adjoint
    first, outputs = rest[: len(loop.states)], rest[len(loop.states) :]
    order = Order(ctx.steps, ctx.batch, ctx.reverse, offsets, rows, resets)

    def gradient(place: int, shape_of: Tensor) -> Tensor:
        found = gradients[place]
        return torch.zeros_like(shape_of) if found is None else found

    given = {"input": tokens, "output": outputs}
    read = [
        gradient(place, outputs[place]) if kind == "gradient" else given[kind][place]
        for kind, place in ways.inputs
    ]
    ends = [gradient(len(outputs) + place, state) for place, state in enumerate(first)]
    ends += [torch.zeros_like(sequences[source]) for source in ways.carried]
    made = run_loop(
        _text(ways.backward),
        read,
        [*sequences, *first],
        vectors,
        matrices,
        ends,
        like,
        offsets,
        rows,
        resets,
        ctx.steps,
        ctx.batch,
        not ctx.reverse,
        False,
    )
    back, states, sums = _split(made, len(ways.backward.outputs), len(ends))
    matrix_gradients = [
        _matrix_gradient(ways, source, back, outputs, first, order)
        for source in range(len(matrices))
    ]
    of_sequence = dict(zip(ways.carried, states[len(first) :], strict=True))
    of_vector = dict(zip(ways.summed, sums, strict=True))
    return (
        None,
        [back[place] for place in ways.token_outputs],
        [of_sequence.get(source) for source in range(len(sequences))],
        [of_vector.get(source) for source in range(len(vectors))],
        matrix_gradients,
        states[: len(first)],
        *[None] * 8,
    )


run_loop.register_autograd(_backward, setup_context=_setup)


@lru_cache(maxsize=512)
def _text(loop: Loop) -> str:
    return loop.to_text()


def _split(tensors: Tensors, outputs: int, states: int) -> tuple[Tensors, Tensors, Tensors]:
    return tensors[:outputs], tensors[outputs : outputs + states], tensors[outputs + states :]


def _matrix_gradient(
    ways: Adjoint, source: int, back: Tensors, outputs: Tensors, first: Tensors, order: Order
) -> Tensor:
    """One large product of all tokens: gradients of the results, and the operands."""
    place, block = ways.product_outputs[source]
    widths = ways.backward.widths(ways.backward.outputs[place])
    columns = sum(widths[:block])
    dz = back[place][:, columns : columns + sum(ways.forward.matrices[source].rows)]
    tap = ways.taps[source]
    operand = outputs[tap.output]
    if tap.kind == "output":
        return dz.T @ operand
    if order.rows is not None:
        known = torch.cat([operand, first[tap.first]])
        return dz.T @ known[_previous(order, order.rows)]
    edge = min(order.batch, order.count)
    rest, start = order.count - edge, first[tap.first][:edge]
    if order.reverse:
        return torch.addmm(dz[rest:].T @ start, dz[:rest].T, operand[edge:])
    return torch.addmm(dz[:edge].T @ start, dz[edge:].T, operand[:rest])


def _previous(order: Order, rows: Tensor) -> Tensor:
    """The token before each, (N,); N + b for the first of row b."""
    count = rows.shape[0]
    places = torch.arange(count)
    by_row = torch.argsort(rows.flip(0) if order.reverse else rows, stable=True)
    by_row = count - 1 - by_row if order.reverse else by_row
    sorted_rows = rows[by_row]
    before = torch.cat([places[:1] - 1, by_row[:-1]])
    starts = torch.cat([rows.new_tensor([-1]), sorted_rows[:-1]]) != sorted_rows
    previous = torch.empty_like(by_row)
    previous[by_row] = torch.where(starts, count + sorted_rows, before)
    return previous
