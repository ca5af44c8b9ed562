"""The same small amount from every count: absolute discounting and Kneser-Ney."""

from __future__ import annotations

import numpy as np

from penstock.counting.smoothing.base import Smoothing, Taken, Tally

__all__ = ["AbsoluteDiscounting", "KneserNey", "ModifiedKneserNey"]

FALLBACK = (0.0, 0.5, 1.0, 1.5)
"""Discounts of counts 0, 1, 2 and more where none can be estimated: those of KenLM's option."""


class AbsoluteDiscounting(Smoothing, name="absolute-discounting"):
    """p(w | h) = max(c(hw) - D, 0) / c(h) + ..., with D = n1 / (n1 + 2 n2) for each order.

    Ney, Essen & Kneser 1994; Chen & Goodman 1998, section 2.6.
    """

    def take(self, tally: Tally) -> Taken:
        _, once, twice = tally.having(2)
        if not once:
            self.fall_back(tally, "no n-gram occurs once", "a discount of 0.5")
        discount = once / (once + 2 * twice) if once else 0.5
        if discount == 1:  # nothing occurs twice: whole counts would be lost
            self.fall_back(tally, "no n-gram occurs twice", "a discount of 0.5")
            discount = 0.5
        return Taken(np.minimum(tally.count, discount))


class KneserNey(AbsoluteDiscounting, name="kneser-ney"):
    """Absolute discounting in which a shorter n-gram counts once for every word before it.

    Kneser & Ney 1995; Chen & Goodman 1998, section 2.7.
    """

    continuation = True


class ModifiedKneserNey(Smoothing, name="modified-kneser-ney"):
    """Kneser-Ney with discounts D1, D2 and D3 for counts of 1, of 2, and of 3 or more.

    With Y = n1 / (n1 + 2 n2), D_r = r - (r + 1) Y n_{r+1} / n_r (Chen & Goodman 1998,
    equation 26).  Where a count of counts is 0, or a D_r is not between 0 and r, the discounts of
    that order are 0.5, 1 and 1.5, with a warning.
    """

    continuation = True

    def take(self, tally: Tally) -> Taken:
        n = tally.having(4)
        table = np.array(FALLBACK)
        if missing := [str(r) for r in (1, 2, 3, 4) if not n[r]]:
            self.fall_back(tally, f"no n-gram occurs {' or '.join(missing)} times", _INSTEAD)
        else:
            y = n[1] / (n[1] + 2 * n[2])
            found = np.array([0, *(r - (r + 1) * y * n[r + 1] / n[r] for r in (1, 2, 3))])
            if (found < 0).any() or (found > np.arange(4)).any():
                got = ", ".join(f"{d:.3g}" for d in found[1:])
                self.fall_back(tally, f"the discounts would be {got}", _INSTEAD)
            else:
                table = found
        return Taken(table[np.minimum(tally.count, 3).astype(np.int64)])


_INSTEAD = f"discounts of {FALLBACK[1]}, {FALLBACK[2]} and {FALLBACK[3]}"
