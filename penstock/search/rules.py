"""What may not come next: rules that take symbols out of a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

__all__ = ["Forbidden", "Lengths", "Past", "Phrases", "Prefix", "Rule", "concerned", "ruled"]

Phrases = Sequence[Sequence[int]]
"""Runs of symbols, of one sentence."""


class Past(NamedTuple):
    """What there is of every open hypothesis.

    Attributes:
        sentence: (R,), which sentence each beam belongs to.
        group: (R,), which of its sentence's beams it is.
        history: (R, K, t), the symbols so far, where some rule reads them.
        step: t, how many there are.
    """

    sentence: Tensor
    group: Tensor
    history: Tensor
    step: int


class Rule(Protocol):
    """Takes symbols out."""

    def concerns(self, past: Past) -> bool:
        """Whether it can have an effect on this step."""

    def apply(self, log_p: Tensor, given: Tensor, past: Past) -> None:
        """Write -inf into log_p (R, K, V); ``given`` is what the model said."""


def concerned(rules: Sequence[Rule], past: Past) -> list[Rule]:
    """The rules that can have an effect on this step."""
    return [rule for rule in rules if rule.concerns(past)]


def ruled(rules: Sequence[Rule], log_p: Tensor, past: Past) -> Tensor:
    """The log-probabilities (R, K, V) without what some rule forbids; the rest as it was."""
    rules = concerned(rules, past)
    if not rules:
        return log_p
    left = log_p.clone()
    for rule in rules:
        rule.apply(left, log_p, past)
    return left


class Forbidden:
    """Some symbols never come."""

    def __init__(self, ids: Tensor) -> None:
        self.ids = ids

    def concerns(self, past: Past) -> bool:
        return bool(len(self.ids))

    def apply(self, log_p: Tensor, given: Tensor, past: Past) -> None:
        log_p.index_fill_(2, self.ids, -torch.inf)


class Lengths:
    """The end does not come before the least length of each sentence, nothing else at the most."""

    def __init__(self, least: Tensor, most: Tensor, eos_id: int) -> None:
        self.least, self.most, self.eos_id = least, most, eos_id
        self.last_minimum, self.first_maximum = int(least.max()), int(most.min())

    def concerns(self, past: Past) -> bool:
        return past.step < self.last_minimum or past.step >= self.first_maximum

    def apply(self, log_p: Tensor, given: Tensor, past: Past) -> None:
        early = past.step < self.least[past.sentence]
        ends = log_p[:, :, self.eos_id].masked_fill(early[:, None], -torch.inf)
        log_p[past.step >= self.most[past.sentence]] = -torch.inf
        log_p[:, :, self.eos_id] = ends


class Prefix:
    """Each hypothesis begins with the symbols given for its sentence."""

    def __init__(self, prefixes: Sequence[Sequence[int]], device: torch.device) -> None:
        self.lengths = torch.tensor([len(prefix) for prefix in prefixes], device=device)
        rows = [torch.tensor(prefix, dtype=torch.long) for prefix in prefixes]
        self.ids = pad_sequence(rows, batch_first=True).to(device)

    def concerns(self, past: Past) -> bool:
        return past.step < self.ids.shape[1]

    def apply(self, log_p: Tensor, given: Tensor, past: Past) -> None:
        row = (past.step < self.lengths[past.sentence]).nonzero()[:, 0]
        symbol = self.ids[past.sentence[row], past.step]
        kept = given[row, :, symbol]
        log_p[row] = -torch.inf
        log_p[row, :, symbol] = kept
