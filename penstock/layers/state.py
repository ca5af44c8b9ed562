"""The state of a stack of layers: a named tuple of the cell's states."""

from __future__ import annotations

from collections import namedtuple
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from penstock.errors import ShapeError
from penstock.layers.checks import check_type

__all__ = ["State", "detached", "join", "select", "split", "state_type"]

State = Any
"""A named tuple; each field (layers x directions, B, size), or a tuple of (B, size)
tensors where the layers differ in size."""


@lru_cache(maxsize=256)
def state_type(fields: tuple[str, ...]) -> Any:
    """The named tuple with these fields."""
    return namedtuple("State", fields)


def join(states: list[dict[str, Tensor]], kind: Any) -> State:
    """The states of all layers and directions as one named tuple of a type."""
    columns = {name: [state[name] for state in states] for name in kind._fields}
    return kind(
        **{
            name: torch.stack(column)
            if all(tensor.shape[1:] == column[0].shape[1:] for tensor in column)
            else tuple(column)
            for name, column in columns.items()
        }
    )


def split(state: State, firsts: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """A given state, by layer and direction; ``firsts`` tells the expected shapes and type.

    Raises:
        ShapeError: a field is missing or has another shape or type.
    """
    fields = tuple(firsts[0])
    if isinstance(state, Tensor) and len(fields) == 1:
        state = (state,)
    if not isinstance(state, tuple | list) or len(state) != len(fields):
        number = len(state) if isinstance(state, tuple | list) else type(state).__name__
        raise ShapeError(
            f"Recurrent: expected a state of {len(fields)} tensors ({', '.join(fields)}), "
            f"got {number}."
        )
    given = dict(zip(fields, state, strict=True))
    for name in fields:
        expected = [tuple(first[name].shape) for first in firsts]
        got = [tuple(part.shape) for part in given[name] if isinstance(part, Tensor)]
        if expected != got:
            raise ShapeError(
                f"Recurrent: expected state.{name} of shape {_shape(expected)}, got {_shape(got)}."
            )
        for part in given[name]:
            check_type(f"state.{name}", part, firsts[0][name].dtype)
    return [{name: given[name][layer] for name in fields} for layer in range(len(firsts))]


def detached(state: State) -> State:
    """The same state without its history."""
    fields = [
        tuple(part.detach() for part in value) if isinstance(value, tuple) else value.detach()
        for value in state
    ]
    return state_type(state._fields)(*fields)


def select(state: State, rows: Tensor) -> State:
    """The state of other rows: rows (N,) index those of a batch, in any order and number."""
    fields = [
        tuple(part.index_select(0, rows) for part in value)
        if isinstance(value, tuple)
        else value.index_select(1, rows)
        for value in state
    ]
    return type(state)(*fields)


def _shape(shapes: list[tuple[int, ...]]) -> str:
    same = len(set(shapes)) == 1
    return str((len(shapes), *shapes[0])) if same else str(shapes)
