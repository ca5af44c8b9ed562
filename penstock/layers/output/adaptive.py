"""The adaptive softmax: few symbols in full, the rare ones in clusters of less width."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from torch import Tensor, nn

from penstock.errors import ConfigError
from penstock.layers.output.base import Output, by_frequency

__all__ = ["AdaptiveSoftmax"]

DIVISOR = 4
"""Each cluster is so many times narrower than the one before."""


def cutoffs(vocab_size: int) -> list[int]:
    """Where the head and the first cluster end: about 6 sqrt(V) and V / 4 symbols.

    Word frequencies being Zipf's, head and clusters then cost about the same.

    >>> cutoffs(10_000), cutoffs(200_000), cutoffs(2)
    ([600, 2500], [2683, 50000], [1])
    """
    head = min(round(6 * math.sqrt(vocab_size)), vocab_size // 8)
    return sorted({max(1, head), max(1, vocab_size // 4)} & set(range(vocab_size)))


class Places(NamedTuple):
    """The place of each symbol in order of frequency, (V,)."""

    places: Tensor


class AdaptiveSoftmax(Output):
    """PyTorch's ``AdaptiveLogSoftmaxWithLoss`` over symbols in order of frequency.

    Grave, Joulin, Cisse, Grangier & Jegou 2017.

    Args:
        hidden_size, vocab_size, projection, counts: see :class:`Output`.

    Raises:
        ConfigError: h is too narrow to be divided, or there is nothing to divide.
    """

    counted = True

    def __init__(self, hidden_size: int, vocab_size: int, **options: Any) -> None:
        super().__init__(hidden_size, vocab_size, **options)
        cuts = cutoffs(vocab_size)
        least = DIVISOR ** len(cuts)
        if not cuts or self.width < least:
            raise ConfigError(
                f"AdaptiveSoftmax: expected vocab_size >= 2 and a width of at least {least}, got "
                f"vocab_size={vocab_size} and {self.width}. Use another output."
            )
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(
            self.width, vocab_size, cuts, div_value=DIVISOR, head_bias=True
        )

    def arrange(self) -> Places:
        """The symbols in order of frequency."""
        return Places(by_frequency(self.counts)[1])

    def log_p(self, h: Tensor) -> Tensor:
        """See :meth:`Output.log_p`."""
        log_p = self.softmax.log_prob(self.projected(h).flatten(0, -2))
        return log_p[:, self.arrangement.places].view(*h.shape[:-1], -1)

    def losses(self, h: Tensor, targets: Tensor) -> Tensor:
        """See :meth:`Output.losses`."""
        rows = (targets >= 0).nonzero()[:, 0]
        losses = h.new_zeros(len(h))
        if not len(rows):
            return losses
        found = self.softmax(self.projected(h)[rows], self.arrangement.places[targets[rows]])
        return losses.index_add(0, rows, -found.output)
