"""The best continuations of a beam: the largest of (hypotheses x symbols) sums."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Continuations", "best", "best_listed"]

BLOCK = 64
"""Symbols whose maximum stands for them in the first round."""


class Continuations(NamedTuple):
    """Some continuations of each beam, best first.

    Attributes:
        total: (R, k), log-probability of the hypothesis and the symbol.
        slot: (R, k), which hypothesis of the beam is continued.
        symbol: (R, k), by what.
    """

    total: Tensor
    slot: Tensor
    symbol: Tensor


def best(total: Tensor, log_p: Tensor, number: int) -> Continuations:
    """The ``number`` largest of total + log_p, all of them when there are fewer.

    The largest lie in the blocks whose maxima are the largest, so that only these are looked
    through: exact, and many times faster than one look through everything.  NaN counts as -inf.

    Shapes:
        total (R, K), log_p (R, K, V) -> each (R, number)
    """
    found = _best(total, log_p, number)
    if found.total.isnan().any():  # NaN sorts first, so that none goes unseen
        return _best(_without_nan(total), _without_nan(log_p), number)
    return found


def best_listed(
    total: Tensor, log_p: Tensor, symbol: Tensor, number: int
) -> tuple[Continuations, Tensor]:
    """The same where the best symbols of each hypothesis are listed, and their log-probabilities.

    Shapes:
        total (R, K), log_p and symbol (R, K, n) -> each (R, number)
    """
    sums = _without_nan(total[:, :, None] + log_p).flatten(1)
    found = sums.topk(min(number, sums.shape[1]), 1)
    slot, chosen = found.indices // log_p.shape[2], symbol.flatten(1).gather(1, found.indices)
    return Continuations(found.values, slot, chosen), log_p.flatten(1).gather(1, found.indices)


def _best(total: Tensor, log_p: Tensor, number: int) -> Continuations:
    vocab_size = log_p.shape[2]
    blocks = vocab_size // BLOCK
    if number >= blocks:
        found = (total[:, :, None] + log_p).flatten(1).topk(min(number, log_p[0].numel()), 1)
        return _of(found.values, found.indices, vocab_size)
    cut = blocks * BLOCK
    whole = log_p[:, :, :cut].unflatten(2, (blocks, BLOCK))
    maxima = (total[:, :, None] + whole.amax(3)).flatten(1)
    block = maxima.topk(number, 1).indices  # (R, number)
    slot, block = block // blocks, block % blocks
    row = torch.arange(len(total), device=total.device)[:, None]
    inside = total.gather(1, slot)[:, :, None] + whole[row, slot, block]
    left = total[:, :, None] + log_p[:, :, cut:]
    found = torch.cat([inside.flatten(1), left.flatten(1)], 1).topk(number, 1)
    first = slot * vocab_size + block * BLOCK
    places = [_runs(first, BLOCK), _runs(_starts(total, vocab_size, cut), vocab_size - cut)]
    return _of(found.values, torch.cat(places, 1).gather(1, found.indices), vocab_size)


def _of(total: Tensor, place: Tensor, vocab_size: int) -> Continuations:
    return Continuations(total, place // vocab_size, place % vocab_size)


def _runs(first: Tensor, length: int) -> Tensor:
    """The places from each first one on: (R, n) -> (R, n * length)."""
    return (first[:, :, None] + torch.arange(length, device=first.device)).flatten(1)


def _starts(total: Tensor, vocab_size: int, cut: int) -> Tensor:
    """Where each hypothesis' symbols from ``cut`` on begin, for every beam: (R, K)."""
    slots = torch.arange(total.shape[1], device=total.device)
    return (slots * vocab_size + cut).expand_as(total)


def _without_nan(values: Tensor) -> Tensor:
    return values.masked_fill(values.isnan(), -torch.inf)
