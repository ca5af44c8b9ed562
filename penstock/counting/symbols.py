"""n-gram models for search: a state, and steps from symbol to symbol.

Ids are those of a tokeniser; ``<s>`` is no symbol.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from penstock.counting.model import NGramModel
from penstock.counting.vocabulary import Array

__all__ = ["Symbols"]


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
