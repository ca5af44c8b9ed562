"""Witten-Bell: how often something new has come is how often it will."""

from __future__ import annotations

import numpy as np

from penstock.counting.smoothing.base import Smoothing, Taken, Tally

__all__ = ["WittenBell"]


class WittenBell(Smoothing, name="witten-bell"):
    """p(w | h) = (c(hw) + N(h) p(w | shorter h)) / (c(h) + N(h)), N(h) the distinct words after h.

    Witten & Bell 1991, method C; Chen & Goodman 1998, section 2.5.
    """

    def take(self, tally: Tally) -> Taken:
        return Taken(np.zeros(len(tally.count)), tally.per_context(tally.count > 0))
