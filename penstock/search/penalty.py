"""How finished hypotheses of different lengths are compared.

    score(Y) = log p(Y) / lp(|Y|) + beta * sum_i log min(sum_j a_ij, 1)

where |Y| counts the end as a symbol and a_ij is how much source word i was looked at for symbol j.
Wu et al. 2016 (Google's neural machine translation system), equation 14.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.errors import ConfigError
from penstock.registry import Registry
from penstock.search.hypothesis import Hypothesis

__all__ = ["LENGTHS", "Score"]

LENGTHS: Registry[Callable[[float, float], float]] = Registry(
    "Beam",
    "length normalisation",
    {
        "none": lambda length, alpha: 1.0,
        "average": lambda length, alpha: float(length),
        "wu": lambda length, alpha: ((5 + length) / 6) ** alpha,
    },
)
"""lp(length, alpha) by name."""


@dataclass(frozen=True)
class Score:
    """The score of a finished hypothesis.

    Attributes:
        normalise: "none", "average" (log p a symbol) or "wu".
        alpha: of "wu", >= 0; 0 is "none".
        coverage: beta, >= 0.

    >>> round(Score("wu", alpha=1.0).divisor(7), 6)
    2.0
    """

    normalise: str = "none"
    alpha: float = 0.6
    coverage: float = 0.0

    def __post_init__(self) -> None:
        LENGTHS[self.normalise]
        if not (0 <= self.alpha < float("inf") and 0 <= self.coverage < float("inf")):
            raise ConfigError(
                "Beam: expected finite alpha >= 0 and coverage >= 0, got "
                f"alpha={self.alpha}, coverage={self.coverage}."
            )

    def divisor(self, length: float) -> float:
        """lp of a hypothesis of so many symbols, the end among them."""
        return LENGTHS[self.normalise](length, self.alpha)

    def penalty(self, looked: Tensor, real: Tensor) -> Tensor:
        """The coverage term: looked (..., S) summed over symbols, real (..., S) -> (...)."""
        covered = looked.clamp(min=torch.finfo(looked.dtype).tiny, max=1.0).log()
        return self.coverage * covered.masked_fill(~real, 0.0).sum(-1)

    def of(self, hypothesis: Hypothesis, words: int | None = None) -> float:
        """That of a hypothesis with its attention.

        Args:
            words: of the source; all S when None.

        Raises:
            ConfigError: there is no attention to punish.
        """
        score = hypothesis.log_p / self.divisor(len(hypothesis.log_ps))
        if not self.coverage:
            return score
        if hypothesis.attention is None:
            raise self.without_attention()
        looked = hypothesis.attention.sum(0)[:words]
        return score + float(self.penalty(looked, torch.ones_like(looked, dtype=torch.bool)))

    def without_attention(self) -> ConfigError:
        """The error for a model that does not tell where it looks."""
        return ConfigError(
            f"Beam: expected a model with attention for coverage={self.coverage}, got one "
            "without. Set coverage=0."
        )
