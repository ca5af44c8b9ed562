"""How good translations are by the length of their sources.

The fall with length is what Bahdanau et al. 2015 (figure 2) show attention to cure, and what
Sutskever et al. 2014 (figure 3; lecture 000, "performance on long sentences") do not see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from penstock.errors import ShapeError
from penstock.metrics.bootstrap import quantiles, resample
from penstock.metrics.translation import Metric

__all__ = ["Kept", "LengthBin", "by_length", "kept_by_longest", "length_bins"]

_ROUND = (1, 2, 3, 5)


@dataclass(frozen=True)
class LengthBin:
    """The sentences of some lengths together.

    Attributes:
        low: words of the shortest source.
        high: words of the longest.
        lines: how many sentences.
        score: of all of them as one text.
        interval: where 95 % of the resampled texts lie.
    """

    low: int
    high: int
    lines: int
    score: float
    interval: tuple[float, float]

    @property
    def middle(self) -> float:
        """Where it stands on an axis of lengths."""
        return (self.low + self.high) / 2


def by_length(
    metric: Metric,
    hyps: Sequence[str],
    lengths: Sequence[int],
    *,
    bins: Sequence[tuple[int, int]] | None = None,
    resamples: int = 1000,
) -> list[LengthBin]:
    """The score of the sentences of each range of lengths.

    Args:
        metric: against the references.
        hyps: a translation of each sentence.
        lengths: words of each source.
        bins: shortest and longest of each range; by default :func:`length_bins`.
        resamples: texts that the bootstrap draws for the interval.

    Raises:
        DataError: there are not as many translations as references.
        ShapeError: there are not as many lengths.
    """
    found = []
    ranges = length_bins(lengths) if bins is None else bins
    for (low, high), inside in zip(ranges, _inside(metric, hyps, lengths, ranges), strict=True):
        if len(inside):
            interval = metric.interval(inside, resamples=resamples)
            score = metric.value(inside.sum(0))
            found.append(LengthBin(low, high, len(inside), score, interval))
    return found


@dataclass(frozen=True)
class Kept:
    """What the longest sources keep of the score of the shortest.

    Attributes:
        share: the last range's score divided by the first's.
        interval: where 95 % of the resampled texts lie.
        p_value: share of the resampled texts on which it is no less than the largest share; None
            for that one.
    """

    share: float
    interval: tuple[float, float]
    p_value: float | None


def kept_by_longest(
    metric: Metric,
    systems: Mapping[str, Sequence[str]],
    lengths: Sequence[int],
    *,
    resamples: int = 1000,
) -> dict[str, Kept]:
    """How much of its score on the shortest sources each system keeps on the longest.

    The ranges are the first and the last of :func:`length_bins`; the same lines are drawn for all
    systems.

    Args:
        systems: name to a translation of each sentence.

    Raises:
        DataError, ShapeError: as :func:`by_length`.
    """
    ranges, shares, drawn = length_bins(lengths), {}, {}
    ends = ranges[0], ranges[-1]
    for name, hyps in systems.items():
        values = []
        for seed, rows in enumerate(_inside(metric, hyps, lengths, ends)):
            totals = resample(rows, resamples=resamples, seed=seed)
            values.append(np.array([metric.value(total) for total in (rows.sum(0), *totals)]))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares[name], *drawn[name] = values[1] / values[0]
    best = max(shares, key=lambda name: shares[name])
    return {
        name: Kept(
            float(share),
            quantiles(np.array(drawn[name])),
            None if name == best else float(np.mean(np.array(drawn[name]) >= drawn[best])),
        )
        for name, share in shares.items()
    }


def _inside(
    metric: Metric,
    hyps: Sequence[str],
    lengths: Sequence[int],
    ranges: Sequence[tuple[int, int]],
) -> list[np.ndarray]:
    """For each range the statistics of the sentences whose source has so many words."""
    rows, words = metric.statistics(hyps), np.asarray(lengths)
    if len(words) != len(rows):
        raise ShapeError(f"by_length: expected {len(rows):,} lengths, got {len(words):,}.")
    return [rows[(words >= low) & (words <= high)] for low, high in ranges]


def length_bins(
    lengths: Sequence[int], *, about: int = 8, least: int = 25
) -> list[tuple[int, int]]:
    """Ranges of equal width, joined where they hold few sentences.

    Args:
        lengths: words of each sentence.
        about: how many ranges.
        least: sentences that a range holds.

    >>> length_bins([3] * 30 + [7] * 40 + [12] * 30 + [40] * 10)
    [(3, 5), (6, 10), (11, 40)]
    """
    words = np.asarray(lengths)
    width = _round_width(float(np.quantile(words, 0.99)) / about)
    first, longest = int(words.min()), int(words.max())
    low, ranges = first, []
    for high in range(max(first, 1) + -max(first, 1) % width, longest + width, width):
        if ((words >= low) & (words <= high)).sum() >= least:
            ranges.append((low, high))
            low = high + 1
    return [*ranges[:-1], (ranges[-1][0] if ranges else first, longest)]


def _round_width(width: float) -> int:
    """The least of 1, 2, 3, 5, 10, 20, ... that is as large.

    >>> [_round_width(width) for width in (0.3, 2.0, 4.0, 12.0)]
    [1, 2, 5, 20]
    """
    power = 1
    while 5 * power < width:
        power *= 10
    return next(digit * power for digit in _ROUND if digit * power >= width)
