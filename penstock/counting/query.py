"""What every token of a text costs under a backoff model, for many tokens at once.

    p(w | h) = p_stored(w | h)                    where the n-gram hw is stored,
               backoff(h) p(w | shorter h)        otherwise (backoff(h) = 1 where h is not stored)

The n-gram of order n that ends at a token is found from the one of order n - 1 that ends at the
token before, so that n - 1 rounds of look-ups, each for all tokens together, find every match.
numpy lets go of the interpreter's lock in them: threads run side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from penstock.counting.levels import Level
from penstock.counting.vocabulary import Array

__all__ = ["text_scores"]

BLOCK = 1 << 15
"""Tokens looked up together: their arrays stay in the cache of a processor."""


def text_scores(
    levels: Sequence[Level], ids: Array, eos_id: int, bos_id: int, *, threads: int = 1
) -> tuple[Array, Array]:
    """log10 p of every token of a text, and the order of the n-gram found for it.

    Args:
        ids: (T,) tokens; ``</s>`` ends a sentence, and each is read from ``<s>``.
        threads: how many share the work.

    Shapes:
        ids (T,) -> log10 p (T,) float32, order (T,) uint8
    """
    scores, matched = np.empty(len(ids), np.float32), np.empty(len(ids), np.uint8)

    def work(start: int) -> None:
        # What a token costs depends on so many before it, which the block reads again.
        before = min(start, len(levels) - 1)
        block = slice(start, min(start + BLOCK, len(ids)))
        found = _block_scores(levels, ids[start - before : block.stop], eos_id, bos_id)
        scores[block], matched[block] = (part[before:] for part in found)

    starts = range(0, len(ids), BLOCK)
    workers = min(threads, len(starts))
    if workers < 2:
        for start in starts:
            work(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, starts))
    return scores, matched


def _block_scores(
    levels: Sequence[Level], ids: Array, eos_id: int, bos_id: int
) -> tuple[Array, Array]:
    """The same for one block."""
    ends = ids == eos_id
    scores = levels[0].log_p.take(ids)
    matched = np.ones(len(ids), np.uint8)
    context = np.empty(len(ids), np.int64)
    context[:1] = bos_id
    context[1:] = np.where(ends[:-1], bos_id, ids[:-1])
    at = np.arange(len(ids))
    word = ids
    for order, (shorter, level) in enumerate(pairwise(levels), 2):
        found = level.entries(context, word)
        place = found["place"]
        hit = place >= 0
        missed = scores.take(at)
        missed += shorter.backoff.take(context)
        scores[at] = np.where(hit, found["log_p"], missed)
        on = hit & ~ends.take(at)
        matched[at[hit]] = order
        at = at[on] + 1
        context = place[on]
        if len(at) and at[-1] == len(ids):
            at, context = at[:-1], context[:-1]
        word = ids.take(at)
    return scores, matched
