"""How far a figure, and the difference of two, may be chance: the paired bootstrap.

The lines of the text are drawn anew with replacement, many times, the same lines for every model
(Efron & Tibshirani 1993; Koehn 2004).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from penstock.errors import ConfigError, ShapeError

__all__ = ["FEWEST_LINES", "Bootstrap", "check_resamples", "quantiles", "resample"]

Array = np.ndarray
FEWEST_LINES = 20
"""Below so many lines the texts drawn from them are too alike to tell what is chance."""
MOST_RESAMPLES = 1_000_000


def resample(rows: Array, *, resamples: int = 1000, seed: int = 1) -> Array:
    """Sums of statistics over texts whose lines are drawn anew with replacement.

    Args:
        rows: what each line contributes.
        resamples: how many texts are drawn, from 100 to 1,000,000.
        seed: of the draws; the same lines are drawn from all texts of as many lines.

    Raises:
        ConfigError: the resamples are too few or too many.

    Shapes:
        (lines, n) -> (resamples, n)
    """
    check_resamples(resamples)
    generator, lines = np.random.default_rng(seed), len(rows)
    totals = np.empty((resamples, rows.shape[1]))
    for draw in totals:
        times = np.bincount(generator.integers(lines, size=lines))
        draw[:] = times @ rows[: len(times)]
    return totals


def check_resamples(resamples: int) -> None:
    """Refuse too few for an interval, and more than fit in memory.

    Raises:
        ConfigError: there are less than 100, or more than 1,000,000.
    """
    if not 100 <= resamples <= MOST_RESAMPLES:
        raise ConfigError(
            f"bootstrap: expected resamples >= 100 and <= {MOST_RESAMPLES:,}, got {resamples=}."
        )


def quantiles(values: Array, level: float = 0.95) -> tuple[float, float]:
    """Between which values the share ``level`` of them lies.

    >>> quantiles(np.arange(101), 0.5)
    (25.0, 75.0)
    """
    outside = (1 - level) / 2
    # Between two infinite values there is none to interpolate.
    method: Literal["linear", "higher"] = "linear" if np.isfinite(values).all() else "higher"
    low, high = np.quantile(values, [outside, 1 - outside], method=method)
    return float(low), float(high)


class Bootstrap:
    """Perplexities of several models on resampled texts; infinite for one of probability 0.

    Args:
        nats: (M, lines), -log p of each line under each model.
        tokens: (M, lines), tokens that were predicted, which differ where tokenisers do.
        resamples: how many texts are drawn, from 100 to 1,000,000.
        level: share of them that an interval holds, in (0, 1).
        seed: of the draws.

    Raises:
        ShapeError: the models do not have the same lines.
        ConfigError: an option cannot work.

    Example:
        >>> nats = np.array([[3.0, 5.0, 4.0, 4.0], [3.5, 5.5, 4.5, 4.5]])
        >>> bootstrap = Bootstrap(nats, np.full((2, 4), 2))
        >>> low, high = bootstrap.interval(0)
        >>> bool(low < np.exp(2.0) < high), bootstrap.p_value(0, 1) < 0.01
        (True, True)
    """

    def __init__(
        self,
        nats: Array,
        tokens: Array,
        *,
        resamples: int = 1000,
        level: float = 0.95,
        seed: int = 1,
    ) -> None:
        if nats.shape != tokens.shape or nats.ndim != 2 or not nats.shape[1]:
            raise ShapeError(
                "Bootstrap: expected nats and tokens (models, lines) of the same lines, got "
                f"{nats.shape} and {tokens.shape}."
            )
        if not 0 < level < 1:
            raise ConfigError(f"bootstrap: expected level between 0 and 1, got {level=}.")
        self.lines, self.resamples = nats.shape[1], resamples
        self.level, self.seed = level, seed
        impossible = np.isinf(nats)
        rows = np.concatenate([np.where(impossible, 0.0, nats), impossible, tokens]).T
        sums, lost, per_text = np.split(resample(rows, resamples=resamples, seed=seed).T, 3)
        self.nats = np.where(lost > 0, np.inf, sums)
        with np.errstate(over="ignore"):
            self.perplexities = np.exp(self.nats / per_text)

    def interval(self, model: int) -> tuple[float, float]:
        """Between which perplexities the share ``level`` of the resampled texts lies."""
        return quantiles(self.perplexities[model], self.level)

    def p_value(self, one: int, other: int) -> float:
        """How probable so clear a difference is by chance, two-sided.

            p = 2 min(share of texts on which one is not better, share on which it is not worse)

        A text is better under the model that gives it more probability, which is to say less
        perplexity where the tokens are the same; two that give it none are alike.  At least
        1 / (resamples + 1).
        """
        first, second = self.nats[one], self.nats[other]
        least = min((first >= second).sum(), (first <= second).sum())
        return float(min(1.0, (2 * least + 1) / (self.resamples + 1)))

    @property
    def signature(self) -> str:
        """What the intervals and p-values mean, in a line."""
        return (
            f"{self.level:.0%} intervals and p-values: paired bootstrap over {self.lines} lines, "
            f"{self.resamples} resamples, seed {self.seed}"
        )
