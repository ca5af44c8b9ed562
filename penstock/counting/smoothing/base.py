"""What a smoothing method says: how much each n-gram gives up to those never seen."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from penstock.counting.vocabulary import Array
from penstock.errors import PenstockWarning
from penstock.registry import Registry

__all__ = ["SMOOTHINGS", "EstimationWarning", "Smoothing", "Taken", "Tally"]

SMOOTHINGS: Registry[type[Smoothing]] = Registry("n-gram model", "smoothing")


class EstimationWarning(PenstockWarning):
    """A method could not do what it is named after, and something else was done instead."""


@dataclass(frozen=True)
class Tally:
    """The counts of one order, as a method sees them.

    Attributes:
        count: (n,) of each n-gram, float64; 0 for a word of the vocabulary that does not occur.
        prefix: (n,) the context of each.
        contexts: how many contexts there are (1 for order 1).
        order: of the n-grams.
        vocab_size: words that can be predicted (V).
    """

    count: Array
    prefix: Array
    contexts: int
    order: int
    vocab_size: int

    def per_context(self, values: Array) -> Array:
        """Sum of (n,) over the n-grams of each context: (contexts,)."""
        return np.bincount(self.prefix, values, minlength=self.contexts).astype(float)

    def having(self, most: int) -> Array:
        """How many n-grams occur r times (n_r), for r from 0 to ``most``: (most + 1,)."""
        return np.bincount(self.count[self.count <= most].astype(np.int64), minlength=most + 1)


class Taken(NamedTuple):
    """What a method takes away: p(w | h) = (c(hw) - discount) / (c(h) + extra) for a seen hw.

    Attributes:
        discount: (n,) between 0 and the count.
        extra: (contexts,) pseudo-counts of unseen n-grams, or one number for all.
    """

    discount: Array
    extra: Array | float = 0.0


class Smoothing(ABC):
    """A way to share out probability between n-grams seen and unseen.

    Attributes:
        name: in the registry.
        continuation: whether a shorter n-gram counts once for every word seen before it, instead
            of once for every occurrence (Kneser & Ney 1995).
        styles: "interpolated" mixes the shorter model into every probability; "backed-off" asks it
            for unseen n-grams only.  The first is the default.
        shorter: whether unseen n-grams are shared out by the model of one order less; otherwise
            uniformly.
        backoff: a weight that does not depend on the context, in place of what is left.
    """

    name: ClassVar[str]
    continuation: ClassVar[bool] = False
    styles: ClassVar[tuple[str, ...]] = ("interpolated", "backed-off")
    shorter: ClassVar[bool] = True
    backoff: ClassVar[float | None] = None

    def __init_subclass__(cls, *, name: str = "") -> None:
        if name:
            cls.name = name
            SMOOTHINGS.add(name, cls)

    @abstractmethod
    def take(self, tally: Tally) -> Taken:
        """What is taken from the n-grams of one order."""

    def fall_back(self, tally: Tally, reason: str, instead: str) -> None:
        """Say that this order is smoothed in another way."""
        warnings.warn(
            f"{self.name}: order {tally.order}: {reason}; {instead} instead.",
            EstimationWarning,
            stacklevel=2,
        )
