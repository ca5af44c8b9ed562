"""Counts as they are: maximum likelihood, add-delta, stupid backoff."""

from __future__ import annotations

import numpy as np

from penstock.counting.smoothing.base import Smoothing, Taken, Tally
from penstock.errors import ConfigError

__all__ = ["AddDelta", "MaximumLikelihood", "StupidBackoff"]


class MaximumLikelihood(Smoothing, name="maximum-likelihood"):
    """p(w | h) = c(hw) / c(h): nothing is left for what was not seen.

    Lecture 002, equations 2 and 3.  After a context never seen, the shorter context is asked
    ("this is called backoff", section 1.2).
    """

    styles = ("backed-off",)

    def take(self, tally: Tally) -> Taken:
        return Taken(np.zeros(len(tally.count)))


class AddDelta(Smoothing, name="add-delta"):
    """p(w | h) = (c(hw) + delta) / (c(h) + delta V), whatever the shorter model says.

    Lecture 002, section 1.2; Chen & Goodman 1998, section 2.1; delta = 1 is Laplace's.

    Args:
        delta: added to every count, above 0.
    """

    styles = ("interpolated",)
    shorter = False

    def __init__(self, delta: float = 1.0) -> None:
        if not 0 < delta < np.inf:
            raise ConfigError(f"add-delta: expected delta above 0, got {delta=}.")
        self.delta = delta

    def take(self, tally: Tally) -> Taken:
        return Taken(np.zeros(len(tally.count)), self.delta * tally.vocab_size)


class StupidBackoff(Smoothing, name="stupid-backoff"):
    """S(w | h) = c(hw) / c(h) if seen, else 0.4 S(w | shorter h): scores, not probabilities.

    Brants et al. 2007, equation 5; but after an h that was never seen S of the shorter one counts
    as it is, since backoff weights, and files of them, are for what was seen.
    """

    styles = ("backed-off",)
    backoff = 0.4

    def take(self, tally: Tally) -> Taken:
        return Taken(np.zeros(len(tally.count)))
