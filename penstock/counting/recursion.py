"""From counts to probabilities, order by order, the same few array operations for every method.

    interpolated    p(w | h) = share(hw) + weight(h) p(w | shorter h)
    backed off      p(w | h) = share(hw) if hw was seen, else weight(h) p(w | shorter h)

with share(hw) = (c(hw) - discount(hw)) / (c(h) + extra(h)), what
:mod:`penstock.counting.smoothing` decides, and weight(h) such that the sum over w is 1 (Chen &
Goodman 1998, section 2.8).  Order 0 is uniform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.counting.counts import Counts
from penstock.counting.levels import Level
from penstock.counting.model import NGramModel
from penstock.counting.smoothing.base import Smoothing, Tally
from penstock.counting.vocabulary import Array, Vocabulary

__all__ = ["Plan", "probabilities"]

NEVER = 1e-8
"""Probability of unseen words below which there are none to give anything to."""


@dataclass(frozen=True)
class Plan:
    """How counts become a model.

    Attributes:
        method: what is taken from the counts.
        style: "interpolated" or "backed-off".
        thresholds: for each order, the count up to which n-grams are left out.
    """

    method: Smoothing
    style: str
    thresholds: Sequence[int]


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order: their probabilities, and which of them stay, all (n,).

    ``weight`` is that of each as a context.
    """

    p: Array
    kept: Array
    weight: Array


def probabilities(counts: Sequence[Counts], vocabulary: Vocabulary, plan: Plan) -> NGramModel:
    """The model of the n-grams counted."""
    orders: list[_Order] = []
    for order, level in enumerate(counts, 1):
        p, kept, weight = _order(counts, order, orders[-1].p if orders else None, vocabulary, plan)
        if orders:
            orders[-1] = _Order(orders[-1].p, orders[-1].kept, weight)
        orders.append(_Order(p, kept, np.ones(len(level))))
    return NGramModel(vocabulary, _levels(counts, orders))


def _order(
    counts: Sequence[Counts], order: int, shorter: Array | None, vocabulary: Vocabulary, plan: Plan
) -> tuple[Array, Array, Array]:
    """p (n,) of each n-gram and whether it stays; the weight (contexts,) of each context."""
    level, highest, size = counts[order - 1], order == len(counts), len(vocabulary)
    uniform = np.append(np.full(size, 1 / size), 0.0)  # <s> is not predicted
    count = _counted(counts, order, plan.method)
    kept = level.count > plan.thresholds[order - 1]
    if shorter is None:
        count[vocabulary.bos_id] = 0
        kept = np.ones(len(level), bool)
    contexts = 1 if shorter is None else len(counts[order - 2])
    tally = Tally(count, level.prefix, contexts, order, size)
    use_shorter = shorter is not None and plan.method.shorter
    lower = shorter[level.suffix] if use_shorter and shorter is not None else uniform[level.word]
    p, weight = _shared_out(tally, plan, kept, lower)
    if not plan.method.shorter and not highest:
        p = np.where(level.start, p, lower)
    if not plan.method.shorter and not highest and shorter is not None:
        weight = np.where(counts[order - 2].start, weight, 1.0)
    return p, kept, weight


def _counted(counts: Sequence[Counts], order: int, method: Smoothing) -> Array:
    """Occurrences, or distinct words before each n-gram where the method wants it and can be."""
    level = counts[order - 1]
    if not method.continuation or order == len(counts):
        return level.count.astype(float)
    before = np.bincount(counts[order].suffix, minlength=len(level))
    return np.where(level.start, level.count, before).astype(float)


def _shared_out(tally: Tally, plan: Plan, kept: Array, lower: Array) -> tuple[Array, Array]:
    """Probability of each n-gram, and the weight each context gives to the shorter one.

    Args:
        kept: n-grams that stay; what the others had is left for the shorter model.
        lower: (n,) probability of each n-gram's last word after one word less.
    """
    discount, extra = plan.method.take(tally)
    discount = np.where(kept, discount, tally.count)
    total = tally.per_context(tally.count)
    whole = total + extra
    scale = np.divide(1.0, whole, out=np.zeros_like(whole), where=whole > 0)
    share = (tally.count - discount) * scale[tally.prefix]
    left = np.where(total > 0, (tally.per_context(discount) + extra) * scale, 1.0)
    if plan.method.backoff is not None:
        weight = plan.method.backoff
        unseen = weight * lower if tally.order > 1 else np.zeros_like(lower)
        return np.where(share > 0, share, unseen), np.full_like(left, weight)
    if plan.style == "interpolated":
        return share + left[tally.prefix] * lower, left
    return _backed_off(tally, share, left, lower)


def _backed_off(tally: Tally, share: Array, left: Array, lower: Array) -> tuple[Array, Array]:
    """What is left goes to unseen words alone (Katz 1987)."""
    seen = share > 0
    unseen = 1 - tally.per_context(np.where(seen, lower, 0.0))
    some = unseen > NEVER
    weight = np.divide(left, unseen, out=np.zeros_like(left), where=some)
    # With no word unseen after a context, its own words share what is left.
    scale = np.where(some, 1.0, 1 / np.maximum(1 - left, NEVER))
    return np.where(seen, share * scale[tally.prefix], weight[tally.prefix] * lower), weight


def _levels(counts: Sequence[Counts], orders: Sequence[_Order]) -> list[Level]:
    """The n-grams that stay, renumbered."""
    levels, place = [], np.zeros(1, np.int64)
    for level, found in zip(counts, orders, strict=True):
        with np.errstate(divide="ignore"):
            log_p = np.log10(found.p[found.kept]).astype(np.float32)
            backoff = np.log10(found.weight[found.kept]).astype(np.float32)
        prefix = place[level.prefix[found.kept]].astype(np.uint32)
        levels.append(Level(prefix, level.word[found.kept], log_p, backoff))
        place = np.cumsum(found.kept) - 1
    return levels
