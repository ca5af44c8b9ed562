"""n-gram models, and mixtures of any models, for search: a state, and steps from symbol to symbol.

Ids are those of a tokeniser; ``<s>`` is no symbol.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penstock.counting.model import NGramModel
from penstock.counting.vocabulary import Array
from penstock.errors import ConfigError

__all__ = ["Mixture", "Symbols"]


class Symbols:
    """An n-gram model that gives the next symbol's log-probabilities as tensors.

    Args:
        model: the n-grams.
        places: (V,), the model's id of each symbol; the model's own ids when None.

    >>> from penstock.counting import Vocabulary, estimate
    >>> v = Vocabulary(["a", "b"])
    >>> model = Symbols(estimate(v.encode_text("a b\\n"), v, order=2, smoothing="witten-bell"))
    >>> log_p, state = model.step(torch.tensor([0]), model.start(1))
    >>> log_p.exp().numpy().round(2)  # after <s>: </s>, <unk>, a, b
    array([[0.15, 0.06, 0.65, 0.15]], dtype=float32)
    """

    def __init__(self, model: NGramModel, places: Array | None = None) -> None:
        self.model = model
        self.places = np.arange(len(model.vocabulary)) if places is None else places

    def start(self, batch: int) -> Array:
        """The state before any word."""
        return self.model.start(batch)

    def step(self, ids: Tensor, state: Array) -> tuple[Tensor, Array]:
        """Symbols (B,) -> log-probabilities of the next (B, V) in nats, and the state."""
        state = self.model.advance(self.places[ids.numpy()], state)
        return torch.from_numpy(self.model.distribution(state)[:, self.places]), state

    def select(self, state: Array, rows: Tensor) -> Array:
        """The state of other rows: rows (N,) index those of a batch."""
        selected: Array = state[:, rows.numpy()]
        return selected


class Mixture:
    """Several models of the same symbols as one.

    Args:
        models: each with ``start`` and ``step``, such as :class:`Symbols` or a language model.
        weights: of the models; their sum is 1 for a linear mixture.
        logs: mix log-probabilities (and normalise) instead of probabilities.
    """

    def __init__(
        self, models: Sequence[Any], weights: Sequence[float], *, logs: bool = False
    ) -> None:
        whole = logs or abs(sum(weights) - 1) < 1e-6
        if not models or len(models) != len(weights) or min(weights) < 0 or not whole:
            raise ConfigError(
                "Mixture: expected one weight for each model, none below 0"
                f"{'' if logs else ', their sum 1'}, got weights={list(weights)}."
            )
        self.models, self.weights, self.logs = models, weights, logs

    def start(self, batch: int) -> list[Any]:
        """The states before any symbol."""
        return [model.start(batch) for model in self.models]

    def step(self, ids: Tensor, state: list[Any]) -> tuple[Tensor, list[Any]]:
        """Symbols (B,) -> log-probabilities of the next (B, V), and the states."""
        steps = [model.step(ids, own) for model, own in zip(self.models, state, strict=True)]
        used = [
            (log_p, weight)
            for (log_p, _), weight in zip(steps, self.weights, strict=True)
            if weight
        ]
        if self.logs:
            mixed = torch.log_softmax(sum(weight * log_p for log_p, weight in used), -1)
        else:
            mixed = torch.stack([log_p + math.log(weight) for log_p, weight in used]).logsumexp(0)
        return mixed, [after for _, after in steps]
