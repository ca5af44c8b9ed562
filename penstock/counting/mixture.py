"""Mixing models: linear interpolation with EM weights, log-linear mixing, a cache of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock.counting.vocabulary import Array
from penstock.errors import ConfigError, DataError, ShapeError

__all__ = ["cache_p", "em_weights", "linear", "log_linear", "with_cache"]

MOST = 1000
"""Iterations of EM at most."""


def em_weights(log_ps: Array, *, tolerance: float = 1e-7) -> Array:
    """Weights with which models, mixed linearly, give a text the highest probability.

    Expectation-maximisation (Jelinek & Mercer 1980): a model's weight becomes its mean share in
    the mixture's probability of a token, until the nats per token change by less than
    ``tolerance``.

    Args:
        log_ps: log p of every token under every model, in nats.

    Shapes:
        log_ps (K, T) -> (K,), their sum 1

    Raises:
        DataError: no model gives some token any probability, or there is no token.

    >>> em_weights(np.log([[0.9, 0.9, 0.1], [0.1, 0.1, 0.9]])).round(2)
    array([0.71, 0.29])
    """
    log_ps = _checked(log_ps)
    highest = log_ps.max(axis=0)
    if not log_ps.shape[1] or np.isneginf(highest).any():
        raise DataError("em_weights: expected tokens that some model can predict, each of them.")
    p = np.exp(log_ps - highest)
    weights = np.full(len(p), 1 / len(p))
    before = -np.inf
    for _ in range(MOST):
        mixed = weights @ p
        now = float(np.log(mixed).mean())
        if now - before < tolerance:
            break
        weights *= (p / mixed).mean(axis=1)
        before = now
    return weights / weights.sum()


def linear(log_ps: Array, weights: Sequence[float] | Array) -> Array:
    """log of the weighted sum of probabilities: (K, ...), (K,) -> (...)."""
    log_ps, weights = _checked(log_ps), _weights(log_ps, weights)
    highest = log_ps.max(axis=0)
    base = np.where(np.isneginf(highest), 0.0, highest)
    with np.errstate(divide="ignore"):
        mixed: Array = np.log(np.tensordot(weights, np.exp(log_ps - base), 1)) + base
    return mixed


def log_linear(log_ps: Array, weights: Sequence[float] | Array) -> Array:
    """log of the weighted product of whole distributions, made to sum to 1 again.

    Klakow 1998: p(w) = prod_k p_k(w)^weight_k / Z.

    Shapes:
        log_ps (K, ..., V), weights (K,) -> (..., V)
    """
    log_ps, weights = _checked(log_ps), _weights(log_ps, weights, total=None)
    used = weights != 0
    scores = np.tensordot(weights[used], log_ps[used], 1)
    highest = scores.max(axis=-1, keepdims=True)
    found: Array = scores - highest - np.log(np.exp(scores - highest).sum(-1, keepdims=True))
    return found


def cache_p(ids: Array, size: int) -> Array:
    """Share of every token among the ``size`` tokens before it: (T,) -> (T,), 0 for the first.

    Kuhn & De Mori 1990, with one cache for all words.

    >>> cache_p(np.array([5, 6, 5, 5]), 2)
    array([0. , 0. , 0.5, 0.5])
    """
    if size < 1:
        raise ConfigError(f"cache_p: expected size of 1 at least, got {size=}.")
    number = len(ids)
    at = np.arange(number)
    # Occurrences in rising order of word, then place: those before a place and after another one
    # are next to each other.
    span = np.int64(number + 1)
    keys = ids.astype(np.int64) * span + at
    ordered = np.sort(keys)
    first = np.searchsorted(ordered, ids.astype(np.int64) * span + np.maximum(at - size, 0))
    found: Array = (np.searchsorted(ordered, keys) - first) / np.maximum(np.minimum(at, size), 1)
    return found


def with_cache(log_p: Array, ids: Array, *, size: int, weight: float) -> Array:
    """log p of tokens under a model mixed with the cache of words; the first has no cache.

    Args:
        weight: of the cache, in [0, 1).

    Shapes:
        log_p (T,), ids (T,) -> (T,)
    """
    if not 0 <= weight < 1:
        raise ConfigError(f"with_cache: expected weight in [0, 1), got {weight=}.")
    if len(log_p) != len(ids):
        raise ShapeError(f"with_cache: expected as many ids as log_p, got {len(ids)}.")
    with np.errstate(divide="ignore"):
        mixed = linear(np.stack([log_p, np.log(cache_p(ids, size))]), [1 - weight, weight])
    mixed[:1] = log_p[:1]
    return mixed


def _checked(log_ps: Array) -> Array:
    log_ps = np.asarray(log_ps, float)
    if log_ps.ndim < 2 or not len(log_ps):
        raise ShapeError(f"mixture: expected log_ps (K, ...), got shape {log_ps.shape}.")
    return log_ps


def _weights(log_ps: Array, weights: Sequence[float] | Array, total: float | None = 1.0) -> Array:
    found = np.asarray(weights, float)
    wrong = found.shape != (len(log_ps),) or not (found >= 0).all() or np.isinf(found).any()
    if wrong or (total is not None and abs(found.sum() - total) > 1e-6):
        of_sum = " of sum 1" if total else ""
        raise ConfigError(
            f"mixture: expected {len(log_ps)} weights{of_sum}, none below 0, got {found.tolist()}."
        )
    return found
