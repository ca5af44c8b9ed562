"""Sequences that grow side by side, one symbol a step; what has ended leaves the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from penstock.search.hypothesis import Hypothesis
from penstock.search.model import Selectable, attention_of

__all__ = ["Pick", "Rolled", "roll"]

Pick = Callable[[int, Tensor, Tensor], Tensor]
"""The step, which sequences are open (n,), log-probabilities (n, V) -> their next symbols (n,)."""


class Rolled(NamedTuple):
    """Sequences that have ended.

    Attributes:
        ids: (N, T + 1), the end and what is behind it included.
        log_ps: (N, T + 1) float64, 0 behind the end.
        lengths: (N,), symbols without the end.
        attention: (N, T + 1, S) or None.
    """

    ids: Tensor
    log_ps: Tensor
    lengths: Tensor
    attention: Tensor | None

    def hypotheses(self) -> list[Hypothesis]:
        """Them, each with its log-probability as its score."""
        ids, log_ps, looked = self.ids.tolist(), self.log_ps.tolist(), self.attention
        found = []
        for n, length in enumerate(self.lengths.tolist()):
            own = log_ps[n][: length + 1]
            seen = None if looked is None else looked[n, : length + 1]
            found.append(Hypothesis(ids[n][:length], sum(own), sum(own), own, seen))
        return found


def roll(
    model: Selectable,
    state: object,
    symbols: Tensor,
    pick: Pick,
    *,
    eos_id: int,
    longest: int,
    attention: bool = False,
) -> Rolled:
    """Go on from a state and the symbols after it (N,) until all have ended.

    Args:
        pick: chooses the end in step ``longest`` at the latest.
        attention: whether what was looked at is kept.
    """
    ids = torch.full((len(symbols), longest + 1), eos_id, device=symbols.device)
    log_ps = torch.zeros(ids.shape, dtype=torch.double, device=ids.device)
    looked: list[tuple[Tensor, Tensor]] = []
    here = torch.arange(len(symbols), device=ids.device)
    for step in range(longest + 1):
        log_p, state = model.step(symbols, state)
        symbols = pick(step, here, log_p)
        ids[here, step] = symbols
        log_ps[here, step] = log_p.gather(1, symbols[:, None])[:, 0].double()
        if attention and (seen := attention_of(model, state)) is not None:
            looked.append((here, seen))
        on = (symbols != eos_id).nonzero()[:, 0]
        if len(on) == 0:
            break
        if len(on) < len(here):
            here, symbols, state = here[on], symbols[on], model.select(state, on)
    log_ps = log_ps.masked_fill(log_ps.isnan(), -torch.inf)
    return Rolled(ids, log_ps, (ids != eos_id).sum(1), _together(looked, ids.shape))


def _together(looked: list[tuple[Tensor, Tensor]], shape: torch.Size) -> Tensor | None:
    """What was looked at in each step by those that were open, as one table."""
    if not looked:
        return None
    _, first = looked[0]
    table = first.new_zeros(*shape, first.shape[1])
    for step, (here, seen) in enumerate(looked):
        table[here, step] = seen
    return table
