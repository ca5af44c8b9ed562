"""Several models of the same symbols as one.

    log-linear:  log p = sum_m w_m log p_m - log Z     geometric mean, made a distribution again
    linear:      p = sum_m w_m p_m                     arithmetic mean, sum_m w_m = 1
    sum:         score = sum_m w_m log p_m             shallow fusion (Gulcehre et al. 2015)

Members may differ in everything but their symbols.  Members with other symbols for the same text
cannot vote on the next one: translators judge each other's texts
(:mod:`penstock.translation.pool`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from penstock.errors import ConfigError
from penstock.registry import Registry
from penstock.search.model import Selectable, attention_of, device_of

__all__ = ["MIXTURES", "Ensemble", "shallow_fusion"]

MIXTURES: Registry[Callable[[Sequence[Tensor], Sequence[float]], Tensor]] = Registry(
    "Ensemble", "mixture"
)
"""Log-probabilities (N, V) of each member and its weight -> those of all, by name."""


def _sum(log_ps: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    parts = (log_p * weight for log_p, weight in zip(log_ps, weights, strict=True))
    return reduce(torch.add, parts)


def _log_linear(log_ps: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    return torch.log_softmax(_sum(log_ps, weights), -1)


def _linear(log_ps: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    parts = (log_p + math.log(weight) for log_p, weight in zip(log_ps, weights, strict=True))
    return reduce(torch.logaddexp, parts)


MIXTURES.add("log-linear", _log_linear)
MIXTURES.add("linear", _linear)
MIXTURES.add("sum", _sum)


class Ensemble:
    """Models that choose the next symbol together.

    Args:
        models: each with ``start``, ``step`` and ``select``, over the same symbols.
        weights: >= 0, one for each; by default equal ones whose sum is 1 (of "sum": all 1). A
            model of weight 0 is not asked.
        mixture: "log-linear", "linear" or "sum".
        looking: numbers of the models whose attention is averaged, with their weights; all that
            look at a source when None. They have the same source words.

    Raises:
        ConfigError: the weights do not fit, or in ``step``: the models differ in their symbols.
    """

    def __init__(
        self,
        models: Sequence[Selectable],
        weights: Sequence[float] | None = None,
        *,
        mixture: str = "log-linear",
        looking: Collection[int] | None = None,
    ) -> None:
        self._mix = MIXTURES[mixture]
        equal = 1.0 if mixture == "sum" else 1 / max(len(models), 1)
        weights = [equal] * len(models) if weights is None else list(weights)
        whole = mixture != "linear" or abs(sum(weights) - 1) < 1e-6
        fair = all(0 <= weight < math.inf for weight in weights)
        if len(models) != len(weights) or not (fair and whole and any(weights)):
            raise ConfigError(
                f"Ensemble: expected a weight for each of {len(models)} models, none below 0, some "
                f"above{' and their sum 1' if mixture == 'linear' else ''}, got weights={weights}."
            )
        asked = [number for number, weight in enumerate(weights) if weight]
        self.models, self.weights = [models[n] for n in asked], [weights[n] for n in asked]
        self._looking = [looking is None or n in looking for n in asked]

    @property
    def device(self) -> torch.device:
        """Where the members take their symbols."""
        return device_of(self.models[0])

    def start(self, batch: int) -> list[Any]:
        """The states before any symbol."""
        return [model.start(batch) for model in self.models]

    def step(self, ids: Tensor, state: list[Any]) -> tuple[Tensor, list[Any]]:
        """Symbols (N,) -> what the members say of the next (N, V), and the states."""
        steps = [model.step(ids, own) for model, own in zip(self.models, state, strict=True)]
        sizes = [log_p.shape[1] for log_p, _ in steps]
        if len(set(sizes)) > 1:
            raise ConfigError(
                f"Ensemble: expected models of the same symbols, got {sizes} symbols. Renumber "
                "those with the same ones, or pool the hypotheses of models with others."
            )
        return self._mix([log_p for log_p, _ in steps], self.weights), [own for _, own in steps]

    def select(self, state: list[Any], rows: Tensor) -> list[Any]:
        """The states of other rows."""
        return [model.select(own, rows) for model, own in zip(self.models, state, strict=True)]

    def attention(self, state: list[Any]) -> Tensor | None:
        """How much each source word was looked at on average: (N, S); None if none looks."""
        members = zip(self.models, state, self.weights, self._looking, strict=True)
        looked = [
            (seen, weight)
            for model, own, weight, looks in members
            if looks and (seen := attention_of(model, own)) is not None
        ]
        if not looked:
            return None
        return _sum(*zip(*looked, strict=True)) / sum(weight for _, weight in looked)


def shallow_fusion(model: Selectable, language: Selectable, weight: float = 0.3) -> Ensemble:
    """A model with the advice of a language model of the same symbols: log p + weight log p_lm."""
    return Ensemble([model, language], [1.0, weight], mixture="sum")
