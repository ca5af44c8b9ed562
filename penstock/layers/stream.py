"""Streaming: one step of a whole stack in compiled code, with weights that are packed once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from penstock.engines import stream
from penstock.layers.direction import Direction
from penstock.layers.state import State, state_type

__all__ = ["Stream", "refusal"]


def refusal(layers: Sequence[Direction]) -> str:
    """Why a stack does not stream in compiled code; empty when it does."""
    for layer in layers:
        if layer.choice.engine.name != "native":
            return f"the engine is {layer.choice.engine.name}"
        if reason := stream.supports(layer.plan):
            return reason
    return ""


class Stream:
    """A stack of one-directional layers with the weights as they were when it was made."""

    def __init__(self, layers: Sequence[Direction]) -> None:
        self._made_of = [
            (layer, layer.flat, layer.flat._version, layer.flat.data_ptr(), layer.training)
            for layer in layers
        ]
        self._layers = [layer.streamed() for layer in layers]
        self._state = state_type(tuple(slot.field for slot in self._layers[0].slots))
        self._widths = list(zip(*(layer.widths for layer in self._layers), strict=True))
        self._input_size, self.dtype = layers[0].sizes["D"], layers[0].flat.dtype

    def is_current(self) -> bool:
        """Whether the layers still have the same weights and mode."""
        for layer, flat, version, address, training in self._made_of:
            same = layer._parameters["flat"] is flat and layer.training == training
            if not same or flat._version != version or flat.data_ptr() != address:
                return False
        return True

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State] | None:
        """x (B, D) to y (B, output size) and the next state; None if a tensor does not fit."""
        if x.ndim != 2 or x.shape[1] != self._input_size or len(state) != len(self._widths):
            return None
        first: list[list[int]] = [[] for _ in self._layers]
        last: list[list[int]] = [[] for _ in self._layers]
        new = []
        for value, widths in zip(state, self._widths, strict=True):
            if not self._fits(value, len(x), widths):
                return None
            out = torch.empty_like(value)
            new.append(out)
            here, there = value.data_ptr(), out.data_ptr()
            stride = len(x) * widths[0] * out.itemsize
            for number in range(len(widths)):
                first[number].append(here + number * stride)
                last[number].append(there + number * stride)
        y = x if x.is_contiguous() else x.contiguous()
        for layer, begin, end in zip(self._layers, first, last, strict=True):
            y = layer.step(y, begin, end)
        return y, self._state(*new)

    def _fits(self, value: object, batch: int, widths: tuple[int, ...]) -> bool:
        return (
            isinstance(value, Tensor)
            and value.shape == (len(widths), batch, widths[0])
            and value.dtype == self.dtype
            and value.is_contiguous()
        )
