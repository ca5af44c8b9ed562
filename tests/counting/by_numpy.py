"""What every token of a text costs under a backoff model, for many tokens at once.

    p(w | h) = p_stored(w | h)                    where the n-gram hw is stored,
               backoff(h) p(w | shorter h)        otherwise (backoff(h) = 1 where h is not stored)

The n-gram of order n that ends at a token is found from the one of order n - 1 that ends at the
token before, so that n - 1 rounds of look-ups, each for all tokens together, find every match.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from penstock.counting.levels import Level
from penstock.counting.vocabulary import Array


def text_scores(
    levels: Sequence[Level], ids: Array, eos_id: int, bos_id: int
) -> tuple[Array, Array]:
    """log10 p of every token of a text, and the order of the n-gram found for it.

    Args:
        ids: (T,) tokens; ``</s>`` ends a sentence, and each is read from ``<s>``.

    Shapes:
        ids (T,) -> log10 p (T,) float32, order (T,) uint8
    """
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
