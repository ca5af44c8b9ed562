"""What search asks of a model: a first state, steps from symbol to symbol, a choice of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

__all__ = ["Best", "NextSymbol", "Selectable", "attention_of", "best_of", "device_of"]


Best = Callable[[Tensor, Any, int], tuple[Tensor, Tensor, Any]]
"""Symbols (N,), state, n -> log-probabilities (N, n) and symbols (N, n), best first, and state."""


class NextSymbol(Protocol):
    """A model that gives the probability of the next symbol."""

    def start(self, batch: int) -> Any:
        """The state before any symbol, one row for each sentence."""

    def step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Symbols (N,) -> log-probabilities of the next (N, V), and the state."""


class Selectable(NextSymbol, Protocol):
    """One whose state can be taken apart: what beams and batches need.

    A model that reads a source may also have ``attention(state)``: how much each source word was
    looked at in the step that gave this state, (N, S), S the same in all steps, 0 at padding; None
    when it does not look.
    One that finds the best symbols faster than all probabilities has ``best``, a :data:`Best`.
    One that is no ``nn.Module`` and takes its symbols elsewhere than on the CPU has a ``device``.
    """

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state of other rows: rows (M,) index the present N; any may come twice or never."""


def attention_of(model: NextSymbol, state: Any) -> Tensor | None:
    """How much each source word was looked at in the last step, (N, S), if the model tells."""
    attention = getattr(model, "attention", None)
    return None if attention is None else attention(state)


def best_of(model: NextSymbol) -> Best | None:
    """How a model finds the best symbols, if it has a way of its own."""
    return getattr(model, "best", None)


def device_of(model: NextSymbol) -> torch.device:
    """Where a model takes its symbols: its ``device``, or that of its first weight."""
    if (device := getattr(model, "device", None)) is not None:
        return torch.device(device)
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return torch.device("cpu") if first is None else first.device
