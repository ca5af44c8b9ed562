"""The table of back-pointers of a search, read out when it is over."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Paths", "Trellis"]


class Paths(NamedTuple):
    """The ways to some finished hypotheses; what lies beyond a hypothesis' length is 0.

    Attributes:
        ids: (n, T + 1).
        log_ps: (n, T + 1), with that of the end after the last symbol.
        attention: (n, T + 1, S) or None.
    """

    ids: Tensor
    log_ps: Tensor
    attention: Tensor | None


class _Step(NamedTuple):
    beams: Tensor  # (R,), ascending
    parent: Tensor  # (R, K), slot of the hypothesis before
    symbol: Tensor  # (R, K)
    log_p: Tensor  # (R, K), of the symbol
    attention: Tensor | None  # (R, slots before, S)


class Trellis:
    """Which hypothesis each came from, and by which symbol; one entry a step."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []

    def add(
        self,
        beams: Tensor,
        parent: Tensor,
        symbol: Tensor,
        log_p: Tensor,
        attention: Tensor | None,
    ) -> None:
        """One more step: beams (R,), ascending; tables (R, K), attention (R, slots before, S)."""
        self._steps.append(_Step(beams, parent, symbol, log_p, attention))

    def read(self, beam: Tensor, step: Tensor, slot: Tensor, log_p: Tensor) -> Paths:
        """The hypotheses that ended in a step, all (n,); they are followed back side by side.

        Args:
            log_p: of the end.
        """
        longest = int(step.max())
        ids = slot.new_zeros(len(step), longest + 1)
        log_ps = log_p.new_zeros(len(step), longest + 1)
        log_ps.scatter_(1, step[:, None], log_p[:, None])
        looked, slot = self._room(len(step), longest), slot.clone()
        for t in range(longest, -1, -1):
            table = self._steps[t]
            on = (step > t).nonzero()[:, 0]
            place = torch.searchsorted(table.beams, beam[on]), slot[on]
            ids[on, t], log_ps[on, t] = table.symbol[place], table.log_p[place]
            slot[on] = table.parent[place]
            if looked is not None and table.attention is not None:
                at = (step >= t).nonzero()[:, 0]
                seen = table.attention[torch.searchsorted(table.beams, beam[at]), slot[at]]
                looked[at, t] = seen
        return Paths(ids, log_ps, looked)

    def _room(self, number: int, longest: int) -> Tensor | None:
        """Room for the attention, if there is one."""
        table = self._steps[0].attention
        return None if table is None else table.new_zeros(number, longest + 1, table.shape[2])
