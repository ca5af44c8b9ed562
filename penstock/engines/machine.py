"""Loops on the native machine: tensors in, tensors out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from penstock._native import Machine, instruction_sets
from penstock.caching import cached_property
from penstock.engines.assemble import assemble
from penstock.engines.instructions import TILE
from penstock.engines.precision import FIXED, FULL, HALVES, PRECISIONS, is_strict
from penstock.equations.adjoint import Adjoint, adjoint
from penstock.equations.loop import Block, Loop

__all__ = ["ISA", "TYPES", "Compiled", "Order", "Panels", "compiled"]

ISA = instruction_sets()[0]
TYPES = (torch.float32, torch.float64)
_CODES = {**PRECISIONS, HALVES: len(PRECISIONS), FIXED: len(PRECISIONS) + 1}
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
        words: (B,) words of each source that is looked at, or None: all are as long.
    """

    steps: int
    batch: int
    reverse: bool = False
    offsets: Tensor | None = None
    rows: Tensor | None = None
    resets: Tensor | None = None
    words: Tensor | None = None

    @property
    def count(self) -> int:
        """N, the number of tokens."""
        return self.steps * self.batch if self.rows is None else self.rows.shape[0]

    @property
    def parts(self) -> tuple[int | Tensor | None, ...]:
        """All of it, as the operators of :mod:`penstock.engines.operator` take it."""
        numbers = self.steps, self.batch, self.reverse
        return *numbers, self.offsets, self.rows, self.resets, self.words


@dataclass(frozen=True)
class Panels:
    """Packed matrices, and the number of their precision."""

    tensors: tuple[Tensor, ...]
    precision: int


class Compiled:
    """A loop assembled for this processor."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.assembly = assemble(loop)
        self.panels = self.assembly.panels
        self.machine = Machine(ISA, *self.assembly.arguments)
        self.token_widths = [
            _width(widths, place in loop.tiled_tokens) for place, widths in enumerate(loop.tokens)
        ]
        self.output_widths = [
            _width(loop.widths(output), place in loop.tiled_outputs)
            for place, output in enumerate(loop.outputs)
        ]
        self.sum_widths = [loop.nodes[index].width for index in loop.sums]

    @cached_property
    def adjoint(self) -> Adjoint:
        """The way back."""
        return adjoint(self.loop)

    @cached_property
    def way_back(self) -> Compiled:
        """The loop of the way back."""
        return Compiled(self.adjoint.backward)

    @cached_property
    def training(self) -> Compiled:
        """The same loop, with what the way back needs among its outputs."""
        return Compiled(self.adjoint.forward)

    def way(self, precision: str, dtype: torch.dtype, rows: int = 1) -> str:
        """How products of so many rows are made: ``FIXED`` for float32 where that is faster."""
        is_single = precision == FULL and dtype == torch.float32 and not is_strict()
        return FIXED if is_single and self.machine.prefers_fixed(rows) else precision

    def pack(self, matrices: Sequence[Tensor], precision: str = FULL) -> Panels:
        """Copy matrices (sum of rows, columns) to the order in which the machine reads them.

        For int8 and bfloat16 their numbers are rounded already, and in float32.  What whole numbers
        do not stand for stays float32.
        """
        if precision == HALVES:
            matrices = [matrix.bfloat16() for matrix in matrices]
        packed, is_exact = self._pack(matrices, precision)
        return packed if is_exact else self._pack(matrices, FULL)[0]

    def _pack(self, matrices: Sequence[Tensor], precision: str) -> tuple[Panels, bool]:
        """The panels, and whether they stand for the matrices' own numbers."""
        packed, code, is_exact = [], _CODES[precision], True
        for number, panel in enumerate(self.panels):
            matrix, shape = matrices[panel.source].contiguous(), self.loop.matrices[panel.source]
            address, size = matrix.data_ptr(), matrix.element_size()
            strides = (1, shape.columns) if shape.transposed else (shape.columns, 1)
            starts = [sum(shape.rows[:block]) * shape.columns * size for block in panel.blocks]
            members = [address + start for start in starts]
            if code:
                out = torch.empty(self.machine.words(number, code), dtype=torch.int32)
            else:
                out = matrix.new_empty(self.machine.panel_size(number))
            packed.append(out)
            if precision == FIXED:
                is_exact &= self.machine.pack_fixed(number, members, *strides, out.data_ptr())
            elif precision == HALVES:
                self.machine.pack_halves(number, members, *strides, out.data_ptr())
            elif code:
                self.machine.reduce(number, code, members, *strides, out.data_ptr())
            else:
                is_double = matrix.dtype == torch.float64
                self.machine.pack(number, members, *strides, out.data_ptr(), is_double)
        return Panels(tuple(packed), code), is_exact

    def run(
        self,
        tokens: Sequence[Tensor],
        sequences: Sequence[Tensor],
        vectors: Sequence[Tensor],
        packed: Panels,
        first: Sequence[Tensor],
        order: Order,
        like: Tensor,
        of_source: Sequence[Tensor] = (),
    ) -> Tensors:
        """Outputs (N, width), last states (B, width) and sums (width,) of all tokens.

        On the way back, gradients are added to ``of_source``: of keys, values and vector.
        """
        tokens, sequences, vectors, first = (
            [tensor.contiguous() for tensor in group]
            for group in (tokens, sequences, vectors, first)
        )
        source = self.source_steps(sequences)
        outputs = [like.new_empty(order.count, width or source) for width in self.output_widths]
        last = [torch.empty_like(state) for state in first]
        sums = [like.new_empty(width) for width in self.sum_widths]
        self.machine.run(
            order.steps,
            order.batch,
            order.reverse,
            *(0 if t is None else t.data_ptr() for t in (order.offsets, order.rows, order.resets)),
            source,
            0 if order.words is None else order.words.data_ptr(),
            *(_addresses(of_source) or (0, 0, 0)),
            _addresses(tokens),
            [width or source for width in self.token_widths],
            _addresses(sequences),
            _addresses(vectors),
            _addresses(packed.tensors),
            _addresses(first),
            _addresses(last),
            _addresses(outputs),
            [width or source for width in self.output_widths],
            _addresses(sums),
            packed.precision,
            like.dtype == torch.float64,
            torch.get_num_threads(),
        )
        return [*outputs, *last, *sums]

    def source_steps(self, sequences: Sequence[Tensor]) -> int:
        """S, words of the longest source; 0 where none is looked at."""
        gaze = self.loop.gaze
        return sequences[gaze.keys].shape[1] if gaze else 0


@lru_cache(maxsize=512)
def compiled(program: str) -> Compiled:
    """The loop that a text describes, ready to run."""
    return Compiled(Loop.from_text(program))


def _width(widths: Block, is_tiled: bool) -> int:
    """Numbers of a token in a tensor; the machine's own order has whole tiles."""
    return -(-sum(widths) // TILE) * TILE if is_tiled else sum(widths)


def _addresses(tensors: Sequence[Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]
