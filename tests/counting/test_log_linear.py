"""Log-linear mixing: the fit against a grid and a general optimiser, and what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from penstock.counting.log_linear import log_linear_log_p, log_linear_weights
from penstock.errors import DataError

WORDS, TOKENS = 7, 200


def pieces(models, seed=1, steps=64):
    """Distributions of some models, the first of which the words are drawn from, sharpened."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(models, TOKENS, WORDS))
    log_ps = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    sharp = np.exp(1.7 * log_ps[0])
    words = np.array([draw.choice(WORDS, p=p / p.sum()) for p in sharp])
    return [(log_ps[:, at : at + steps], words[at : at + steps]) for at in range(0, TOKENS, steps)]


def by_definition(parts, weights):
    """-log p of a token on average, one at a time."""
    nats = []
    for log_ps, words in parts:
        for t, word in enumerate(words):
            products = np.prod([np.exp(p[t]) ** w for p, w in zip(log_ps, weights, strict=True)], 0)
            nats.append(-np.log(products[word] / products.sum()))
    return np.array(nats)


def test_probabilities_by_definition():
    parts = pieces(3)
    weights = np.array([0.4, 1.3, 0.2])
    np.testing.assert_allclose(
        -log_linear_log_p(parts, weights, TOKENS), by_definition(parts, weights), rtol=1e-9
    )


@pytest.mark.parametrize("models", [1, 2, 3])
def test_the_fit_is_the_optimum(models):
    parts = pieces(models)
    weights = log_linear_weights(lambda: parts, models, tolerance=1e-10)
    found = minimize(
        lambda w: by_definition(parts, w).mean(), np.ones(models), bounds=[(0, None)] * models
    )
    assert by_definition(parts, weights).mean() == pytest.approx(found.fun, abs=1e-7)
    np.testing.assert_allclose(weights, found.x, atol=2e-3)


def test_no_weight_is_below_zero():
    """The second model says the opposite of what comes."""
    log_ps, words = pieces(1, steps=TOKENS)[0]
    opposite = -log_ps - np.log(np.exp(-log_ps).sum(-1, keepdims=True))
    parts = [(np.concatenate([log_ps / 2, opposite]), words)]
    weights = log_linear_weights(lambda: parts, 2, tolerance=1e-10)
    assert weights[1] == 0
    assert weights[0] == pytest.approx(
        2 * log_linear_weights(lambda: [(log_ps, words)], 1)[0], 1e-2
    )


def test_two_alike_share_the_weight():
    parts = [(log_ps.repeat(2, 0), words) for log_ps, words in pieces(1)]
    (alone,) = log_linear_weights(lambda: pieces(1), 1)
    assert log_linear_weights(lambda: parts, 2).sum() == pytest.approx(alone, rel=1e-2)


def test_what_cannot_be_fitted():
    with pytest.raises(DataError, match="got no token"):
        log_linear_weights(lambda: [], 2)
    with np.errstate(divide="ignore"):
        zero = np.log(np.array([[[1.0, 0.0]]]))
    with pytest.raises(DataError, match="mix with em"):
        log_linear_weights(lambda: [(zero, np.array([0]))], 1)
