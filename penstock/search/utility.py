"""How good one text is if another is right: for all pairs of many texts at once.

The figures are those of sacreBLEU's ``sentence_score``.  An n-gram that comes for the k-th time in
a text counts as the k-th one of its kind, so that the matches of two texts are the size of a set's
intersection, and those of all pairs one product of sparse matrices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.registry import Registry

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["UTILITIES", "Utility", "bleu", "chrf"]

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Utility = Callable[[Sequence[str], Sequence[str]], Matrix]
"""n hypotheses and m references -> (n, m), each hypothesis against each one reference."""


def bleu(hyps: Sequence[str], refs: Sequence[str]) -> Matrix:
    """Sentence BLEU of every pair: 13a tokens, exponential smoothing, effective order.

    >>> bleu(["the cat sat down", "a dog"], ["the cat sat"]).round(2).tolist()
    [[59.46], [0.0]]
    """
    hyp_words, ref_words = [list(map(_words, texts)) for texts in (hyps, refs)]
    orders = [_matches(hyp_words, ref_words, n) for n in range(1, 5)]
    log_sum, used, unmatched = np.zeros((3, len(hyps), len(refs)))
    for matched, total, _ in orders:
        there = np.broadcast_to(total[:, None] > 0, matched.shape)
        unmatched += there & (matched == 0)
        share = np.where(matched > 0, matched, 0.5**unmatched) / np.maximum(total, 1)[:, None]
        log_sum += np.where(there, np.log(share), 0.0)
        used += there
    _, length, wanted = orders[0]
    brevity = np.minimum(0.0, 1 - wanted / np.maximum(length, 1)[:, None])
    score = 100 * np.exp(brevity + log_sum / np.maximum(used, 1))
    return np.where(sum(matched for matched, _, _ in orders) > 0, score, 0.0)


def chrf(hyps: Sequence[str], refs: Sequence[str]) -> Matrix:
    """Sentence chrF of every pair (Popovic 2015): characters up to 6-grams, beta = 2.

    >>> chrf(["the cat", "my dog"], ["the cat"]).round(2).tolist()
    [[100.0], [0.0]]
    """
    hyp_text, ref_text = [["".join(text.split()) for text in texts] for texts in (hyps, refs)]
    precision, recall = np.zeros((2, len(hyps), len(refs)))
    used = np.zeros_like(precision)
    for n in range(1, 7):
        matched, total, wanted = _matches(hyp_text, ref_text, n)
        there = (total[:, None] > 0) & (wanted > 0)
        precision += np.where(there, matched / np.maximum(total, 1)[:, None], 0.0)
        recall += np.where(there, matched / np.maximum(wanted, 1), 0.0)
        used += there
    precision, recall = precision / np.maximum(used, 1), recall / np.maximum(used, 1)
    below = 4 * precision + recall
    return 100 * 5 * precision * recall / np.where(below > 0, below, 1.0)


UTILITIES: Registry[Utility] = Registry("minimum_risk", "utility")
UTILITIES.add("bleu", bleu)
UTILITIES.add("chrf", chrf)


def _matches(
    hyps: Sequence[Sequence[Hashable]], refs: Sequence[Sequence[Hashable]], n: int
) -> tuple[Matrix, Matrix, Matrix]:
    """Matching n-grams of every pair (n, m), and how many each hypothesis and reference has."""
    columns: dict[Hashable, int] = {}
    sides = [[_numbered(text, n, columns) for text in texts] for texts in (hyps, refs)]
    first, second = (_incidence(rows, len(columns)) for rows in sides)
    totals = [np.array([float(len(row)) for row in rows]) for rows in sides]
    return (first @ second.T).toarray(), totals[0], totals[1]


def _numbered(text: Sequence[Hashable], n: int, columns: dict[Hashable, int]) -> list[int]:
    """The columns of a text's n-grams, the k-th of a kind apart from the others."""
    seen: Counter[Hashable] = Counter()
    found = []
    for start in range(len(text) - n + 1):
        gram = text[start : start + n] if isinstance(text, str) else tuple(text[start : start + n])
        seen[gram] += 1
        found.append(columns.setdefault((gram, seen[gram]), len(columns)))
    return found


def _incidence(rows: list[list[int]], width: int) -> csr_array:
    """One row a text with a one for each of its columns."""
    from scipy.sparse import csr_array

    starts = np.cumsum([0, *map(len, rows)])
    places = np.array([column for row in rows for column in row], dtype=np.int64)
    return csr_array((np.ones(len(places)), places, starts), shape=(len(rows), width))


@cache
def _tokeniser() -> Callable[[str], str]:
    from sacrebleu.metrics.bleu import BLEU

    tokeniser: Callable[[str], str] = BLEU().tokenizer
    return tokeniser


def _words(text: str) -> list[str]:
    return _tokeniser()(text.rstrip()).split()
