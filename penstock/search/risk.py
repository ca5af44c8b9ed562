"""Minimum Bayes risk: the text that is best on average if any of the others may be right.

    y* = argmax_y sum_r p(r) u(y, r)

Kumar & Byrne 2004; with samples as evidence Eikema & Aziz 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from penstock.errors import ConfigError
from penstock.search.hypothesis import Hypothesis
from penstock.search.utility import UTILITIES, Utility

__all__ = ["Expected", "Risk", "minimum_risk"]


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


@dataclass(frozen=True)
class Risk:
    """Which of a sentence's candidates minimum Bayes risk answers.

    Attributes:
        utility: "chrf" or "bleu".
        nbest: how many, the one of the highest expected utility first.
    """

    utility: str = "chrf"
    nbest: int = 1

    def __post_init__(self) -> None:
        UTILITIES[self.utility]
        if self.nbest < 1:
            raise ConfigError(f"Risk: expected nbest >= 1, got nbest={self.nbest}.")

    def choose(
        self, texts: Sequence[str], hypotheses: Sequence[Hypothesis], *, drawn: bool
    ) -> tuple[list[str], list[Hypothesis]]:
        """The best of some texts and their hypotheses, with the expected utility as the score.

        Args:
            drawn: whether they are samples, in which a text comes as often as it is probable;
                otherwise the evidence is each once, in proportion to its probability.
        """
        most = max((one.log_p for one in hypotheses), default=0.0)
        weights = None if drawn else [math.exp(one.log_p - most) for one in hypotheses]
        ranked = minimum_risk(texts, weights=weights, utility=self.utility)[: self.nbest]
        own = dict(zip(reversed(texts), reversed(hypotheses), strict=True))
        chosen = [replace(own[text], score=utility) for text, utility in ranked]
        return [text for text, _ in ranked], chosen
