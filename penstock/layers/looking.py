"""One step of a stack that looks at a source, in compiled code: for search, many rows at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import starmap

import torch
from torch import Tensor

from penstock.engines.stream import Streamed
from penstock.layers.direction import Direction
from penstock.layers.memory import Memory
from penstock.layers.state import State
from penstock.layers.stream import Packed

__all__ = ["LookingStream"]

Traces = list[dict[str, Tensor]]


class LookingStream(Packed):
    """Steps of a stack that looks at a source; what it makes of one is kept with the source.

    Args:
        layers: of one direction.
        trace: names of values to give beside the output.
    """

    def __init__(self, layers: Sequence[Direction], trace: Collection[str]) -> None:
        super().__init__(layers, trace)
        self._trace = tuple(trace)

    def step(self, x: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Traces] | None:
        """x (N, D) to y (N, output size), the next state, and for each layer what is traced.

        None if a tensor does not fit.
        """
        if not self._fits(x, state, memory):
            return None
        if self not in memory.notes:
            memory.notes[self] = [layer.annotated(memory.sources) for layer in self._layers]
        ends: list[list[Tensor]] = []
        traces: Traces = []
        for number, layer in enumerate(self._layers):
            first = [field[number].contiguous() for field in state]
            last = [torch.empty_like(value) for value in first]
            given = _look(layer, x.contiguous(), first, last, memory, memory.notes[self][number])
            x = given[layer.output]
            ends.append(last)
            traces.append({name: given[name] for name in self._trace})
        new = starmap(_join, zip(state, zip(*ends, strict=True), strict=True))
        return x, self._state(*new), traces

    def _fits(self, x: Tensor, state: State, memory: Memory) -> bool:
        if not isinstance(state, tuple) or len(state) != len(self._state._fields):
            return False
        count, batch = len(self._layers), memory.batch
        found = [(x, (batch, self._layers[0].input_size)), (memory.values, memory.values.shape)]
        for number, field in enumerate(state):
            if len(field) != count:
                return False
            widths = [layer.widths[number] for layer in self._layers]
            found += [(value, (batch, width)) for value, width in zip(field, widths, strict=True)]
        return all(
            isinstance(value, Tensor)
            and value.shape == shape
            and value.dtype is self._dtype
            and value.is_cpu
            for value, shape in found
        )


def _look(
    layer: Streamed,
    x: Tensor,
    first: list[Tensor],
    last: list[Tensor],
    memory: Memory,
    annotated: list[Tensor],
) -> dict[str | None, Tensor]:
    """The outputs of a layer by name; ``last`` is filled."""
    widths = [width or memory.steps for width in layer.output_widths]
    outputs = [x.new_empty(len(x), width) for width in widths]
    sources = memory.sources
    layer.stepper.look(
        len(x),
        x.data_ptr(),
        layer.input_size,
        *([tensor.data_ptr() for tensor in group] for group in (first, last, outputs)),
        widths,
        [tensor.data_ptr() for tensor in annotated],
        memory.steps,
        *(0 if t is None else t.data_ptr() for t in (sources.words, memory.rows)),
        torch.get_num_threads(),
    )
    return dict(zip(layer.outputs, outputs, strict=True))


def _join(field: Tensor | tuple[Tensor, ...], layers: tuple[Tensor, ...]) -> object:
    """The new values of a state, held together as the old ones are."""
    return torch.stack(layers) if isinstance(field, Tensor) else layers
