"""Several language models as one: p = sum_k w_k p_k, with weights that are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from penstock.caching import cached_property
from penstock.counting.mixture import linear
from penstock.scoring.counted import Counted
from penstock.scoring.network import Array, Network

if TYPE_CHECKING:
    from penstock.search import Selectable
    from penstock.text import Tokeniser

__all__ = ["Mixed"]


@dataclass(frozen=True)
class Mixed:
    """A linear mixture of models of the same tokens.

    Attributes:
        models: which may number their tokens each in its own way; the mixture's are the first's.
        weights: of each, their sum is 1.
    """

    models: Sequence[Network | Counted]
    weights: Sequence[float]

    @property
    def tokeniser(self) -> Tokeniser:
        """What makes tokens of text."""
        return self.models[0].tokeniser

    @cached_property
    def places(self) -> list[Array]:
        """For each model its own number of each token."""
        tokens = self.tokeniser.tokens
        known = ({t: n for n, t in enumerate(model.tokeniser.tokens)} for model in self.models)
        return [np.array([numbers[token] for token in tokens]) for numbers in known]

    def symbols(self) -> Selectable:
        """It, for search."""
        import torch

        from penstock.search import Ensemble, Renumbered

        members = [
            Renumbered(model.symbols(), torch.from_numpy(places))
            for model, places in zip(self.models, self.places, strict=True)
        ]
        return Ensemble(members, self.weights, mixture="linear")

    def of_lines(self, rows: Sequence[Sequence[int]]) -> list[tuple[list[float], list[int]]]:
        """log p of every token of every line; there is no order of n-grams to tell."""
        parts = [
            [log_ps for log_ps, _ in model.of_lines([places[list(row)].tolist() for row in rows])]
            for model, places in zip(self.models, self.places, strict=True)
        ]
        return [
            (linear(np.array(own), self.weights).tolist(), []) for own in zip(*parts, strict=True)
        ]
