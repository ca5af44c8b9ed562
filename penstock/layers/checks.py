"""What a recurrent layer is given, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from penstock.errors import ConfigError, ShapeError

__all__ = ["check_lengths", "check_type", "positive", "sizes_of_layers"]


def check_type(name: str, given: Tensor, dtype: torch.dtype) -> None:
    """A tensor has the weights' type, or autocast sees to it."""
    if given.dtype != dtype and not torch.is_autocast_enabled(given.device.type):
        raise ShapeError(
            f"Recurrent: expected {name} of the weights' type {dtype}, got {given.dtype}. "
            f"Convert {name.removeprefix('a ')} or the layer with .to(...)."
        )


def check_lengths(lengths: Tensor, steps: int, batch: int) -> None:
    """Lengths are ``batch`` whole numbers, none more than ``steps``."""
    is_whole = isinstance(lengths, Tensor) and lengths.dtype in (torch.int64, torch.int32)
    if not is_whole or lengths.shape != (batch,) or ((lengths < 0) | (lengths > steps)).any():
        raise ShapeError(
            f"Recurrent: expected lengths as a tensor of {batch} whole numbers from 0 to {steps}, "
            f"got {lengths}."
        )


def positive(name: str, value: object) -> int:
    """A whole number of at least 1, of Python or NumPy."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ConfigError(f"Recurrent: expected {name} >= 1, got {name}={value!r}.")
    return int(value)


def sizes_of_layers(hidden_size: int | Sequence[int], num_layers: int) -> list[int]:
    """H of each layer, from one for all or one for each."""
    positive("num_layers", num_layers)
    if isinstance(hidden_size, Sequence) and not isinstance(hidden_size, str):
        sizes = list(hidden_size)
    else:
        sizes = [hidden_size] * num_layers
    if len(sizes) != num_layers:
        raise ConfigError(
            f"Recurrent: expected one hidden_size or {num_layers}, got hidden_size={sizes}."
        )
    return [positive("hidden_size", size) for size in sizes]
