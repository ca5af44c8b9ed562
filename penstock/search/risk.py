"""Minimum Bayes risk: the text that is best on average if any of the others may be right.

    y* = argmax_y sum_r p(r) u(y, r)

Kumar & Byrne 2004; with samples as evidence Eikema & Aziz 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penstock.errors import ConfigError
from penstock.search.utility import UTILITIES, Utility

__all__ = ["Expected", "minimum_risk"]


class Expected(NamedTuple):
    """A text and its expected utility."""

    text: str
    utility: float


def minimum_risk(
    texts: Sequence[str],
    evidence: Sequence[str] | None = None,
    *,
    weights: Sequence[float] | None = None,
    utility: str | Utility = "chrf",
) -> list[Expected]:
    """The different texts, the one of the highest expected utility first.

    Args:
        texts: that may be chosen: samples or an n-best list of one sentence.
        evidence: that may be right, as often as it is probable; ``texts`` when None.
        weights: of the evidence, >= 0, in proportion to its probability; by default equal, as
            samples want it. For an n-best list, exp(log p).
        utility: "chrf", "bleu", or a function of hypotheses and references.

    >>> samples = ["a cat sat", "my dog", "a cat sat down", "a black cat sat"]
    >>> minimum_risk(samples, utility="bleu")[0].text
    'a cat sat'
    """
    evidence = texts if evidence is None else evidence
    weights = [1.0] * len(evidence) if weights is None else weights
    fair = len(weights) == len(evidence) and all(0 <= w < float("inf") for w in weights)
    if not fair or (evidence and not sum(weights)):
        raise ConfigError(
            f"minimum_risk: expected a weight >= 0 for each of {len(evidence)} texts, some above "
            f"0, got {list(weights)}."
        )
    if not texts:
        return []
    if not evidence:
        raise ConfigError("minimum_risk: expected some evidence, got none.")
    share: dict[str, float] = {}
    for text, weight in zip(evidence, weights, strict=True):
        share[text] = share.get(text, 0.0) + weight / sum(weights)
    distinct = list(dict.fromkeys(texts))
    measure = UTILITIES[utility] if isinstance(utility, str) else utility
    expected = measure(distinct, list(share)) @ np.array(list(share.values()))
    order = np.argsort(-expected, kind="stable")
    return [Expected(distinct[n], float(expected[n])) for n in order]
