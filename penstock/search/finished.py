"""The finished hypotheses of each beam, and when a beam need not go on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from penstock.registry import Registry

__all__ = ["STOPS", "Finished", "Stop"]

Stop = Callable[[Tensor, int, Tensor, Tensor], Tensor]
"""Scores found, best first (R, K), how many are wanted, the best score of the open hypotheses as
they are (R,), and that they may still reach (R,) -> whether the beam is done (R,)."""

STOPS: Registry[Stop] = Registry("Beam", "stop")
STOPS.add("first", lambda found, wanted, ahead, bound: found[:, wanted - 1] >= ahead)
"""As soon as the wanted are finished and no open hypothesis is ahead of them."""
STOPS.add("full", lambda found, wanted, ahead, bound: found[:, -1].isfinite())
"""As soon as as many are finished as the beam holds."""
STOPS.add("bound", lambda found, wanted, ahead, bound: found[:, wanted - 1] >= bound)
"""As soon as no open hypothesis can be among the wanted (Huang, Zhao & Ma 2017)."""
STOPS.add("never", lambda found, wanted, ahead, bound: torch.zeros_like(bound, dtype=torch.bool))
"""Not before every hypothesis has ended."""


class Finished:
    """The best finished hypotheses of each beam, as places in the table of back-pointers.

    Attributes:
        score: (beams, K), best first, -inf where there are fewer.
        step: (beams, K), the step in which it ended.
        slot: (beams, K), the hypothesis that ended, by its slot before that step.
        log_p: (beams, K), of the end.
    """

    def __init__(self, beams: int, size: int, like: Tensor) -> None:
        self.score = like.new_full((beams, size), -torch.inf)
        self.log_p = torch.zeros_like(self.score)
        self.step = torch.zeros_like(self.score, dtype=torch.long)
        self.slot = torch.zeros_like(self.step)

    def add(self, beams: Tensor, score: Tensor, step: int, slot: Tensor, log_p: Tensor) -> None:
        """Merge what has ended: score (R, k), -inf for what has not; beams (R,)."""
        both = torch.cat([self.score[beams], score], 1)
        best, at = both.topk(self.score.shape[1], 1)
        self.score[beams] = best
        for table, new in (
            (self.log_p, log_p),
            (self.step, torch.full_like(slot, step)),
            (self.slot, slot),
        ):
            table[beams] = torch.cat([table[beams], new], 1).gather(1, at)
