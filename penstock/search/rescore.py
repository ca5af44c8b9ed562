"""Rescoring of n-best lists: the weighted sum of features decides anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from penstock.errors import ConfigError, did_you_mean
from penstock.search.nbest import Entry, as_values

__all__ = ["Weights", "rescored"]

Weights = Mapping[str, float | Sequence[float]]
"""By the feature's name: one number, or one for each of its values."""


def rescored(entries: Iterable[Entry], weights: Weights) -> list[Entry]:
    """Hypotheses with the weighted sum of features as their score, best first.

    A feature without a weight counts nothing.  Equal ones stay in their order.

    Args:
        weights: by name; one number, or one for each value.

    Raises:
        ConfigError: a hypothesis lacks a feature, or it has another number of values.
    """
    scored = [replace(entry, score=_score(entry, weights)) for entry in entries]
    return sorted(scored, key=lambda entry: -entry.score)


def _score(entry: Entry, weights: Weights) -> float:
    total = 0.0
    for name, weight in weights.items():
        values, factors = entry.features.get(name), as_values(weight)
        if values is None:
            hint = did_you_mean(name, entry.features)
            raise ConfigError(
                f"n-best: expected the feature {name!r}, got sentence {entry.sentence} with "
                f"{', '.join(entry.features) or 'none'}.{hint}"
            )
        if len(values) != len(factors):
            raise ConfigError(
                f"n-best: expected {len(values)} weights for {name!r}, got {len(factors)}."
            )
        total += sum(f * value for f, value in zip(factors, values, strict=True) if f)
    return total
