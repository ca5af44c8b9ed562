"""Streaming: one step of a whole stack in compiled code, with weights that are packed once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from penstock.engines import stream
from penstock.engines.modes import is_plain, is_recorded
from penstock.engines.storage import Snapshot
from penstock.errors import ShapeError
from penstock.layers.direction import Direction
from penstock.layers.state import State, state_type

__all__ = ["Packed", "Steps", "Stream", "refusal"]

Shape = tuple[int, ...]
Places = tuple[list[Any], list[list[int]], list[list[int]]]
"""The states to come, and for each layer where its states begin in memory, now and then."""
TakeApart = Callable[[Sequence[Any]], Places | None]
"""State -> its places; None if something does not fit."""


def refusal(layers: Sequence[Direction], dropout: float = 0.0) -> str:
    """Why a stack does not stream in compiled code; empty when it does.

    Args:
        dropout: between its layers, in the present mode.
    """
    if dropout and len(layers) > 1:
        return "dropout between layers draws masks"
    for layer in layers:
        if layer.choice.engine.name != "native":
            return f"the engine is {layer.choice.engine.name}"
        if "flat" not in layer._parameters:
            return "its weights are made of others"
        if is_recorded(layer.flat):
            return "operations are recorded, or have no numbers"
        if layer.flat.is_inference():
            return "weights made in inference mode tell of no change"
        if reason := stream.supports(layer.plan):
            return reason
    return ""


@dataclass(frozen=True)
class _Layer:
    """How one layer takes a step of some batch.

    Attributes:
        step: the compiled step.
        width: of its input.
        out_width: of its output.
        like: a tensor like its output.
    """

    step: Callable[..., None]
    width: int
    out_width: int
    like: Tensor


@dataclass(frozen=True)
class _Batch:
    """What fits a batch.

    Attributes:
        x: shape of the input.
        places: takes a state apart.
        layers: how each takes a step.
    """

    x: Shape
    places: TakeApart
    layers: tuple[_Layer, ...]

    def step(self, x: Tensor, first: list[list[int]], last: list[list[int]]) -> Tensor:
        """The output for x; each layer's states are read and written at these addresses."""
        x, batch = x.contiguous(), self.x[0]
        for layer, begin, end in zip(self.layers, first, last, strict=True):
            y = torch.empty_like(layer.like)
            address = x.data_ptr()
            layer.step(batch, address, layer.width, begin, end, y.data_ptr(), layer.out_width)
            x = y
        return x


class Packed:
    """A stack of one-directional layers with the weights as they were when it was made."""

    def __init__(self, layers: Sequence[Direction], trace: Collection[str] = ()) -> None:
        self._snapshot = Snapshot(*(layer.flat for layer in layers))
        self._made_of = [(layer, layer.training) for layer in layers]
        self._layers = [layer.streamed(trace) for layer in layers]
        self._state = state_type(tuple(slot.field for slot in self._layers[0].slots))
        self._dtype = layers[0].flat.dtype

    def is_current(self) -> bool:
        """Whether the layers still have the same weights and mode."""
        flats = []
        for layer, training in self._made_of:
            if layer.training is not training:
                return False
            flats.append(layer._parameters.get("flat"))
        return self._snapshot.is_of(*flats)

    def _batch(self, batch: int) -> _Batch:
        layers = []
        for made in self._layers:
            like = torch.empty(batch, made.output_size, dtype=self._dtype)
            layers.append(_Layer(made.stepper.step, made.input_size, made.output_size, like))
        widths = [made.widths for made in self._layers]
        alike = all(own == widths[0] for own in widths)
        places = (_together if alike else _apart)(batch, widths, self._dtype)
        return _Batch((batch, self._layers[0].input_size), places, tuple(layers))


