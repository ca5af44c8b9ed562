"""Truncated backpropagation through time over parallel streams of text.

Lecture 003 draws it: forward k1 steps at a time, back k2 steps, then an update;
what lies further back is taken as fixed.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from penstock.errors import ConfigError
from penstock.layers.state import State, detached, state_type

__all__ = ["Streams", "TruncatedBPTT"]


class Streams(Protocol):
    """Parallel streams of text: columns that are read side by side."""

    steps: int
    batch: int

    def __call__(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of some steps, each (stop - start, B)."""


@dataclass
class _Carried:
    """A state without history, and the step before which it is the state."""

    step: int
    state: State


class TruncatedBPTT:
    """Losses of successive windows, each with the right part of its history.

    An update covers k1 new steps, up to step e.  States before step e - k2 are fixed:

    - k2 = k1: the window is the new steps; the state before it is carried over.
    - k2 > k1: the last k2 - k1 old steps are run again with the present weights, without
      their losses, so that gradients reach k2 steps back.
    - k2 < k1: the first k1 - k2 new steps count in the loss, but their gradient stops at the
      output layer.

    With a ``spread``, updates end where chance decides, so that gradients are not cut at the same
    places of the text in every epoch (Merity et al. 2018, section 5, vary the length too); each
    then goes k2 - k1 steps further back than its first new step.

    Args:
        model: gives hidden states and losses (a :class:`~penstock.models.language.LanguageModel`).
        streams: the text.
        k1: new steps of an update, >= 1.
        k2: steps that gradients go back, >= 1.
        spread: standard deviation of the end of an update, in steps; it moves by less than k1 / 2.
    """

    def __init__(
        self, model: Any, streams: Streams, k1: int, k2: int, *, spread: float = 0.0
    ) -> None:
        if k1 < 1 or k2 < 1:
            raise ConfigError(f"truncated BPTT: expected k1 and k2 >= 1, got k1={k1}, k2={k2}.")
        self.model, self.streams, self.k1, self.k2, self.spread = model, streams, k1, k2, spread
        self.updates = -(-streams.steps // k1)
        self.begin()

    def begin(self) -> None:
        """Go back to the first step of the text and the first state; draw where updates end."""
        self._carried = _Carried(0, None)
        ends = torch.arange(self.updates + 1) * self.k1
        if self.spread:
            most = (self.k1 - 1) // 2
            moved = (torch.randn(self.updates - 1) * self.spread).round().clamp(-most, most)
            ends[1:-1] += moved.long()
            ends[1:-1].clamp_(max=self.streams.steps - 1)
        self._ends = ends.clamp(max=self.streams.steps).tolist()

    def loss(self, update: int) -> tuple[Tensor, int]:
        """Mean loss of the new steps of an update in nats per token, and how many tokens."""
        begin, end = self._span(update)
        after = self._span(min(update + 1, self.updates - 1))
        at, state = self._carried.step, self._carried.state
        fixed = max(at, end - self._back(begin, end))
        keep = min(end, max(fixed, after[1] - self._back(*after)))
        hidden = []
        for stop in (fixed, keep, end):
            if at < stop:
                inputs, _ = self.streams(at, stop)
                with torch.no_grad() if stop <= fixed else nullcontext():
                    outputs, state = self.model(inputs, state)
                hidden.append(outputs)
                at = stop
            if at == keep and state is not None:
                self._carried = _Carried(keep, detached(state))
        _, targets = self.streams(begin, end)
        tokens = targets.numel()
        return self.model.loss(torch.cat(hidden)[begin - end :], targets) / tokens, tokens

    def carry(self) -> dict[str, Tensor]:
        """The carried state as named tensors."""
        state = self._carried.state
        tensors = {"step": torch.tensor(self._carried.step)}
        for name, value in () if state is None else state._asdict().items():
            parts = value if isinstance(value, tuple) else (value,)
            tensors |= {f"{name}.{index}": part for index, part in enumerate(parts)}
        return tensors

    def restore(self, carry: dict[str, Tensor]) -> None:
        """Go on from what :meth:`carry` gave."""
        fields: dict[str, list[Tensor]] = {}
        for name, tensor in carry.items():
            if name != "step":
                fields.setdefault(name.rpartition(".")[0], []).append(tensor)
        values = [parts[0] if len(parts) == 1 else tuple(parts) for parts in fields.values()]
        state = state_type(tuple(fields))(*values) if fields else None
        self._carried = _Carried(int(carry["step"]), state)

    def _span(self, update: int) -> tuple[int, int]:
        return self._ends[update], self._ends[update + 1]

    def _back(self, begin: int, end: int) -> int:
        """Steps that gradients of an update go back."""
        return max(1, self.k2 + end - begin - self.k1) if self.spread else self.k2
