"""Streaming: one step of a whole stack in compiled code, with weights that are packed once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.engines import stream
from penstock.layers.direction import Direction
from penstock.layers.state import State, state_type

__all__ = ["Packed", "Stream", "refusal"]


def refusal(layers: Sequence[Direction]) -> str:
    """Why a stack does not stream in compiled code; empty when it does."""
    for layer in layers:
        if layer.choice.engine.name != "native":
            return f"the engine is {layer.choice.engine.name}"
        if reason := stream.supports(layer.plan):
            return reason
    return ""


@dataclass(frozen=True)
class _Layer:
    """How one layer takes a step of some batch.

    Attributes:
        step: the compiled step.
        apart: for each state the bytes from the first layer's to this layer's, unless it is first.
        width: of its input.
        out_width: of its output.
        like: a tensor like its output.
    """

    step: Callable[..., None]
    apart: tuple[int, ...]
    width: int
    out_width: int
    like: Tensor


@dataclass(frozen=True)
class _Batch:
    """What fits a batch: the shapes of the input and of every state, and the layers."""

    x: tuple[int, int]
    states: tuple[tuple[int, int, int], ...]
    layers: tuple[_Layer, ...]


class Packed:
    """A stack of one-directional layers with the weights as they were when it was made."""

    def __init__(self, layers: Sequence[Direction], trace: Collection[str] = ()) -> None:
        self._made_of = [
            (layer, layer.flat, layer.flat._version, layer.flat.data_ptr(), layer.training)
            for layer in layers
        ]
        self._layers = [layer.streamed(trace) for layer in layers]
        self._state = state_type(tuple(slot.field for slot in self._layers[0].slots))
        self._dtype = layers[0].flat.dtype

    def is_current(self) -> bool:
        """Whether the layers still have the same weights and mode."""
        for layer, flat, version, address, training in self._made_of:
            same = layer._parameters["flat"] is flat and layer.training == training
            if not same or flat._version != version or flat.data_ptr() != address:
                return False
        return True


class Stream(Packed):
    """Steps of a stack.

    A step takes microseconds: what can be known beforehand is, and a tensor is asked once.
    """

    def __init__(self, layers: Sequence[Direction]) -> None:
        super().__init__(layers)
        self._known = self._batch(1)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State] | None:
        """x (B, D) to y (B, output size) and the next state; None if a tensor does not fit."""
        if not isinstance(state, tuple) or len(state) != len(self._state._fields):
            return None
        x, known, dtype = x.contiguous(), self._known, self._dtype
        if x.shape != known.x and x.ndim:
            known = self._known = self._batch(len(x))
        if x.shape != known.x or x.dtype is not dtype or not x.is_cpu:
            return None
        new, first, last = [], [], []
        for value, shape in zip(state, known.states, strict=True):
            is_known = isinstance(value, Tensor) and value.shape == shape and value.dtype is dtype
            if not (is_known and value.is_contiguous() and value.is_cpu):
                return None
            out = torch.empty_like(value)
            new.append(out)
            first.append(value.data_ptr())
            last.append(out.data_ptr())
        batch = known.x[0]
        for layer in known.layers:
            y = torch.empty_like(layer.like)
            if apart := layer.apart:
                begin, end = _moved(first, apart), _moved(last, apart)
            else:
                begin, end = first, last
            address = x.data_ptr()
            layer.step(batch, address, layer.width, begin, end, y.data_ptr(), layer.out_width)
            x = y
        return x, self._state(*new)

    def _batch(self, batch: int) -> _Batch:
        count = len(self._layers)
        columns = list(zip(*(made.widths for made in self._layers), strict=True))
        layers = []
        for number, made in enumerate(self._layers):
            like = torch.empty(batch, made.output_size, dtype=self._dtype)
            sizes = [batch * widths[0] * like.itemsize for widths in columns]
            apart = tuple(number * size for size in sizes if number)
            layers.append(_Layer(made.stepper.step, apart, made.input_size, made.output_size, like))
        states = tuple((count, batch, widths[0]) for widths in columns)
        return _Batch((batch, self._layers[0].input_size), states, tuple(layers))


def _moved(addresses: list[int], apart: tuple[int, ...]) -> list[int]:
    return [address + offset for address, offset in zip(addresses, apart, strict=True)]