class Stream(Packed):
    """A sequence that is read one token after another, with the weights of now.

    Every token changes the states where they lie, which leaves little to do but the step itself.
    There is no gradient. Made by :meth:`penstock.layers.recurrent.Recurrent.stream`.

    Attributes:
        state: the states after the last token; clone what is to outlive the next one.

    Shapes:
        x (B, D) -> y (B, output size).

    Raises:
        ShapeError: x has another shape, or is of another type than the weights.
    """

    def __init__(self, layers: Sequence[Direction], batch: int, start: State) -> None:
        super().__init__(layers)
        self._known = self._batch(batch)
        places = self._known.places(start)
        assert places is not None  # as the layers themselves give it
        new, _, self._at = places
        self.state = self._state(*new)
        for own, value in zip(self.state, start, strict=True):
            for one, other in zip(own, value, strict=True):
                one.copy_(other)

    def __call__(self, x: Tensor) -> Tensor:
        """The output for the next token of every row."""
        shape = self._known.x
        if x.shape != shape or x.dtype is not self._dtype or not x.is_cpu or is_recorded(x):
            raise ShapeError(
                f"Stream: expected x of shape {shape} and type {self._dtype} on the CPU, got "
                f"{tuple(x.shape)}, {x.dtype}, {x.device}."
            )
        return self._known.step(x, self._at, self._at)


class Steps(Packed):
    """Steps of a stack.

    A step takes microseconds: what can be known beforehand is, and a tensor is asked once.
    """

    def __init__(self, layers: Sequence[Direction]) -> None:
        super().__init__(layers)
        self._known = self._batch(1)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State] | None:
        """x (B, D) to y (B, output size) and the next state.

        None where compiled code cannot: a tensor does not fit, the weights have changed, or there
        is more to a tensor than its numbers.
        """
        if not is_plain(x) or not self.is_current():
            return None
        known = self._known
        if x.shape != known.x:
            known = self._known = self._batch(len(x) if x.ndim else 0)
        if x.shape != known.x or x.dtype is not self._dtype or not x.is_cpu:
            return None
        if not isinstance(state, tuple) or len(state) != len(self._state._fields):
            return None
        if (places := known.places(state)) is None:
            return None
        new, first, last = places
        return known.step(x, first, last), self._state(*new)


def _together(batch: int, widths: list[Shape], dtype: torch.dtype) -> TakeApart:
    """For states of which each is one tensor of all layers, (layers, B, size)."""
    shapes = [(len(widths), batch, width) for width in widths[0]]
    sizes = [batch * width * dtype.itemsize for width in widths[0]]
    above = range(1, len(widths))

    def places(state: Sequence[Any]) -> Places | None:
        new, first, last = [], [], []
        for value, shape in zip(state, shapes):  # noqa: B905  # as many; each look costs
            if not isinstance(value, Tensor) or value.shape != shape or value.dtype is not dtype:
                return None
            if not value.is_contiguous() or not value.is_cpu:
                return None
            out = torch.empty_like(value)
            new.append(out)
            first.append(value.data_ptr())
            last.append(out.data_ptr())
        firsts, lasts = [first], [last]
        for layer in above:
            firsts.append([at + layer * size for at, size in zip(first, sizes, strict=True)])
            lasts.append([at + layer * size for at, size in zip(last, sizes, strict=True)])
        return new, firsts, lasts

    return places


def _apart(batch: int, widths: list[Shape], dtype: torch.dtype) -> TakeApart:
    """For states with a tensor for each layer, (B, size), wherever layers differ in that size."""
    shapes: list[list[Shape]] = [
        [(batch, width) for width in column] for column in zip(*widths, strict=True)
    ]

    def fits(values: Any, own: list[Shape]) -> bool:
        return (
            isinstance(values, tuple | Tensor)
            and [getattr(value, "shape", None) for value in values] == own
            and all(value.dtype is dtype and value.is_contiguous() for value in values)
            and all(value.is_cpu for value in values)
        )

    def places(state: Sequence[Any]) -> Places | None:
        if not all(map(fits, state, shapes)):
            return None
        new = [
            torch.empty_like(values)
            if isinstance(values, Tensor)
            else tuple(map(torch.empty_like, values))
            for values in state
        ]
        return new, _addresses(state), _addresses(new)

    return places


def _addresses(state: Sequence[Any]) -> list[list[int]]:
    """For each layer those of its states."""
    return [[value.data_ptr() for value in layer] for layer in zip(*state, strict=True)]
