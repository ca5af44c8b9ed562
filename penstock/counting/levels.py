"""The n-grams of one order in a model: sorted arrays, and a table that finds one of them."""

from __future__ import annotations

import numpy as np

from penstock.counting.table import Table, pair
from penstock.counting.vocabulary import Array

__all__ = ["Level"]


class Level:
    """The n-grams of one order, sorted by prefix, then word.

    Attributes:
        prefix: (n,) uint32, place of the first words in the level of one order less.
        word: (n,) uint32, id of the last word.
        log_p: (n,) float32, log10 p(word | prefix).
        backoff: (n,) float32, log10 of the weight with which this n-gram, as a context, asks the
            next shorter one; all 0 in the highest order.
        table: finds the place of a prefix and a word.
    """

    def __init__(
        self, prefix: Array, word: Array, log_p: Array, backoff: Array, table: Table | None = None
    ) -> None:
        self.prefix, self.word, self.log_p, self.backoff = prefix, word, log_p, backoff
        self._table = table

    def __len__(self) -> int:
        return len(self.word)

    @property
    def table(self) -> Table:
        if self._table is None:
            self._table = Table.of(pair(self.prefix, self.word), self.log_p)
        return self._table

    def find(self, prefix: Array, word: Array) -> Array:
        """Places of n-grams, -1 where there is none: (n,), (n,) -> (n,) int32."""
        found: Array = self.entries(prefix, word)["place"]
        return found

    def entries(self, prefix: Array, word: Array) -> Array:
        """Places and log10 p of n-grams: (n,), (n,) -> (n,) of ``ENTRY``."""
        return self.table.find(pair(prefix, word))

    def weighted(self, backoff: Array) -> Level:
        """The same n-grams with other weights as contexts."""
        return Level(self.prefix, self.word, self.log_p, backoff, self._table)

    def after(self, context: int) -> slice:
        """Where the n-grams that begin with a context are."""
        first, last = np.searchsorted(self.prefix, np.array([context, context + 1], np.uint32))
        return slice(int(first), int(last))
