"""n-grams of one order as rows of word ids, (n, order), and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock.counting.levels import Level
from penstock.counting.vocabulary import Array

__all__ = ["backed_off", "places_of", "words_of"]


def words_of(levels: Sequence[Level], at: Array) -> Array:
    """The words of n-grams in the highest of these levels: (n,) -> (n, order)."""
    columns = []
    for level in reversed(levels):
        columns.append(level.word[at])
        at = level.prefix[at]
    return np.stack(columns[::-1], axis=1).astype(np.int64)


def places_of(levels: Sequence[Level], words: Array) -> Array:
    """Where n-grams are in the level of their order, or -1: (n, order) -> (n,)."""
    if not words.shape[1]:
        return np.zeros(len(words), np.int64)
    place = words[:, 0]
    for column, level in zip(words.T[1:], levels[1:], strict=False):
        place = np.where(place >= 0, level.find(np.maximum(place, 0), column), -1)
    return place


def backed_off(levels: Sequence[Level], words: Array) -> Array:
    """log10 p of each last word after the others but the first.

    Shapes:
        words (n, order) with order >= 2 -> (n,) float64
    """
    log_p = np.zeros(len(words))
    missing = np.ones(len(words), bool)
    for first in range(1, words.shape[1]):
        level = levels[words.shape[1] - 1 - first]
        place = places_of(levels, words[:, first:])
        hit = missing & (place >= 0)
        log_p[hit] += level.log_p[place[hit]]
        missing &= ~hit
        if first + 1 < words.shape[1]:
            context = places_of(levels, words[:, first:-1])
            weighed = missing & (context >= 0)
            shorter = levels[words.shape[1] - 2 - first]
            log_p[weighed] += shorter.backoff[context[weighed]]
    return log_p
