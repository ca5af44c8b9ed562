"""What a search answers with."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["Hypothesis"]


@dataclass(frozen=True)
class Hypothesis:
    """A sequence of symbols that a model was asked for, or asked about.

    Attributes:
        ids: the symbols, without the one that begins and the one that ends it.
        log_p: log-probability of all symbols and the end, in nats.
        score: what it is ranked by: ``log_p`` with the penalties of the search.
        log_ps: of each symbol, and last of the end: their sum is ``log_p``.
        attention: (symbols and end, S), how much each source word was looked at; None unless
            asked for.
    """

    ids: list[int]
    log_p: float
    score: float
    log_ps: list[float]
    attention: Tensor | None = field(default=None, compare=False, repr=False)
