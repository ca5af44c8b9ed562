"""Log-linear mixing of models, each word's probability normalised over the whole vocabulary.

    p(w) = prod_k p_k(w) ** weight_k / Z

Klakow 1998.  The models' distributions are read piece by piece, for a text of any length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from penstock.counting.mixture import log_linear
from penstock.counting.vocabulary import Array
from penstock.errors import DataError

__all__ = ["Pieces", "log_linear_log_p", "log_linear_weights"]

Pieces = Iterable[tuple[Array, Array]]
"""log p of every word under each model (K, N, V), and the words that came (N,)."""
MOST = 50
"""Readings of the text at most."""
SMALLEST = 1e-3
"""A step of the weights that is not worth a reading."""


def log_linear_log_p(pieces: Pieces, weights: Array, tokens: int) -> Array:
    """log p of every one of so many tokens under the mixture, (T,)."""
    found, done = np.empty(tokens), 0
    for log_ps, words in pieces:
        found[done : done + len(words)] = _chosen(log_linear(log_ps, weights), words)
        done += len(words)
    return found


def log_linear_weights(
    read: Callable[[], Pieces], models: int, *, tolerance: float = 1e-5
) -> Array:
    """Weights, none below 0, with which the mixture gives a text the highest probability.

    log p of the text is concave in the weights: steps of Newton's method, halved while they do
    not help, until log p of a token grows by less than ``tolerance``.

    Args:
        read: gives the pieces of the text anew, once for each step.
        models: K.

    Raises:
        DataError: there is no text, or a model gives some word no probability at all.

    >>> log_ps = np.log([[[0.9, 0.1]], [[0.5, 0.5]]]).repeat(10, 1)
    >>> words = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    >>> float(log_linear_weights(lambda: [(log_ps, words)], 2)[0].round(2))
    1.0
    """
    weights = np.full(models, 1 / models)
    here = _statistics(read(), weights)
    step = _newton(here, weights)
    for _ in range(MOST):
        tried = np.maximum(weights + step, 0.0)
        there = _statistics(read(), tried)
        gain = there.log_p - here.log_p
        if gain <= 0:
            step = step / 2
        else:
            weights, here, step = tried, there, _newton(there, tried)
        if 0 < gain < tolerance or np.abs(step).max() < SMALLEST:
            break
    return weights


class _Statistics(NamedTuple):
    """Of a text at some weights, per token."""

    log_p: float
    gradient: Array
    """(K,), what the models said of the words that came, less what was expected."""
    covariance: Array
    """(K, K), of what they say: minus the second derivative."""


def _statistics(pieces: Pieces, weights: Array) -> _Statistics:
    log_p, gradient = 0.0, np.zeros(len(weights))
    covariance, tokens = np.zeros((len(weights), len(weights))), 0
    for log_ps, words in pieces:
        if np.isneginf(log_ps.min()):
            raise DataError(
                "log-linear mixing: expected models that give every word some probability, got "
                "0 for one. Smooth the model, or mix with em."
            )
        mixed = log_linear(log_ps, weights)
        log_p += float(_chosen(mixed, words).sum())
        shares = log_ps * np.exp(mixed, dtype=log_ps.dtype)
        expected = shares.sum(-1, dtype=float)
        gradient += (_chosen(log_ps, words) - expected).sum(-1)
        squares = shares.reshape(len(weights), -1) @ log_ps.reshape(len(weights), -1).T
        covariance += squares - expected @ expected.T
        tokens += len(words)
    if not tokens:
        raise DataError("log-linear mixing: expected a text to fit the weights to, got no token.")
    return _Statistics(log_p / tokens, gradient / tokens, covariance / tokens)


def _newton(at: _Statistics, weights: Array) -> Array:
    """The step to where the gradient would be zero, for weights that can move."""
    free = (weights > 0) | (at.gradient > 0)
    step = np.zeros(len(weights))
    step[free] = np.linalg.lstsq(at.covariance[np.ix_(free, free)], at.gradient[free])[0]
    return step


def _chosen(log_p: Array, words: Array) -> Array:
    """The entries of the words that came: (..., N, V), (N,) -> (..., N)."""
    found: Array = log_p[..., np.arange(len(words)), words]
    return found
