"""How much each source word has been looked at by each open hypothesis."""

from __future__ import annotations

import torch
from torch import Tensor

from penstock.search.penalty import Score

__all__ = ["Coverage"]


class Coverage:
    """The sum of a hypothesis' attention over its symbols, (R, K, S), and what it costs.

    Args:
        score: knows the penalty.
        source_lengths: (B,), words of each source; all S when None.
        groups: beams of each sentence.
    """

    def __init__(self, score: Score, source_lengths: Tensor | None, groups: int) -> None:
        self._score, self._groups = score, groups
        self._lengths = source_lengths
        self._sum: Tensor | None = None

    def add(self, looked: Tensor) -> None:
        """One more step: (R, K, S)."""
        self._sum = looked if self._sum is None else self._sum + looked

    def penalty(self, beams: Tensor, slot: Tensor) -> Tensor:
        """The term of the score for hypotheses of each beam: beams (R,), slot (R, k) -> (R, k)."""
        looked = self._rows(torch.arange(len(beams), device=beams.device)[:, None], slot)
        words = torch.arange(looked.shape[2], device=beams.device)
        real = torch.ones_like(words, dtype=torch.bool).expand(len(beams), 1, -1)
        if self._lengths is not None:
            lengths = self._lengths.to(beams.device)[beams // self._groups]
            real = words < lengths[:, None, None]
        return self._score.penalty(looked, real.expand_as(looked))

    def select(self, row: Tensor, slot: Tensor) -> None:
        """Go on with other hypotheses: row (R', 1) and slot (R', K) of the present ones."""
        self._sum = self._rows(row, slot)

    def _rows(self, row: Tensor, slot: Tensor) -> Tensor:
        assert self._sum is not None, "add comes first"
        return self._sum[row, slot]
