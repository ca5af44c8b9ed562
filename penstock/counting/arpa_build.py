"""From the n-grams of a file, in any order, to the sorted levels of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from penstock.counting.levels import Level
from penstock.counting.model import NGramModel
from penstock.counting.rows import backed_off, places_of, words_of
from penstock.counting.table import pair
from penstock.counting.vocabulary import Array, Vocabulary
from penstock.errors import DataError

__all__ = ["Entries", "build"]


@dataclass
class Entries:
    """The n-grams of one order as a file lists them.

    Attributes:
        words: (n, order) ids.
        log_p: (n,) float32, log10; NaN where backing off is to say it.
        backoff: (n,) float32, log10.
        line: of the first one in the file.
        spelling: (n,) of the words of order 1, as the file spells them.
    """

    words: Array
    log_p: Array
    backoff: Array
    line: int
    spelling: list[bytes]


def build(vocabulary: Vocabulary, entries: list[Entries], path: Path) -> NGramModel:
    """The model of the n-grams; beginnings of n-grams that are missing are put in.

    Raises:
        DataError: an n-gram is there twice.
    """
    levels: list[Level] = []
    for order, found in enumerate(entries, 1):
        prefix = places_of(levels, found.words[:, :-1])
        if (prefix < 0).any():
            _put_in(entries, order - 1, found.words[prefix < 0, :-1])
            return build(vocabulary, entries, path)
        levels.append(_level(found, prefix, path))
    for order in range(2, len(levels) + 1):
        levels[order - 1] = _completed(levels[:order])
    return NGramModel(vocabulary, levels)


def _put_in(entries: list[Entries], order: int, missing: Array) -> None:
    """Add n-grams whose probability backing off is to say."""
    words, found = np.unique(missing, axis=0), entries[order - 1]
    unknown = np.full(len(words), np.nan, np.float32)
    found.words = np.concatenate([found.words, words])
    found.log_p = np.concatenate([found.log_p, unknown])
    found.backoff = np.concatenate([found.backoff, np.zeros(len(words), np.float32)])


def _level(found: Entries, prefix: Array, path: Path) -> Level:
    keys = pair(prefix, found.words[:, -1])
    order = np.argsort(keys)
    keys = keys[order]
    if len(twice := np.flatnonzero(keys[1:] == keys[:-1])):
        line = found.line + int(max(order[twice[0]], order[twice[0] + 1]))
        raise DataError(f"{path}:{line}: expected every n-gram once, got this one again.")
    word = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    before = (keys >> np.uint64(32)).astype(np.uint32)
    return Level(before, word, found.log_p[order], found.backoff[order])


def _completed(levels: list[Level]) -> Level:
    """The highest of these levels, n-grams put in with the probability that backing off gives."""
    level, shorter = levels[-1], levels[-2]
    at = np.flatnonzero(np.isnan(level.log_p))
    if not len(at):
        return level
    log_p = level.log_p.copy()
    log_p[at] = shorter.backoff[level.prefix[at]] + backed_off(levels, words_of(levels, at))
    return Level(level.prefix, level.word, log_p, level.backoff)
