"""Which target tokens translate a source token: IBM model 1.

With every target token the translation of one token of the source, whichever it is,

    p(t | sentence) = sum_s p(t | s) / S

and expectation maximisation finds p(t | s) from sentence pairs (Brown et al. 1993, section 4.2).
The end of the source stands for no token at all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from penstock.text import PairCorpus
from penstock.text.pair_corpus import Side

__all__ = ["Lexicon", "lexicon"]

CELLS = 20_000_000
"""Pairs of a source and a target token that are looked at, at most: they are held in memory."""
ITERATIONS = 5
Array = np.ndarray[Any, np.dtype[Any]]


class Lexicon(NamedTuple):
    """Tokens that came in one sentence pair, and how likely one translates the other.

    Attributes:
        source: (N,), ascending.
        target: (N,).
        p: (N,), p(target | source).
    """

    source: Array
    target: Array
    p: Array


def lexicon(corpus: PairCorpus) -> Lexicon:
    """The lexicon of sentence pairs; of a large corpus, pairs taken at even distances."""
    cells = int(np.prod(corpus.lengths, axis=1).sum())
    rows = np.arange(0, len(corpus), -(-cells // CELLS))
    sources, targets = (side.starts[rows] for side in (corpus.src, corpus.tgt))
    width, height = corpus.lengths[rows].T
    # The cells of a target token, one for each source token of its sentence, stand together.
    of_target = np.repeat(width, height)
    source = _ids(corpus.src, np.repeat(sources, height), of_target)
    target = np.repeat(_ids(corpus.tgt, targets, height), of_target)
    size = corpus.tgt.tokeniser.vocab_size
    known, cell = np.unique(source * size + target, return_inverse=True)
    source, target = np.divmod(known, size)
    p: Array = np.ones(len(known))
    first = np.cumsum(of_target) - of_target
    for _ in range(ITERATIONS):
        share = p[cell]
        share /= np.repeat(np.add.reduceat(share, first), of_target)
        p = np.bincount(cell, share, len(known))
        p = p / np.bincount(source, p)[source]
    return Lexicon(source, target, p)


def _ids(side: Side, starts: Array, lengths: Array) -> Array:
    """Stretches of the ids, one behind the other."""
    shifts = starts - (np.cumsum(lengths) - lengths)
    return side.ids[np.repeat(shifts, lengths) + np.arange(lengths.sum())].astype(np.int64)
