"""Rules on phrases: none of some may come, none may come twice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from penstock.search.rules import Past, Phrases

__all__ = ["MustNot", "NoRepeat"]


class NoRepeat:
    """No n symbols come twice in a hypothesis (Paulus, Xiong & Socher 2018)."""

    def __init__(self, n: int) -> None:
        self.n = n

    def concerns(self, past: Past) -> bool:
        return past.step >= self.n

    def apply(self, log_p: Tensor, given: Tensor, past: Past) -> None:
        seen = past.history.unfold(2, self.n, 1)  # (R, K, t - n + 1, n)
        last = past.history[:, :, past.step - self.n + 1 :]
        again = (seen[..., :-1] == last[:, :, None]).all(-1)
        row, slot, place = again.nonzero(as_tuple=True)
        log_p[row, slot, seen[row, slot, place, -1]] = -torch.inf


class MustNot:
    """None of the phrases of a sentence comes.

    Args:
        phrases: of each sentence; none of them empty.
    """

    def __init__(self, phrases: Sequence[Phrases], device: torch.device) -> None:
        flat = [(s, phrase) for s, several in enumerate(phrases) for phrase in several]
        self.by_length = []
        for length in sorted({len(phrase) for _, phrase in flat}):
            chosen = [(sentence, phrase) for sentence, phrase in flat if len(phrase) == length]
            sentences = torch.tensor([sentence for sentence, _ in chosen], device=device)
            ids = torch.tensor([list(phrase) for _, phrase in chosen], device=device)
            self.by_length.append((sentences, ids))

    def concerns(self, past: Past) -> bool:
        return bool(self.by_length)

    def apply(self, log_p: Tensor, given: Tensor, past: Past) -> None:
        for sentences, ids in self.by_length:
            before = ids.shape[1] - 1
            if before > past.step:
                continue
            row, phrase = (past.sentence[:, None] == sentences).nonzero(as_tuple=True)
            last = past.history[row, :, past.step - before :]  # (pairs, K, before)
            pair, slot = (last == ids[phrase, None, :-1]).all(-1).nonzero(as_tuple=True)
            log_p[row[pair], slot, ids[phrase[pair], -1]] = -torch.inf
