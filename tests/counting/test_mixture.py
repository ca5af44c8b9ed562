"""Mixing: EM against a grid, log-linear against the definition, the cache against a loop."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.counting.mixture import cache_p, em_weights, linear, log_linear, with_cache
from penstock.errors import ConfigError, DataError, ShapeError

P = np.random.default_rng(1).uniform(0.01, 1, (2, 300))


def test_em_finds_the_best_weights_of_a_grid():
    costs = [-np.log(w * P[0] + (1 - w) * P[1]).mean() for w in np.linspace(0, 1, 1001)]
    best = np.argmin(costs) / 1000
    weights = em_weights(np.log(P), tolerance=1e-12)
    assert weights[0] == pytest.approx(best, abs=2e-3)
    assert weights.sum() == pytest.approx(1)
    assert -linear(np.log(P), weights).mean() <= min(costs) + 1e-9


def test_em_needs_every_token_predicted_by_some_model():
    with np.errstate(divide="ignore"):
        some = np.log([[0.0, 0.5], [0.5, 0.0]])
        assert em_weights(some) == pytest.approx([0.5, 0.5])
        with pytest.raises(DataError, match="expected tokens that some model can predict"):
            em_weights(np.log([[0.0, 0.5], [0.0, 0.5]]))
    with pytest.raises(DataError, match="expected tokens"):
        em_weights(np.zeros((2, 0)))


def test_linear_and_log_linear_by_definition():
    p = P / P.sum(1, keepdims=True)
    mixed = np.exp(linear(np.log(p), [0.3, 0.7]))
    np.testing.assert_allclose(mixed, 0.3 * p[0] + 0.7 * p[1])
    product = p[0] ** 0.3 * p[1] ** 0.9
    np.testing.assert_allclose(np.exp(log_linear(np.log(p), [0.3, 0.9])), product / product.sum())


def test_zeros_stay_zeros():
    with np.errstate(divide="ignore"):
        log_p = np.log([[0.0, 1.0], [0.0, 0.5]])
    assert np.exp(linear(log_p, [0.5, 0.5])).tolist() == [0, 0.75]


@pytest.mark.parametrize("size", [1, 3, 500])
def test_cache_is_the_share_among_the_words_before(size):
    ids = np.random.default_rng(2).integers(0, 4, 60)
    expected = [(ids[max(0, t - size) : t] == ids[t]).mean() if t else 0.0 for t in range(len(ids))]
    np.testing.assert_allclose(cache_p(ids, size), expected)
    mixed = with_cache(np.log(P[0, :60]), ids, size=size, weight=0.2)
    np.testing.assert_allclose(np.exp(mixed[1:]), 0.8 * P[0, 1:60] + 0.2 * np.array(expected[1:]))
    assert np.exp(mixed[0]) == pytest.approx(P[0, 0])


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: linear(np.log(P), [0.5, 0.6]), ConfigError, "expected 2 weights of sum 1"),
        (lambda: linear(np.log(P), [1.0]), ConfigError, "expected 2 weights"),
        (lambda: log_linear(np.log(P), [-1, 1]), ConfigError, "none below 0"),
        (lambda: em_weights(np.zeros(3)), ShapeError, r"expected log_ps \(K, ...\)"),
        (lambda: cache_p(np.array([1]), 0), ConfigError, "expected size of 1 at least"),
        (lambda: with_cache(P[0], np.zeros(2, int), size=1, weight=0.5), ShapeError, "got 2"),
        (lambda: with_cache(P[0], np.zeros(300, int), size=1, weight=1), ConfigError, "weight in"),
    ],
)
def test_what_cannot_be_mixed(call, error, said):
    with pytest.raises(error, match=said):
        call()
