"""Entropy pruning: leave out the n-grams that the model would hardly miss (Stolcke 1998)."""

from __future__ import annotations

import numpy as np

from penstock.counting.levels import Level
from penstock.counting.model import IMPROPER, LN10, NGramModel
from penstock.counting.rows import backed_off, words_of
from penstock.counting.vocabulary import Array
from penstock.errors import ConfigError

__all__ = ["entropy_pruned"]


def entropy_pruned(model: NGramModel, threshold: float) -> NGramModel:
    """The model without n-grams whose loss raises its perplexity by less than a share.

    Leaving out hw changes the entropy by

        D = -p(h) (p(w|h) (log p(w|h') + log a'(h) - log p(w|h)) + u(h) (log a'(h) - log a(h)))

    with a and a' the backoff weight before and after, h' the context without its first word, and
    u(h) the probability of unseen words; it goes if exp(D) - 1 is below the threshold.  An n-gram
    that begins a longer one stays.  p(h) is a product of the model's probabilities, which for
    Kneser-Ney is not the share of h in the text (Chelba et al. 2010): such models lose more.

    Args:
        threshold: 0 or more, such as 1e-8.
    """
    if not 0 <= threshold < np.inf:
        raise ConfigError(f"entropy_pruned: expected threshold of 0 or more, got {threshold=}.")
    _check_sums(model)
    marginals = _marginals(model)
    levels = list(model.levels)
    for order in range(model.order, 1, -1):
        kept = _kept(levels, order, marginals[order - 2], threshold)
        _drop(levels, order, kept)
    if [len(level) for level in levels] != model.sizes:
        for order in range(2, model.order + 1):  # shorter ones first: longer ones ask them
            _weigh(levels, order)
    return NGramModel(model.vocabulary, levels)


def _check_sums(model: NGramModel) -> None:
    """Refuse scores that are no probabilities, as those of stupid backoff: there is no entropy."""
    first = model.levels[0]
    total = np.power(10.0, first.log_p.astype(float)).sum()
    after = model.distribution(model.start())
    if max(abs(total - 1), abs(np.exp(after.astype(float)).sum() - 1)) > IMPROPER:
        raise ConfigError(
            "entropy_pruned: expected a model of probabilities, got scores that do not sum to 1. "
            "Leave out entropy."
        )


def _marginals(model: NGramModel) -> list[Array]:
    """p of each n-gram of the orders below the highest; ``<s>`` is as likely as ``</s>``."""
    p = np.power(10.0, model.levels[0].log_p.astype(float))
    p[model.vocabulary.bos_id] = p[model.vocabulary.eos_id]
    found = [p]
    for level in model.levels[1:-1]:
        p = p[level.prefix] * np.power(10.0, level.log_p.astype(float))
        found.append(p)
    return found


def _kept(levels: list[Level], order: int, marginal: Array, threshold: float) -> Array:
    """Which n-grams of an order stay: (n,)."""
    level, shorter = levels[order - 1], levels[order - 2]
    p, p_lower = _probabilities(levels, order)
    unseen, unseen_lower = _rest(level, shorter, p), _rest(level, shorter, p_lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        after = np.log((unseen[level.prefix] + p) / (unseen_lower[level.prefix] + p_lower))
        before = shorter.backoff[level.prefix].astype(float) * LN10
        rest = unseen[level.prefix]
        moved = np.where(rest > 0, rest * (after - before), 0.0)
        change = -marginal[level.prefix] * (p * (np.log(p_lower / p) + after) + moved)
        kept: Array = ~(np.expm1(change) < threshold)
    if order < len(levels):
        kept |= np.bincount(levels[order].prefix, minlength=len(level)) > 0
    return kept


def _weigh(levels: list[Level], order: int) -> None:
    """Give the contexts of an order the weights with which its probabilities sum to 1."""
    level, shorter = levels[order - 1], levels[order - 2]
    p, p_lower = _probabilities(levels, order)
    unseen, unseen_lower = _rest(level, shorter, p), _rest(level, shorter, p_lower)
    weight = np.divide(unseen, unseen_lower, out=np.zeros_like(unseen), where=unseen_lower > 0)
    with np.errstate(divide="ignore"):
        backoff = np.log10(weight).astype(np.float32)
    levels[order - 2] = shorter.weighted(backoff)


def _probabilities(levels: list[Level], order: int) -> tuple[Array, Array]:
    """p of each n-gram of an order, and what its last word would have after one word less."""
    level = levels[order - 1]
    words = words_of(levels[:order], np.arange(len(level)))
    return np.power(10.0, level.log_p.astype(float)), np.power(10.0, backed_off(levels, words))


def _rest(level: Level, shorter: Level, p: Array) -> Array:
    """What the probabilities after each context leave for other words: (contexts,)."""
    found: Array = np.maximum(1.0 - np.bincount(level.prefix, p, len(shorter)), 0.0)
    return found


def _drop(levels: list[Level], order: int, kept: Array) -> None:
    """Leave out n-grams of an order, which begin none of the next."""
    level = levels[order - 1]
    levels[order - 1] = Level(
        level.prefix[kept], level.word[kept], level.log_p[kept], level.backoff[kept]
    )
    if order < len(levels):
        longer, place = levels[order], np.cumsum(kept) - 1
        prefix = place[longer.prefix].astype(np.uint32)
        levels[order] = Level(prefix, longer.word, longer.log_p, longer.backoff)
