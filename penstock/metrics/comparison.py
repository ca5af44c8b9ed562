"""Language models side by side on one text, with what chance can explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.errors import DataError
from penstock.metrics.bootstrap import FEWEST_LINES, Bootstrap
from penstock.metrics.perplexity import Perplexity

__all__ = ["Candidate", "compare"]


@dataclass(frozen=True)
class Candidate:
    """What a text costs under one model, line by line.

    Attributes:
        name: what the reader knows it by.
        nats: (lines,), -log p of each line.
        tokens: (lines,), tokens of each, ``<eos>`` among them.
        cost: the same of the whole text.
        parameters: weights that were learnt, or n-grams that were counted.
        bytes: of the files that are needed to use it.
        seconds: that scoring the text took.
        mass: what its probabilities of a next word sum to.
    """

    name: str
    nats: np.ndarray
    tokens: np.ndarray
    cost: Perplexity
    parameters: int
    bytes: int
    seconds: float
    mass: float = 1.0

    def row(self, interval: tuple[float, float] | None, p_value: float | None) -> dict[str, Any]:
        """Its row of the table."""
        return {
            "model": self.name,
            "perplexity": self.cost.perplexity,
            "interval": interval,
            "p_value": p_value,
            "bits_per_character": self.cost.bits_per_character,
            "unknown": self.cost.unknown,
            "context": self.cost.context,
            "parameters": self.parameters,
            "bytes": self.bytes,
            "tokens_per_second": self.cost.tokens / self.seconds,
            "probabilities_sum_to": self.mass,
        }


def compare(candidates: Sequence[Candidate], *, resamples: int = 1000) -> dict[str, Any]:
    """The table of several models, the best first, as plain data.

    Returns:
        rows: of each model, with an interval of its perplexity and the p-value of its difference
            from the best; None where the lines are too few to tell.
        comparable: whether all predicted the same number of tokens, and knew as many of them.
        signature: what the figures mean.

    Raises:
        DataError: the models do not find the same lines in the text.
    """
    if len({len(one.nats) for one in candidates}) > 1:
        found = ", ".join(f"{one.name} {len(one.nats):,}" for one in candidates)
        raise DataError(f"compare: expected the same lines for every model, got {found}.")
    ordered = sorted(candidates, key=lambda one: one.cost.nats)
    nats = np.stack([one.nats for one in ordered])
    tokens = np.stack([one.tokens for one in ordered])
    bootstrap = Bootstrap(nats, tokens, resamples=resamples)
    tells = nats.shape[1] >= FEWEST_LINES
    rows = [
        one.row(
            bootstrap.interval(number) if tells else None,
            bootstrap.p_value(number, 0) if tells and number else None,
        )
        for number, one in enumerate(ordered)
    ]
    return {
        "rows": rows,
        "comparable": len({(one.cost.tokens, one.cost.unknown) for one in ordered}) == 1,
        "signature": "perplexity = exp(nats / token), each <eos> and <unk> predicted; "
        + bootstrap.signature,
    }
