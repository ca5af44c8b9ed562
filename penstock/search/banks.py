"""Beams whose hypotheses must contain some phrases.

A hypothesis is measured by how many symbols of its phrases it has.  Hypotheses with as many compete
with each other, and the beam holds the best of every such bank by turns, so that those which spend
probability on a phrase are not driven out by those which put it off (Post & Vilar 2018; Hu et al.
2019).  A symbol is refused when the phrases still missing would not fit side by side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.search.continuations import Continuations, best
from penstock.search.rules import Past, Phrases

__all__ = ["Banks"]

NONE = -1
"""Stands where a table of phrases is wider than a phrase."""


class Banks:
    """Chooses continuations that get every phrase of their sentence in.

    Args:
        phrases: of each sentence, none of them empty or with the end in it.
        most: (B,), most symbols of each sentence.
        number: of continuations chosen.
        eos_id: the end, which comes when no phrase is missing.
    """

    def __init__(self, phrases: Sequence[Phrases], most: Tensor, number: int, eos_id: int) -> None:
        self.most, self.number, self.eos_id = most, number, eos_id
        distinct = [list(dict.fromkeys(map(tuple, several))) for several in phrases]
        longest = max(len(phrase) for several in distinct for phrase in several)
        padded = [[_pad(phrase, longest) for phrase in several] for several in distinct]
        count = max(map(len, padded))
        padded = [several + [[NONE] * longest] * (count - len(several)) for several in padded]
        symbols = [sorted(set(itertools.chain(*several))) for several in distinct]
        widest = max(map(len, symbols))
        self.table = torch.tensor(padded, device=most.device)  # (B, P, L)
        self.wanted = torch.tensor([_pad(s, widest) for s in symbols], device=most.device)  # (B, U)
        self.lengths = (self.table != NONE).sum(2)  # (B, P)

    def __call__(self, total: Tensor, log_p: Tensor, past: Past) -> Continuations:
        """See :data:`~penstock.search.choice.Choose`."""
        missing = ~_contained(past.history, self.table[past.sentence])  # (R, K, P)
        needed = (missing * self.lengths[past.sentence][:, None]).sum(2)  # (R, K)
        found, met = self._others(total, log_p, past, needed)
        more, more_met = self._wanted(total, log_p, past, missing, needed)
        tables = [torch.cat(pair, 1) for pair in zip(found, more, strict=True)]
        at = _by_turns(tables[0], torch.cat([met, more_met], 1))[:, : self.number]
        return Continuations(*(table.gather(1, at) for table in tables))

    def _others(
        self, total: Tensor, log_p: Tensor, past: Past, needed: Tensor
    ) -> tuple[Continuations, Tensor]:
        """The best by symbols of no phrase, and how little they leave missing: (R, number)."""
        wanted = self.wanted[past.sentence]
        row, at = (wanted != NONE).nonzero(as_tuple=True)
        log_p = log_p.clone()
        log_p[row, :, wanted[row, at]] = -torch.inf
        ends = log_p[:, :, self.eos_id].masked_fill(needed > 0, -torch.inf)
        log_p.masked_fill_((needed > self._room(past))[:, :, None], -torch.inf)
        log_p[:, :, self.eos_id] = ends
        found = best(total, log_p, self.number)
        return found, needed.gather(1, found.slot)

    def _wanted(
        self, total: Tensor, log_p: Tensor, past: Past, missing: Tensor, needed: Tensor
    ) -> tuple[Continuations, Tensor]:
        """All continuations by symbols of phrases, and what they leave missing: (R, K U)."""
        wanted, lengths = self.wanted[past.sentence], self.lengths[past.sentence]
        reached = _reached(past.history, self.table[past.sentence], wanted)  # (R, K, P, U)
        reached = reached * missing[..., None]
        whole = reached == lengths[:, None, :, None]
        done = (reached * whole).sum(2)
        left = needed[..., None] - done - (reached * ~whole).amax(2)  # (R, K, U)
        possible = (wanted != NONE)[:, None] & (left <= self._room(past)[..., None])
        symbol = wanted.clamp(min=0)[:, None].expand_as(left)
        sums = (total[:, :, None] + log_p.gather(2, symbol)).masked_fill(~possible, -torch.inf)
        sums = sums.masked_fill(sums.isnan(), -torch.inf)
        slot = torch.arange(left.shape[1], device=left.device)[:, None].expand_as(left)
        return Continuations(sums.flatten(1), slot.flatten(1), symbol.flatten(1)), left.flatten(1)

    def _room(self, past: Past) -> Tensor:
        """Symbols that may still come after this one: (R, 1)."""
        return (self.most[past.sentence] - past.step - 1)[:, None]


def _contained(history: Tensor, table: Tensor) -> Tensor:
    """Which phrases have come: history (R, K, t), table (R, P, L) -> (R, K, P)."""
    longest = table.shape[2]
    windows = F.pad(history, (0, longest), value=NONE - 1).unfold(2, longest, 1)
    table = table[:, None, None]  # (R, 1, 1, P, L)
    return ((windows[:, :, :, None] == table) | (table == NONE)).all(-1).any(2)


def _reached(history: Tensor, table: Tensor, wanted: Tensor) -> Tensor:
    """How far into each phrase a symbol leads: wanted (R, U) -> (R, K, P, U)."""
    reached = torch.zeros(
        *history.shape[:2], table.shape[1], wanted.shape[1], dtype=torch.long, device=table.device
    )
    for before in range(min(history.shape[2], table.shape[2] - 1) + 1):
        last = history[:, :, None, history.shape[2] - before :]
        so_far = (last == table[:, None, :, :before]).all(-1)  # (R, K, P)
        follows = table[:, :, before, None] == wanted[:, None]  # (R, P, U)
        hit = so_far[..., None] & follows[:, None] & (wanted != NONE)[:, None, None]
        reached = torch.where(hit, before + 1, reached)
    return reached


def _by_turns(total: Tensor, left: Tensor) -> Tensor:
    """The best of every bank, of the fullest first, then the second best of each: (R, n)."""
    order = total.argsort(dim=1, descending=True, stable=True)
    bank, at = left.gather(1, order).sort(dim=1, stable=True)
    order = order.gather(1, at)
    place = torch.arange(total.shape[1], device=total.device) - torch.searchsorted(bank, bank)
    turn = place.masked_fill(total.gather(1, order) == -torch.inf, total.shape[1])
    return order.gather(1, turn.argsort(dim=1, stable=True))


def _pad(ids: Sequence[int], length: int) -> list[int]:
    return [*ids, *[NONE] * (length - len(ids))]
