"""Katz: small counts are discounted as Good and Turing estimate, large ones are trusted."""

from __future__ import annotations

import numpy as np

from penstock.counting.smoothing.base import Smoothing, Taken, Tally
from penstock.counting.vocabulary import Array
from penstock.errors import ConfigError

__all__ = ["Katz"]


class Katz(Smoothing, name="katz"):
    """Backoff in which a count r <= k becomes d_r r.

    d_r = (r* / r - A) / (1 - A), with r* = (r + 1) n_{r+1} / n_r and A = (k + 1) n_{k+1} / n_1
    (Katz 1987; Chen & Goodman 1998, section 2.4).  Where some d_r is below 0 or above
    1, the largest smaller k that works is taken, or an absolute discount, with a warning.  A
    context whose counts are all above k would leave nothing for unseen words; as in SRILM, 1 is
    added to its total.

    Args:
        k: largest count that is discounted, 1 at least.
    """

    styles = ("backed-off",)

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise ConfigError(f"katz: expected k of 1 at least, got {k=}.")
        self.k = k

    def take(self, tally: Tally) -> Taken:
        n = tally.having(min(self.k, len(tally.count)) + 1).astype(float)
        for k in range(_run(n) - 1, 0, -1):
            ratios = _ratios(n, k)
            if ratios is None:
                continue
            if k < self.k:
                reason = f"Good-Turing fails for k={self.k}"
                self.fall_back(tally, reason, f"counts up to {k} are discounted")
            ratios = np.append(ratios, 1.0)
            kept = ratios[np.minimum(tally.count, k + 1).astype(np.int64)]
            return _with_something_left(tally, tally.count * (1 - kept))
        self.fall_back(tally, "Good-Turing fails for every k", "a discount of 0.5")
        return Taken(np.minimum(tally.count, 0.5))


def _with_something_left(tally: Tally, discount: Array) -> Taken:
    return Taken(discount, np.where(tally.per_context(discount) > 0, 0.0, 1.0))


def _run(n: Array) -> int:
    """The largest r up to which n_1 ... n_r are all above 0: no estimate needs more."""
    return int(np.argmin(np.append(n[1:] > 0, False)))


def _ratios(n: Array, k: int) -> Array | None:
    """d_0 = 1, d_1 ... d_k, if they can be had."""
    r = np.arange(1, k + 1)
    share = (k + 1) * n[k + 1] / n[1]
    if share >= 1:
        return None
    d = ((r + 1) * n[r + 1] / (n[r] * r) - share) / (1 - share)
    return np.append(1.0, d) if ((d >= 0) & (d <= 1)).all() else None
