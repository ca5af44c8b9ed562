"""Whether two translations of a text differ by more than chance: approximate randomisation.

Noreen 1989; Riezler & Maxwell 2005, who find that it errs less often than the bootstrap.
"""

from __future__ import annotations

import numpy as np

from penstock.errors import ConfigError, ShapeError
from penstock.metrics.translation import Metric

__all__ = ["p_value"]

_CELLS = 1 << 22
_EXACT = 1e-9


def p_value(
    metric: Metric, one: np.ndarray, other: np.ndarray, *, trials: int = 10_000, seed: int = 1
) -> float:
    """How often a difference as large comes about when coins say which system made which line.

        p = (number of trials with |difference| >= |true difference| + 1) / (trials + 1)

    sacreBLEU's test of the same name counts only trials that go beyond the true difference, so
    that one line of difference, or none, is significant to it; the trials that equal it count here.

    Args:
        metric: whose statistics these are.
        one: (lines, n), of the first system.
        other: (lines, n), of the second.
        trials: how often the coins are thrown, >= 100.
        seed: of the coins.

    Raises:
        ShapeError: the systems do not have the same lines.
        ConfigError: the trials are too few.
    """
    if one.shape != other.shape:
        raise ShapeError(f"p_value: expected the same lines, got {one.shape} and {other.shape}.")
    if trials < 100:
        raise ConfigError(f"p_value: expected trials >= 100, got {trials=}.")
    whole, rest = one.sum(0), other.sum(0)
    least = abs(metric.value(whole) - metric.value(rest)) - _EXACT
    swapped = (other - one)[(one != other).any(1)]
    if not len(swapped):
        return 1.0
    generator, often = np.random.default_rng(seed), 0
    step = max(1, _CELLS // len(swapped))
    for start in range(0, trials, step):
        coins = generator.integers(2, size=(min(step, trials - start), len(swapped)))
        for change in coins.astype(np.float64) @ swapped:
            difference = metric.value(whole + change) - metric.value(rest - change)
            often += abs(difference) >= least
    return (often + 1) / (trials + 1)
