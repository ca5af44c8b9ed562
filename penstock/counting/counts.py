"""Counting n-grams by sorting: no loop over n-grams, whatever the order.

An n-gram of order n is one of order n - 1, its prefix, and a word, so that the pair of two numbers
names it.  Sorting these pairs numbers the n-grams of order n, which are the prefixes of the next
order.  What it needs per token is 64 bytes, whatever the order; a text that would need more than
the memory allowed is counted block by block and merged on the disk
(:mod:`penstock.counting.spill`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from penstock.counting.spill import Run, Runs, Scratch, merge
from penstock.counting.vocabulary import Array, Vocabulary
from penstock.errors import ConfigError, DataError
from penstock.progress import Progress

__all__ = ["MAX_ORDER", "Counts", "count_ngrams"]

MAX_ORDER = 16
MEMORY = 1 << 30
"""Bytes that sorting may take before counts go to the disk."""
BYTES_PER_TOKEN = 64
NONE = np.uint32(0xFFFFFFFF)
"""Where no n-gram of this order ends: the sentence is too young."""


@dataclass(frozen=True)
class Counts:
    """The distinct n-grams of one order, sorted by prefix, then word.

    Attributes:
        prefix: (n,) place of the first order - 1 words among the n-grams of that order.
        word: (n,) id of the last word.
        suffix: (n,) place of the last order - 1 words.
        count: (n,) occurrences in the text.
        start: (n,) whether the first word is ``<s>``.
    """

    prefix: Array
    word: Array
    suffix: Array
    count: Array
    start: Array

    def __len__(self) -> int:
        return len(self.count)


@contextmanager
def count_ngrams(
    ids: Array,
    vocabulary: Vocabulary,
    order: int,
    *,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> Iterator[list[Counts]]:
    """The n-grams of the orders 1 to ``order``, those of order 1 being all words.

    Every sentence is read as ``<s> w ... w </s>``.

    Args:
        ids: (tokens,) the text, ``</s>`` after every sentence; a memory map is read in blocks.
        order: from 1 to 16.
        memory: bytes for sorting; above, counts go to temporary files, which the block that the
            counts are used in keeps alive.

    Raises:
        ConfigError: for another order or no memory.
        DataError: for a text without a token, or ids that are not the vocabulary's.

    >>> v = Vocabulary(["a", "b"])
    >>> with count_ngrams(v.encode_text("a b\\na\\n"), v, 2) as (words, pairs):
    ...     for prefix, word, n in zip(pairs.prefix, pairs.word, pairs.count):
    ...         print(v.words[prefix], v.words[word], n)
    a </s> 1
    a b 1
    b </s> 1
    <s> a 2
    """
    check_order(order)
    if memory < 1:
        raise ConfigError(f"count_ngrams: expected memory of 1 byte at least, got {memory=}.")
    _check_ids(ids, vocabulary)
    block = max(memory // BYTES_PER_TOKEN, 1 << 8)
    with Scratch(on_disk=len(ids) > block) as scratch:
        text = _Text(ids, vocabulary, block, scratch)
        levels = [text.words()]
        for n in range(2, order + 1):
            levels.append(text.level(n, levels[-1], last=n == order))
            if progress:
                progress(n, order)
        yield levels


def check_order(order: int) -> None:
    """Refuse an order that no model has."""
    if not 1 <= order <= MAX_ORDER:
        raise ConfigError(f"n-gram model: expected order from 1 to {MAX_ORDER}, got {order=}.")


def _check_ids(ids: Array, vocabulary: Vocabulary) -> None:
    if not len(ids):
        raise DataError("count_ngrams: the text is empty: not one token in it.")
    if int(ids.min()) < 0 or int(ids.max()) >= len(vocabulary):
        raise DataError(
            f"count_ngrams: expected ids from 0 to {len(vocabulary) - 1}, got some from "
            f"{int(ids.min())} to {int(ids.max())}. Encode the text with this vocabulary."
        )


class _Text:
    """A text, and at each of its places the n-gram of the current order that ends there."""

    def __init__(self, ids: Array, vocabulary: Vocabulary, block: int, scratch: Scratch) -> None:
        self.ids, self.vocabulary, self.block, self.scratch = ids, vocabulary, block, scratch
        self.nodes = ids
        self.bits = np.uint64(vocabulary.bos_id.bit_length())

    def words(self) -> Counts:
        eos, bos = self.vocabulary.eos_id, self.vocabulary.bos_id
        count = np.zeros(bos + 1, np.int64)
        for start in range(0, len(self.ids), self.block):
            count += np.bincount(self.ids[start : start + self.block], minlength=bos + 1)
        count[bos] = count[eos] + (self.ids[-1] != eos)
        word = np.arange(bos + 1, dtype=np.uint32)
        none = np.zeros(bos + 1, np.uint32)
        return Counts(none, word, none, count, word == bos)

    def level(self, order: int, shorter: Counts, *, last: bool) -> Counts:
        """The n-grams of ``order``, given those of one order less."""
        blocks = range(0, len(self.ids), self.block)
        runs, inverse = Runs(self.scratch), np.empty(0, np.int64)
        for start in blocks:
            at, keys = self._keys(order, start)
            run, inverse = _distinct(keys, self.nodes[at])
            runs.add(run)
        whole = merge(runs.all(), self.block, self.scratch)
        if not last:
            nodes = self.scratch.empty(len(self.ids), np.uint32)
            for start in blocks:
                at, keys = self._keys(order, start)
                nodes[start : start + self.block] = NONE
                nodes[at] = inverse if len(blocks) == 1 else np.searchsorted(whole.key, keys)
            self.nodes = nodes
        prefix = (whole.key >> self.bits).astype(np.uint32)
        word = (whole.key & ((np.uint64(1) << self.bits) - np.uint64(1))).astype(np.uint32)
        return Counts(prefix, word, whole.suffix, whole.times, shorter.start[prefix])

    def _keys(self, order: int, start: int) -> tuple[Array, Array]:
        """The places of a block where an n-gram ends, and the pair that names it there."""
        stop = min(start + self.block, len(self.ids))
        eos, bos = self.vocabulary.eos_id, self.vocabulary.bos_id
        ids = self.ids[max(start - 1, 0) : stop].astype(np.uint64)
        context = self.nodes[max(start - 1, 0) : stop].astype(np.uint64)
        if not start:
            ids, context = np.append(np.uint64(eos), ids), np.append(np.uint64(NONE), context)
        first = ids[:-1] == eos
        if order == 2:
            context = np.where(first, np.uint64(bos), context[:-1])
            at = np.arange(start, stop)
        else:
            fits = ~first & (context[:-1] != NONE)
            at = np.flatnonzero(fits) + start
            context = context[:-1][fits]
        return at, context << self.bits | ids[1:][at - start]


def _distinct(keys: Array, suffixes: Array) -> tuple[Run, Array]:
    """Each key once, in order, with its count and suffix; and the place of every key there."""
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.empty(len(keys), bool)
    new[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    first = np.flatnonzero(new)
    inverse = np.empty(len(keys), np.uint32)
    inverse[order] = np.cumsum(new, dtype=np.uint32) - np.uint32(1)
    count = np.diff(first, append=len(keys))
    return Run(ordered[first], count, suffixes[order[first]].astype(np.uint32)), inverse
