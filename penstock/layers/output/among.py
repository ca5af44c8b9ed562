"""A softmax among some of its symbols, others for each source: those that a shortlist leaves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.caching import cached_property
from penstock.engines.best import BestListed, takes
from penstock.layers.output.base import largest
from penstock.layers.output.full import Softmax

__all__ = ["Among", "OfRows"]


class Among:
    """The probability of symbols where only some can be, others for each source: 0 of the rest.

    Args:
        output: the softmax over all symbols, with its weights as they are now.
        possible: (L, V) bool, which symbols each source may have, at least one.
    """

    def __init__(self, output: Softmax, possible: Tensor) -> None:
        self.output, self.possible = output, possible

    def of(self, sources: Tensor) -> OfRows:
        """Where row n of h has source ``sources[n]``; those of one stand together: (N,)."""
        return OfRows(self, sources)

    @cached_property
    def best(self) -> BestListed:
        """The native search for the best of them."""
        return BestListed(self.output.matrix, self.output.bias, self.possible)


@dataclass(frozen=True)
class OfRows:
    """What :class:`Among` says of some rows."""

    among: Among
    sources: Tensor

    def log_p(self, h: Tensor) -> Tensor:
        """Log-probabilities of all symbols: h (N, hidden_size) -> (N, V)."""
        possible = self.among.possible[self.sources]
        return self.among.output(h).masked_fill(~possible, -torch.inf).log_softmax(-1)

    def best(self, h: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """The largest of them and their symbols, best first: (N, hidden_size) -> (N, number)."""
        output = self.among.output
        if torch.is_grad_enabled() or not takes(h, output.matrix):
            return largest(self.log_p(h), number)
        number = min(number, output.vocab_size)
        return self.among.best(output.projected(h), self.sources, number)
