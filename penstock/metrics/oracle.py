"""The best that a choice from n-best lists could come to.

Lecture 000, table 2 of Sutskever et al. 2014: "Oracle Rescoring of the Baseline 1000-best lists".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

from penstock.errors import DataError
from penstock.metrics.translation import Metric

__all__ = ["oracle"]


def oracle(
    nbest: Sequence[Sequence[str]], *references: Sequence[str], kind: str = "bleu"
) -> list[str]:
    """Of each list, the translation with the best score of its own; the first among equals.

    The choice is made sentence by sentence, so that its BLEU as a text is a lower bound of what
    the lists hold.  A sentence whose list is empty keeps an empty translation.

    Args:
        nbest: the translations of each sentence, best first.
        references: as of :class:`~penstock.metrics.translation.Metric`.
        kind: of metric.

    Raises:
        DataError: there are not as many lists as references.

    >>> oracle([["a dog", "the dog ran", "the dog"], []], ["the dog ran", "a cat"])
    ['the dog ran', '']
    """
    if any(len(lines) != len(nbest) for lines in references):
        found = ", ".join(f"{len(lines):,}" for lines in references)
        raise DataError(
            f"oracle: expected {len(nbest):,} references, one for each n-best list, got {found}."
        )
    if not any(nbest):
        return [""] * len(nbest)
    beside = [
        list(chain.from_iterable(map(repeat, lines, map(len, nbest)))) for lines in references
    ]
    metric = Metric(kind, *beside)
    sign = -1 if metric.kind.falls else 1
    scores = iter(metric.sentences(list(chain.from_iterable(nbest))))
    chosen = []
    for hyps in nbest:
        own = [sign * next(scores) for _ in hyps]
        chosen.append(hyps[own.index(max(own))] if own else "")
    return chosen
